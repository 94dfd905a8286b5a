import { Fields } from "#base/decode.ts";
import { EngineError } from "#base/errors.ts";
import { ConfigFile } from "./config-file.ts";

/** What a person has set once for every call, in `config.json`. */
export interface Settings {
  /** `--format` of a list where none is given. */
  readonly formats: Readonly<Partial<Record<FormattedList, string>>>;
  readonly detachKeys: string | undefined;
  /** `label=x`, for every prune. */
  readonly pruneFilters: readonly string[];
  /** Names and values for containers and builds, both spellings of each name. */
  readonly proxyVariables: readonly (readonly [string, string])[];
}

const LISTS = ["ps", "images", "networks", "volumes", "stats"] as const;
export type FormattedList = (typeof LISTS)[number];

export const NO_SETTINGS: Settings = {
  formats: {},
  detachKeys: undefined,
  pruneFilters: [],
  proxyVariables: [],
};

const PROXIES = [
  ["httpProxy", "HTTP_PROXY"],
  ["httpsProxy", "HTTPS_PROXY"],
  ["noProxy", "NO_PROXY"],
  ["ftpProxy", "FTP_PROXY"],
  ["allProxy", "ALL_PROXY"],
] as const;

/**
 * Reads the settings of `folder`, for the engine at `host`: proxies may differ by engine. A file that does not read is
 * told of, and nothing is set.
 */
export function readSettings(
  folder: string,
  { host, warn }: { readonly host: string; readonly warn: (text: string) => void },
): Settings {
  try {
    const fields = new Fields(new ConfigFile(folder).read());
    const formats = LISTS.map((list) => [list, fields.string(`${list}Format`)] as const);
    return {
      formats: Object.fromEntries(formats.filter(([, format]) => format)),
      detachKeys: fields.string("detachKeys") || undefined,
      pruneFilters: fields.strings("pruneFilters") ?? [],
      proxyVariables: proxyVariables(fields.object("proxies"), host),
    };
  } catch (error) {
    if (!EngineError.is(error, "invalid")) throw error;
    warn(`WARNING: ${error.message}\n`);
    return NO_SETTINGS;
  }
}

function proxyVariables(proxies: Fields, host: string): [string, string][] {
  const chosen = proxies.object(proxies.has(host) ? host : "default");
  return PROXIES.flatMap(([key, name]): [string, string][] => {
    const value = chosen.string(key);
    return value
      ? [
          [name, value],
          [name.toLowerCase(), value],
        ]
      : [];
  });
}
