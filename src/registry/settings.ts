import type { ProxySettings } from "./proxy.ts";

/** How registries are spoken to, as whoever runs the engine has set it. */
export interface RegistrySettings {
  /** `host`, `host:port` or a range of addresses: TLS that nobody vouches for, and plain HTTP, will do. Loopback always is. */
  readonly insecure: readonly string[];
  /** Mirrors of Docker's own registry, asked first, in this order. */
  readonly mirrors: readonly URL[];
  /** Folders that hold one folder per host (`example.com:5000`) with its `hosts.toml` or certificates. The first that has one counts. */
  readonly hostFolders: readonly string[];
  readonly proxies: ProxySettings;
  /** The index that is searched for names without a domain. */
  readonly searchIndex: URL;
}

/** Where people keep such folders. */
export const HOST_FOLDERS: readonly string[] = [
  "/etc/darse/certs.d",
  "/etc/docker/certs.d",
  "/etc/containerd/certs.d",
];

/** Nothing set: registries are found by their names, over TLS that is verified. */
export const PLAIN_SETTINGS: RegistrySettings = {
  insecure: [],
  mirrors: [],
  hostFolders: [],
  proxies: { http: "", https: "", none: "" },
  searchIndex: new URL("https://index.docker.io/v1/"),
};
