import { decodeHealthcheck, encodeHealthcheck, type HealthcheckConfig } from "#oci/image-config.ts";
import {
  type Decoded,
  type Field,
  flag,
  keySet,
  optionalInteger,
  shortText,
  text,
  textMap,
  texts,
} from "./field-table.ts";

/** Field names and meanings: Engine API 1.56, definition ContainerConfig. */
export const CONTAINER_CONFIG = {
  hostname: text("Hostname"),
  domainname: text("Domainname"),
  user: text("User"),
  attachStdin: flag("AttachStdin"),
  attachStdout: flag("AttachStdout"),
  attachStderr: flag("AttachStderr"),
  /** `80/tcp`, `8000-8010/udp`. */
  exposedPorts: keySet("ExposedPorts", { absent: undefined }),
  tty: flag("Tty"),
  openStdin: flag("OpenStdin"),
  stdinOnce: flag("StdinOnce"),
  env: texts("Env", { absent: [] }),
  cmd: texts("Cmd"),
  healthcheck: healthcheck("Healthcheck"),
  argsEscaped: quietFlag("ArgsEscaped"),
  /** The image as the person who created the container wrote it. */
  image: text("Image"),
  volumes: keySet("Volumes"),
  workingDir: text("WorkingDir"),
  entrypoint: texts("Entrypoint"),
  networkDisabled: quietFlag("NetworkDisabled"),
  /** Only clients before API 1.44 send it here. */
  macAddress: shortText("MacAddress"),
  onBuild: texts("OnBuild"),
  labels: textMap("Labels"),
  stopSignal: shortText("StopSignal"),
  /** Seconds; -1 waits for ever. */
  stopTimeout: optionalInteger("StopTimeout", { absent: undefined }),
  shell: texts("Shell", { absent: undefined }),
} as const;

/** What runs in a container, apart from the host: the same for every machine. */
export type ContainerConfig = Decoded<typeof CONTAINER_CONFIG>;

function healthcheck(key: string): Field<HealthcheckConfig | undefined> {
  return {
    key,
    decode: (fields) => (fields.has(key) ? decodeHealthcheck(fields.object(key)) : undefined),
    encode: (value) => value && encodeHealthcheck(value),
  };
}

/** A flag that is left out when it is not set. */
function quietFlag(key: string): Field<boolean> {
  return { ...flag(key), encode: (value) => value || undefined };
}
