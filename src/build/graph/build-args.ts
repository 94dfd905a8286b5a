import { formatPlatform, type Platform } from "#oci/platform.ts";

/** Known without ARG and given to every step; part of no key and no history. */
export const PROXY_ARGS: readonly string[] = [
  "HTTP_PROXY",
  "HTTPS_PROXY",
  "FTP_PROXY",
  "NO_PROXY",
  "ALL_PROXY",
].flatMap((name) => [name, name.toLowerCase()]);

/** Arguments that tell the builder something; they need no ARG to be used. BuildKit's reference, "BuildKit built-in build args". */
const BUILDER_ARGS: ReadonlySet<string> = new Set([
  "BUILDKIT_BUILD_NAME",
  "BUILDKIT_CACHE_MOUNT_NS",
  "BUILDKIT_CONTEXT_KEEP_GIT_DIR",
  "BUILDKIT_DOCKERFILE_CHECK",
  "BUILDKIT_INLINE_CACHE",
  "BUILDKIT_MULTI_PLATFORM",
  "BUILDKIT_SANDBOX_HOSTNAME",
  "BUILDKIT_SBOM_SCAN_CONTEXT",
  "BUILDKIT_SBOM_SCAN_STAGE",
  "BUILDKIT_SYNTAX",
  "SOURCE_DATE_EPOCH",
]);

/** True when nobody need declare the argument for it to be of use. */
export function isPredefined(name: string): boolean {
  return BUILDER_ARGS.has(name) || PROXY_ARGS.includes(name);
}

/** The platform arguments of the global scope. */
export function platformArgs(target: Platform, build: Platform, targetStage: string): Map<string, string> {
  return new Map([
    ["BUILDPLATFORM", formatPlatform(build)],
    ["BUILDOS", build.os],
    ["BUILDARCH", build.architecture],
    ["BUILDVARIANT", build.variant ?? ""],
    ["TARGETPLATFORM", formatPlatform(target)],
    ["TARGETOS", target.os],
    ["TARGETARCH", target.architecture],
    ["TARGETVARIANT", target.variant ?? ""],
    ["TARGETSTAGE", targetStage],
  ]);
}

/** The build arguments given and which of them were used. */
export class BuildArgs {
  readonly #given: ReadonlyMap<string, string>;
  readonly #used = new Set<string>();

  constructor(given: ReadonlyMap<string, string>) {
    this.#given = given;
  }

  /** The given value; the argument counts as used. */
  use(name: string): string | undefined {
    this.#used.add(name);
    return this.#given.get(name);
  }

  /** `KEY=value` of the proxies that were given. */
  proxies(): string[] {
    return PROXY_ARGS.flatMap((name) => {
      const value = this.#given.get(name);
      return value === undefined ? [] : [`${name}=${value}`];
    });
  }

  /** Given, but declared nowhere that was built. */
  unused(): string[] {
    return [...this.#given.keys()].filter((name) => !this.#used.has(name) && !isPredefined(name)).toSorted();
  }
}
