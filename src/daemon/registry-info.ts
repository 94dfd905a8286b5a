import type { RegistryConfig, SystemInfo } from "#api/system.ts";
import type { RegistrySettings } from "#registry/settings.ts";

/** What `/info` says of how registries are spoken to. Secrets in addresses of proxies are not told. */
export function encodeRegistryInfo(
  settings: RegistrySettings,
): Pick<SystemInfo, "IndexServerAddress" | "RegistryConfig" | "HttpProxy" | "HttpsProxy" | "NoProxy"> {
  const { insecure, mirrors, proxies } = settings;
  const ranges = insecure.filter((rule) => rule.includes("/"));
  const hosts = insecure.filter((rule) => !rule.includes("/"));
  const addresses = mirrors.map(({ href }) => href);
  const entry = (name: string, isHub: boolean): RegistryConfig["IndexConfigs"][string] => ({
    Name: name,
    Mirrors: isHub ? addresses : [],
    Secure: isHub,
    Official: isHub,
  });
  return {
    IndexServerAddress: "https://index.docker.io/v1/",
    RegistryConfig: {
      InsecureRegistryCIDRs: ["::1/128", "127.0.0.0/8", ...ranges],
      IndexConfigs: Object.fromEntries([
        ["docker.io", entry("docker.io", true)],
        ...hosts.map((host) => [host, entry(host, false)] as const),
      ]),
      Mirrors: addresses.length === 0 ? null : addresses,
    },
    HttpProxy: masked(proxies.http),
    HttpsProxy: masked(proxies.https),
    NoProxy: proxies.none,
  };
}

/** [moby daemon/info.go] */
function masked(proxy: string): string {
  return proxy.replace(/\/\/[^/@]*@/, "//xxxxx:xxxxx@");
}
