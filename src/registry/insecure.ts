import { BlockList, isIP } from "node:net";

/**
 * True when `host` (`name`, `name:port`, `[::1]:port`) is loopback or declared insecure: by its name, by its name with
 * its port, or by a range (`10.0.0.0/8`) that holds its address. Names are not looked up: whoever answers for a name
 * does not decide whether it is trusted.
 */
export function isInsecure(host: string, declared: readonly string[] = []): boolean {
  const name = hostName(host);
  return (
    isLoopback(name) ||
    declared.some((rule) => rule === host || rule === name || (rule.includes("/") && isAddressIn(name, rule)))
  );
}

/** `host` without its port, an IPv6 address without its brackets. */
export function hostName(host: string): string {
  if (host.startsWith("[")) return host.slice(1, host.indexOf("]"));
  return isIP(host) === 6 ? host : host.replace(/:\d+$/, "");
}

export function isLoopback(name: string): boolean {
  return name === "localhost" || name === "::1" || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(name);
}

/** True when `name` is an address inside `range` (`10.0.0.0/8`, `fd00::/8`); text that is neither is outside. */
export function isAddressIn(name: string, range: string): boolean {
  const [network = "", bits = ""] = range.split("/", 2);
  const family = isIP(name);
  if (family === 0 || isIP(network) !== family || !/^\d{1,3}$/.test(bits)) return false;
  if (Number(bits) > (family === 4 ? 32 : 128)) return false;
  const type = family === 4 ? "ipv4" : "ipv6";
  const list = new BlockList();
  list.addSubnet(network, Number(bits), type);
  return list.check(name, type);
}
