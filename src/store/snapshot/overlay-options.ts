import { EngineError } from "#base/errors.ts";

/** `OVL_MAX_STACK` of the kernel: no more layers below one mount. */
export const MAX_LOWER_LAYERS = 500;

/** mount(2) copies one page of options, its last byte being the end mark. */
const MAX_OPTION_BYTES = 4095;

/**
 * What Docker and containerd set, so that an upper directory is a whole and plain record of changes whatever the kernel's
 * defaults: no hard-link index (an upper directory may be used again after a crash), no renamed directories by reference
 * and no metadata without its data, which only the same stack of layers could read.
 */
const FIXED = "index=off,redirect_dir=off,metacopy=off";

export interface OverlayStack {
  /** Uppermost first; relative to the directory that mount is called in. */
  readonly lower: readonly string[];
  /** Absent for a read-only view. */
  readonly writable?: { readonly upper: string; readonly work: string };
}

/**
 * The options of an overlay mount. Kernel, Documentation/filesystems/overlayfs.rst.
 *
 * @throws {EngineError} unsupported when there are more layers than the kernel takes
 */
export function overlayOptions({ lower, writable }: OverlayStack): string {
  if (lower.length > MAX_LOWER_LAYERS) {
    throw new EngineError(
      "unsupported",
      `Cannot mount ${lower.length} layers: the kernel stacks at most ${MAX_LOWER_LAYERS}`,
      { hint: "merge layers of the image, for example with a multi-stage build" },
    );
  }
  const layers = `lowerdir=${lower.join(":")}`;
  const upper = writable === undefined ? "" : `,upperdir=${writable.upper},workdir=${writable.work}`;
  const options = `${layers}${upper},${FIXED}`;
  if (options.length > MAX_OPTION_BYTES) {
    throw new EngineError(
      "unsupported",
      `Cannot mount ${lower.length} layers: their names take ${options.length} bytes, mount takes ${MAX_OPTION_BYTES}`,
      { hint: "merge layers of the image, for example with a multi-stage build" },
    );
  }
  return options;
}
