import { readFileSync } from "node:fs";
import { join } from "node:path";
import { isErrno } from "#base/errors.ts";
import type { RuntimeSpec, SpecSeccomp } from "#oci/runtime-spec.ts";
import type { OciRuntime } from "./oci-runtime.ts";
import { FILTER_ANNOTATION } from "./spec/seccomp.ts";

/** Distinct filters kept: one per profile and set of capabilities in use. */
const MAX_FILTERS = 64;

/** A filter is 8 bytes an instruction, and the kernel takes 4096 of them. */
const INSTRUCTION_BYTES = 8;
const MAX_FILTER_BYTES = 4096 * INSTRUCTION_BYTES;

/**
 * Compiled seccomp filters. Compiling Docker's profile for three architectures takes libseccomp 10 to 20 ms, more than
 * all the rest of a container's start; the result depends on the rules alone, and crun leaves it in its state. So the
 * first container of each profile teaches us the filter and the later ones bring it along.
 */
export class SeccompFilters {
  readonly #filters = new Map<string, string>();

  /** `spec` with its filter, when it is known and the runtime takes one. */
  withFilter(spec: RuntimeSpec, runtime: OciRuntime): RuntimeSpec {
    const { seccomp } = spec.linux;
    const filter = seccomp && runtime.takesFilters ? this.#filters.get(keyOf(seccomp)) : undefined;
    if (filter === undefined) return spec;
    return { ...spec, annotations: { ...spec.annotations, [FILTER_ANNOTATION]: filter } };
  }

  /** Keeps the filter of the container `id`, made from `spec`, whose process has been set up. */
  learn(id: string, spec: RuntimeSpec, runtime: OciRuntime): void {
    const { seccomp } = spec.linux;
    if (!seccomp || !runtime.takesFilters || this.#filters.size >= MAX_FILTERS) return;
    const key = keyOf(seccomp);
    if (this.#filters.has(key)) return;
    const filter = findFilter(join(runtime.root, id, "seccomp.bpf"));
    if (filter) this.#filters.set(key, filter.toString("base64"));
  }
}

function keyOf(seccomp: SpecSeccomp): string {
  return JSON.stringify(seccomp);
}

function findFilter(path: string): Buffer | undefined {
  try {
    const bytes = readFileSync(path);
    const isFilter = bytes.length > 0 && bytes.length % INSTRUCTION_BYTES === 0;
    return isFilter && bytes.length <= MAX_FILTER_BYTES ? bytes : undefined;
  } catch (error) {
    if (isErrno(error, "ENOENT")) return undefined;
    throw error;
  }
}
