import { EngineError } from "#base/errors.ts";
import { proxiesFrom } from "#registry/proxy.ts";
import { HOST_FOLDERS, PLAIN_SETTINGS, type RegistrySettings } from "#registry/settings.ts";
import type { ConfigurationFile } from "./configuration-file.ts";

/** What the command line says about registries. */
export interface RegistryFlags {
  readonly "insecure-registry"?: readonly string[] | undefined;
  readonly "registry-mirror"?: readonly string[] | undefined;
  readonly "registry-hosts"?: readonly string[] | undefined;
  readonly "search-index"?: string | undefined;
  readonly "http-proxy"?: string | undefined;
  readonly "https-proxy"?: string | undefined;
  readonly "no-proxy"?: string | undefined;
}

/**
 * Flags, file and environment as one: a flag and the file may not say the same thing, both win over the environment.
 *
 * @throws {EngineError} invalid, naming what cannot be used
 */
export function registrySettings(
  flags: RegistryFlags,
  file: ConfigurationFile,
  env: Readonly<Record<string, string | undefined>>,
): RegistrySettings {
  const inherited = proxiesFrom(env);
  const index = flags["search-index"];
  return {
    insecure: (oneOf("insecure-registries", flags["insecure-registry"], file.insecureRegistries) ?? []).map(
      insecure,
    ),
    mirrors: (oneOf("registry-mirrors", flags["registry-mirror"], file.registryMirrors) ?? []).map(mirror),
    hostFolders: flags["registry-hosts"] ?? HOST_FOLDERS,
    proxies: {
      http: proxy(oneOf("http-proxy", flags["http-proxy"], file.httpProxy) ?? inherited.http),
      https: proxy(oneOf("https-proxy", flags["https-proxy"], file.httpsProxy) ?? inherited.https),
      none: oneOf("no-proxy", flags["no-proxy"], file.noProxy) ?? inherited.none,
    },
    searchIndex: index === undefined ? PLAIN_SETTINGS.searchIndex : address(index, "--search-index"),
  };
}

/** [moby daemon/config/config.go] */
function oneOf<T>(what: string, flag: T | undefined, file: T | undefined): T | undefined {
  if (flag === undefined || file === undefined) return flag ?? file;
  throw new EngineError(
    "invalid",
    `the following directives are specified both as a flag and in the configuration file: ${what}`,
  );
}

/** `host`, `host:port` or a range; people write a scheme before it, which says nothing. */
function insecure(text: string): string {
  const bare = text.replace(/^https?:\/\//i, "").toLowerCase();
  if (/^(?:\[[0-9a-f:]+\]|[a-z0-9._-]+)(?::\d{1,5})?$/.test(bare) || /^[0-9a-f.:]+\/\d{1,3}$/.test(bare))
    return bare;
  throw new EngineError(
    "invalid",
    `insecure registry ${text} is not valid: it is neither a host nor a range`,
  );
}

function mirror(text: string): URL {
  const url = address(text, "invalid mirror");
  if (url.username !== "" || url.password !== "" || url.search !== "" || url.hash !== "")
    throw new EngineError("invalid", `invalid mirror: ${text} has more than scheme, host and path`);
  return url;
}

function proxy(text: string): string {
  if (text !== "") address(text.includes("://") ? text : `http://${text}`, "proxy");
  return text;
}

function address(text: string, what: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url && (url.protocol === "http:" || url.protocol === "https:")) {
    if (!url.pathname.endsWith("/")) url.pathname += "/";
    return url;
  }
  // a proxy's address may hold a password
  const shown = text.replace(/\/\/[^/@]*@/, "//***@");
  throw new EngineError("invalid", `${what}: ${shown} is no http or https address`);
}
