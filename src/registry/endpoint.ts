import type { HostAccess } from "./host-access.ts";
import { readHostFolder } from "./host-folder.ts";
import { ALL_CAPABILITIES, type Capability } from "./hosts-toml.ts";

/** A host that answers for a registry: the registry itself, or a mirror of it. */
export interface Endpoint {
  /** Where its API begins (`https://registry.example/v2/`). Several are tried in this order; plain HTTP only where it is allowed. */
  readonly apis: readonly URL[];
  readonly capabilities: readonly Capability[];
  /** Sent with every request to it. */
  readonly headers: Readonly<Record<string, string>>;
  /** True for the registry itself: only it is shown the credentials that were given for it. */
  readonly isOrigin: boolean;
  /** The registry a cache is asked to stand for; sent as `ns`. [containerd docs/hosts.md] */
  readonly namespace?: string | undefined;
}

/** The API of Docker's own registry is not at the name people type. [moby daemon/pkg/registry/config.go] */
const HOST_OF_DOMAIN: ReadonlyMap<string, string> = new Map([
  ["docker.io", "registry-1.docker.io"],
  ["index.docker.io", "registry-1.docker.io"],
]);

const DOCKER_HUB = "docker.io";

/**
 * Who is asked for an image's domain, in this order: mirrors first, the registry itself last.
 *
 * @throws {EngineError} invalid when a file about it cannot be used
 */
export async function endpointsFor(domain: string, access: HostAccess): Promise<Endpoint[]> {
  const folder = await readHostFolder(domain, access.settings.hostFolders);
  const mirrors: Endpoint[] = [];
  for (const { api, capabilities, headers, tls } of folder?.mirrors ?? []) {
    access.declare(api.host, tls);
    mirrors.push({ apis: [api], capabilities, headers, isOrigin: false, namespace: domain });
  }
  if (mirrors.length === 0 && domain === DOCKER_HUB) mirrors.push(...access.settings.mirrors.map(hubMirror));
  const { api, capabilities = ALL_CAPABILITIES, headers = {} } = folder?.server ?? {};
  if (api && folder) access.declare(api.host, folder.tls);
  const apis = api ? [api] : ownApis(domain, access);
  return [...mirrors, { apis, capabilities, headers, isOrigin: true }];
}

/** The registry itself, without its mirrors. */
export async function ownEndpoint(domain: string, access: HostAccess): Promise<Endpoint> {
  const own = (await endpointsFor(domain, access)).find(({ isOrigin }) => isOrigin);
  if (!own) throw new Error("a registry has no host of its own");
  return own;
}

/** Where a registry answers that nothing was said about. */
export function ownApis(domain: string, access: Pick<HostAccess, "mayBePlain">): URL[] {
  const host = HOST_OF_DOMAIN.get(domain) ?? domain;
  const schemes = access.mayBePlain(host) ? ["https", "http"] : ["https"];
  return schemes.map((scheme) => new URL(`${scheme}://${host}/v2/`));
}

function hubMirror(mirror: URL): Endpoint {
  const api = new URL(`${mirror.pathname.replace(/\/+$/, "")}/v2/`, mirror);
  return { apis: [api], capabilities: ["pull", "resolve"], headers: {}, isOrigin: false };
}
