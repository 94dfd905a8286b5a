import { Fields } from "#base/decode.ts";
import { EngineError } from "#base/errors.ts";
import type { ContainerId } from "#base/ids.ts";

/** What a volume that nobody named was made for: by this the data of a container that is gone can be found. */
export interface VolumeOrigin {
  readonly container: ContainerId;
  readonly containerName: string;
  readonly image: string;
  /** Where the container has it. */
  readonly path: string;
}

export interface Volume {
  readonly name: string;
  readonly driver: "local";
  readonly labels: Readonly<Record<string, string>>;
  /** Of the driver, as they were given; see `local-options.ts`. */
  readonly options: Readonly<Record<string, string>>;
  /** Epoch milliseconds. */
  readonly createdAt: number;
  readonly origin?: VolumeOrigin;
  /** It is being renamed from this: its folder may still have that name, and so may records of containers. */
  readonly formerName?: string;
}

export interface VolumeRequest {
  /** 64 hex characters of our own when absent. */
  readonly name?: string;
  /** Only `local` is known. */
  readonly driver?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly options?: Readonly<Record<string, string>>;
  readonly origin?: VolumeOrigin;
}

/** Docker's label of a volume that nobody named. */
export const ANONYMOUS_LABEL = "com.docker.volume.anonymous";

export const VOLUME_NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/;
const MAX_NAME = 255;

/** Docker's rule and words (`daemon/volume/local`). @throws {EngineError} invalid */
export function checkVolumeName(name: string): void {
  if (name.length === 1) {
    throw new EngineError(
      "invalid",
      "volume name is too short, names should be at least two alphanumeric characters",
    );
  }
  if (VOLUME_NAME.test(name) && name.length <= MAX_NAME) return;
  throw new EngineError(
    "invalid",
    `"${name}" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. ` +
      "If you intended to pass a host directory, use absolute path",
  );
}

/** What the store of records has of a volume. */
export function decodeVolume(name: string, value: unknown): Volume {
  const fields = new Fields(value, `volume ${name}`);
  const formerName = fields.string("formerName");
  return {
    name,
    driver: "local",
    labels: Object.fromEntries(fields.stringMap("labels") ?? []),
    options: Object.fromEntries(fields.stringMap("options") ?? []),
    createdAt: fields.integer("createdAt") ?? 0,
    ...(fields.has("origin") && { origin: decodeOrigin(fields.object("origin")) }),
    ...(formerName !== undefined && { formerName }),
  };
}

function decodeOrigin(fields: Fields): VolumeOrigin {
  return {
    // Written by us, from an id.
    container: (fields.string("container") ?? "") as ContainerId,
    containerName: fields.string("containerName") ?? "",
    image: fields.string("image") ?? "",
    path: fields.string("path") ?? "",
  };
}
