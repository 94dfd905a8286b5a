/** Where a registry answers, and how. */
export interface Endpoint {
  /** `registry-1.docker.io`, `localhost:5000`. */
  readonly host: string;
  /** Tried in this order; plain HTTP only where it is allowed. */
  readonly schemes: readonly ("https" | "http")[];
}

/** The API of Docker's own registry is not at the name people type. [moby daemon/pkg/registry/config.go] */
const HOST_OF_DOMAIN: ReadonlyMap<string, string> = new Map([
  ["docker.io", "registry-1.docker.io"],
  ["index.docker.io", "registry-1.docker.io"],
]);

/** The endpoint for an image's domain; `plainHosts` are those declared to speak plain HTTP (`host` or `host:port`). */
export function endpointFor(domain: string, plainHosts: readonly string[] = []): Endpoint {
  const host = HOST_OF_DOMAIN.get(domain) ?? domain;
  return { host, schemes: mayBePlain(host, plainHosts) ? ["https", "http"] : ["https"] };
}

/** True when plain HTTP may be spoken with `host` (`name`, `name:port`, `[::1]:port`): it is loopback or declared. */
export function mayBePlain(host: string, plainHosts: readonly string[] = []): boolean {
  return isLoopback(hostName(host)) || plainHosts.includes(host) || plainHosts.includes(hostName(host));
}

function hostName(host: string): string {
  return host.startsWith("[") ? host.slice(1, host.indexOf("]")) : host.replace(/:\d+$/, "");
}

function isLoopback(name: string): boolean {
  return name === "localhost" || name === "::1" || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(name);
}
