import { Fields } from "#base/decode.ts";
import { EngineError } from "#base/errors.ts";

/** Operating system and processor, in Go's words. OCI image-spec, image-index.md. */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
  readonly "os.version"?: string;
  readonly "os.features"?: readonly string[];
}

const ARCHITECTURE_OF_NODE: ReadonlyMap<string, string> = new Map([
  ["x64", "amd64"],
  ["ia32", "386"],
  ["arm64", "arm64"],
  ["arm", "arm"],
  ["riscv64", "riscv64"],
  ["ppc64", "ppc64le"],
  ["s390x", "s390x"],
  ["loong64", "loong64"],
]);

const ARCHITECTURE_ALIASES: ReadonlyMap<string, string> = new Map([
  ["x86_64", "amd64"],
  ["x86-64", "amd64"],
  ["aarch64", "arm64"],
  ["armhf", "arm"],
  ["i386", "386"],
]);

/** The platform this engine runs on. */
export function hostPlatform(): Platform {
  return { os: "linux", architecture: ARCHITECTURE_OF_NODE.get(process.arch) ?? process.arch };
}

/** Reads `os/arch[/variant]`, `arch` alone or `os` alone. @throws {EngineError} invalid. */
export function parsePlatform(text: string): Platform {
  const parts = text.trim().toLowerCase().split("/");
  if (parts.length > 3 || parts.some((part) => !/^[a-z0-9_.-]+$/.test(part))) {
    throw new EngineError("invalid", `Cannot parse platform "${text}": expected os/architecture[/variant]`);
  }
  const host = hostPlatform();
  const [first = "", second, variant] = parts;
  if (second === undefined) {
    return first === "linux" || first === "windows"
      ? normalize({ ...host, os: first })
      : normalize({ os: host.os, architecture: first });
  }
  return normalize({ os: first, architecture: second, ...(variant !== undefined && { variant }) });
}

export function formatPlatform(platform: Platform): string {
  return [platform.os, platform.architecture, ...(platform.variant ? [platform.variant] : [])].join("/");
}

/** The one spelling of a platform: aliases resolved, `arm64/v8` and `amd64/v1` without variant, `arm` as `arm/v7`. */
export function normalize(platform: Platform): Platform {
  const { variant: given, ...rest } = platform;
  const architecture = ARCHITECTURE_ALIASES.get(platform.architecture) ?? platform.architecture;
  const implied =
    (architecture === "arm64" && (given === "v8" || given === "8")) ||
    (architecture === "amd64" && given === "v1");
  const variant = implied ? undefined : architecture === "arm" && given === undefined ? "v7" : given;
  return { ...rest, architecture, ...(variant !== undefined && variant !== "" && { variant }) };
}

/** True when an image made for `offered` is what `wanted` asks for. */
export function platformMatches(wanted: Platform, offered: Platform): boolean {
  const a = normalize(wanted);
  const b = normalize(offered);
  return a.os === b.os && a.architecture === b.architecture && (a.variant ?? "") === (b.variant ?? "");
}

/** @throws {EngineError} invalid, naming the field. */
export function decodePlatform(value: unknown, path: string): Platform {
  const fields = new Fields(value, path);
  const variant = fields.string("variant");
  const version = fields.string("os.version");
  const features = fields.strings("os.features");
  return {
    os: fields.string("os") ?? "",
    architecture: fields.string("architecture") ?? "",
    ...(variant !== undefined && variant !== "" && { variant }),
    ...(version !== undefined && version !== "" && { "os.version": version }),
    ...(features !== undefined && features.length > 0 && { "os.features": features }),
  };
}
