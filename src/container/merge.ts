import type { HealthcheckConfig, ImageExecutionConfig } from "#oci/image-config.ts";
import type { ContainerConfig } from "./container-config.ts";

/**
 * Fills what the person left open from the image. Rules: Docker's daemon/commit.go `merge` and daemon/create.go.
 *
 * Entrypoint absent and Cmd empty: both are the image's. Cmd given, Entrypoint absent: the image's Entrypoint is kept.
 * Entrypoint given: the image's Cmd is dropped. Entrypoint `[]` blocks the image's Entrypoint but not its Cmd;
 * `[""]` is no Entrypoint at all, and drops the Cmd too.
 */
export function mergeWithImage(own: ContainerConfig, image: ImageExecutionConfig): ContainerConfig {
  const command = mergeCommand(own, image);
  const healthcheck = mergeHealthcheck(own.healthcheck, image.healthcheck);
  return {
    ...own,
    ...command,
    user: own.user ?? image.user,
    exposedPorts: union(own.exposedPorts, image.exposedPorts ?? []).toSorted(),
    volumes: union(own.volumes, image.volumes ?? []),
    env: mergeEnv(own.env ?? [], image.env ?? []),
    labels: new Map([...(image.labels ?? []), ...own.labels]),
    workingDir: own.workingDir ?? (image.workingDir || undefined),
    stopSignal: own.stopSignal ?? (image.stopSignal || undefined),
    onBuild: own.onBuild ?? image.onBuild,
    shell: own.shell ?? image.shell,
    healthcheck,
  };
}

function mergeCommand(
  own: ContainerConfig,
  image: ImageExecutionConfig,
): Pick<ContainerConfig, "entrypoint" | "cmd" | "argsEscaped"> {
  let { entrypoint, cmd, argsEscaped } = own;
  if (!entrypoint?.length) {
    if (!cmd?.length) {
      cmd = image.cmd;
      argsEscaped = image.argsEscaped ?? false;
    }
    entrypoint ??= image.entrypoint;
  }
  if (entrypoint?.length === 1 && entrypoint[0] === "") entrypoint = undefined;
  return { entrypoint, cmd, argsEscaped };
}

/** The person's list first, in its order; then those of the image whose key is not set. */
function mergeEnv(own: readonly string[], image: readonly string[]): readonly string[] {
  const keys = new Set(own.map(keyOf));
  return [...own, ...image.filter((entry) => !keys.has(keyOf(entry)))];
}

function mergeHealthcheck(
  own: HealthcheckConfig | undefined,
  image: HealthcheckConfig | undefined,
): HealthcheckConfig | undefined {
  if (own === undefined || image === undefined) return own ?? image;
  return { ...image, ...withoutZero(own) };
}

/** Zero and empty say "not set" here. */
function withoutZero(health: HealthcheckConfig): HealthcheckConfig {
  const isSet = (value: unknown): boolean => (Array.isArray(value) ? value.length > 0 : Boolean(value));
  return Object.fromEntries(Object.entries(health).filter(([, value]) => isSet(value)));
}

function union(left: readonly string[], right: readonly string[]): string[] {
  return [...new Set([...left, ...right])];
}

function keyOf(entry: string): string {
  return entry.split("=", 1)[0] ?? "";
}
