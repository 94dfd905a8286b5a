import { hostName, isAddressIn, isLoopback } from "./insecure.ts";

/** The three settings that programs share. Empty: not set. */
export interface ProxySettings {
  /** For plain HTTP. */
  readonly http: string;
  /** For HTTPS, through `CONNECT`. */
  readonly https: string;
  /** Hosts that are asked directly, with commas between: `name` with all below it, `.name` only what is below it, `host:port`, an address, a range of addresses, `*` for all. */
  readonly none: string;
}

/** Reads `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY`, upper case before lower case. [golang.org/x/net/http/httpproxy] */
export function proxiesFrom(env: Readonly<Record<string, string | undefined>>): ProxySettings {
  const read = (name: string): string => env[name] ?? env[name.toLowerCase()] ?? "";
  return { http: read("HTTP_PROXY"), https: read("HTTPS_PROXY"), none: read("NO_PROXY") };
}

/** The proxy to ask for `url`, `undefined` to ask its host directly. Loopback is never asked through a proxy. */
export function proxyFor(url: URL, settings: ProxySettings): string | undefined {
  const proxy = url.protocol === "https:" ? settings.https : settings.http;
  if (proxy === "" || isLoopback(hostName(url.host))) return undefined;
  const port = url.port !== "" ? url.port : url.protocol === "https:" ? "443" : "80";
  const isDirect = settings.none.split(",").some((rule) => matches(rule.trim().toLowerCase(), url, port));
  if (isDirect) return undefined;
  return proxy.includes("://") ? proxy : `http://${proxy}`;
}

function matches(rule: string, url: URL, port: string): boolean {
  if (rule === "") return false;
  if (rule === "*") return true;
  const name = hostName(url.host);
  if (rule.includes("/")) return isAddressIn(name, rule);
  const wantedPort = /^(?:\[.*\]|[^:]*):(\d+)$/.exec(rule)?.[1];
  if (wantedPort !== undefined && wantedPort !== port) return false;
  const wanted = hostName(rule).replace(/^\*\./, ".");
  return wanted.startsWith(".") ? name.endsWith(wanted) : name === wanted || name.endsWith(`.${wanted}`);
}
