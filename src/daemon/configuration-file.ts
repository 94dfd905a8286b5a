import { Fields, parseJson } from "#base/decode.ts";
import { EngineError } from "#base/errors.ts";

/** The settings of a `daemon.json`: those of Docker's that concern registries, with its names. */
export interface ConfigurationFile {
  readonly insecureRegistries: readonly string[] | undefined;
  readonly registryMirrors: readonly string[] | undefined;
  readonly httpProxy: string | undefined;
  readonly httpsProxy: string | undefined;
  readonly noProxy: string | undefined;
}

const KEYS = ["insecure-registries", "proxies", "registry-mirrors"];
const PROXY_KEYS = ["http-proxy", "https-proxy", "no-proxy"];

/**
 * Reads the text of a configuration file; an empty one says nothing.
 *
 * @throws {EngineError} invalid, naming the key: one that would have no effect is refused
 */
export function decodeConfigurationFile(text: string, path: string): ConfigurationFile {
  const file = new Fields({ file: text.trim() === "" ? {} : parseJson(text, path) });
  refuseUnknown(file, "file", { known: KEYS, path });
  const fields = file.object("file");
  refuseUnknown(fields, "proxies", { known: PROXY_KEYS, path });
  const proxies = fields.object("proxies");
  return {
    insecureRegistries: fields.strings("insecure-registries"),
    registryMirrors: fields.strings("registry-mirrors"),
    httpProxy: proxies.string("http-proxy"),
    httpsProxy: proxies.string("https-proxy"),
    noProxy: proxies.string("no-proxy"),
  };
}

/** [moby daemon/config/config.go] */
function refuseUnknown(
  fields: Fields,
  key: string,
  { known, path }: { readonly known: readonly string[]; readonly path: string },
): void {
  const given = fields.map(key, () => undefined)?.keys() ?? [];
  const unknown = [...given].filter((name) => !known.includes(name));
  if (unknown.length === 0) return;
  throw new EngineError(
    "invalid",
    `Cannot use ${path}: the following directives don't match any configuration option: ${unknown.join(", ")}`,
    { hint: `there are ${[...KEYS, ...PROXY_KEYS.map((name) => `proxies.${name}`)].join(", ")}` },
  );
}
