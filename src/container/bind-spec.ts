import { posix } from "node:path";
import { EngineError } from "#base/errors.ts";

/** One entry of `HostConfig.Binds`, read. */
export interface BindSpec {
  /** A path of the host, the name of a volume, or nothing: an anonymous volume. */
  readonly source:
    | { readonly kind: "path"; readonly path: string }
    | { readonly kind: "volume"; readonly name?: string };
  readonly destination: string;
  /** The options as written, for inspect. */
  readonly mode: string;
  readonly isWritable: boolean;
  readonly propagation?: string;
  readonly noCopy: boolean;
}

const PROPAGATIONS = ["private", "rprivate", "shared", "rshared", "slave", "rslave"];
const ACCESS = ["rw", "ro"];
const LABELS = ["z", "Z"];

/** Reads `source:destination[:options]`, `name:destination` or `destination`. @throws {EngineError} invalid */
export function parseBind(text: string): BindSpec {
  const parts = text.split(":");
  const [first = "", second, mode = ""] = parts;
  if (text === "" || parts.length > 3 || parts.slice(0, 2).includes("")) {
    throw new EngineError("invalid", `invalid volume specification: '${text}'`);
  }
  if (second === undefined) {
    return {
      source: { kind: "volume" },
      destination: cleanDestination(first, text),
      mode: "",
      isWritable: true,
      noCopy: false,
    };
  }
  const source = first.startsWith("/")
    ? ({ kind: "path", path: cleanPath(first) } as const)
    : ({ kind: "volume", name: checkVolumeName(first) } as const);
  return { source, destination: cleanDestination(second, text), mode, ...parseMode(mode, source.kind) };
}

/** @throws {EngineError} invalid, in Docker's words */
export function checkVolumeName(name: string): string {
  if (/^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/.test(name)) return name;
  throw new EngineError(
    "invalid",
    `create ${name}: "${name}" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path`,
  );
}

/** Without `.`, `..`, doubled and trailing slashes. */
export function cleanPath(path: string): string {
  const clean = posix.normalize(path);
  return clean.length > 1 && clean.endsWith("/") ? clean.slice(0, -1) : clean;
}

/** @throws {EngineError} invalid unless `path` is absolute and not the root */
export function cleanDestination(path: string, specification: string): string {
  const prefix = `invalid volume specification: '${specification}'`;
  if (!path.startsWith("/")) {
    throw new EngineError("invalid", `${prefix}: invalid mount path: '${path}' mount path must be absolute`);
  }
  if (path.includes("\0")) throw new EngineError("invalid", `${prefix}: the path holds a zero byte`);
  const clean = cleanPath(path);
  if (clean === "/") {
    throw new EngineError("invalid", `${prefix}: invalid specification: destination can't be '/'`);
  }
  return clean;
}

function parseMode(
  mode: string,
  kind: "path" | "volume",
): Pick<BindSpec, "isWritable" | "propagation" | "noCopy"> {
  const options = mode === "" ? [] : mode.split(",");
  const allowed = [...ACCESS, ...LABELS, ...(kind === "path" ? PROPAGATIONS : ["nocopy"])];
  const groups = [ACCESS, LABELS, PROPAGATIONS, ["nocopy"]];
  const isWrong =
    options.some((option) => !allowed.includes(option)) ||
    groups.some((group) => options.filter((option) => group.includes(option)).length > 1);
  if (isWrong) throw new EngineError("invalid", `invalid mode: ${mode}`);
  const propagation = options.find((option) => PROPAGATIONS.includes(option));
  return {
    isWritable: !options.includes("ro"),
    noCopy: options.includes("nocopy"),
    ...(propagation !== undefined && { propagation }),
  };
}
