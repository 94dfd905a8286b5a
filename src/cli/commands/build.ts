import { writeFileSync } from "node:fs";
import type { Query } from "#api/http-call.ts";
import { EngineError } from "#base/errors.ts";
import { canonicalReference } from "#oci/reference.ts";
import { prepareBuild } from "../build-input.ts";
import { showBuildLive } from "../build-view.ts";
import { type CommandContext, command } from "../command.ts";
import { configHeader } from "../config/auth-headers.ts";
import type { FlagSpecs, FlagValues } from "../flags.ts";
import type { Output } from "../output.ts";
import { showProgress } from "../progress-view.ts";
import { parseExtraHost } from "../specs/host-names.ts";
import { cutAt, parseKeyValues } from "../specs/key-values.ts";
import { platformOf } from "../specs/platform.ts";
import { parseUlimit } from "../specs/resources.ts";

const flags = {
  addHost: { type: "list", help: 'Add a custom host-to-IP mapping ("host:ip")' },
  buildArg: { type: "list", help: "Set build-time variables" },
  cacheFrom: { type: "strings", help: "Images to consider as cache sources" },
  cgroupParent: { type: "string", help: 'Set the parent cgroup for the "RUN" instructions during build' },
  compress: { type: "bool", help: "Compress the build context using gzip" },
  cpuPeriod: { type: "int", help: "Limit the CPU CFS (Completely Fair Scheduler) period" },
  cpuQuota: { type: "int", help: "Limit the CPU CFS (Completely Fair Scheduler) quota" },
  cpuShares: { type: "int", short: "c", help: "CPU shares (relative weight)" },
  cpusetCpus: { type: "string", help: "CPUs in which to allow execution (0-3, 0,1)" },
  cpusetMems: { type: "string", help: "MEMs in which to allow execution (0-3, 0,1)" },
  disableContentTrust: { type: "bool", default: true, help: "Skip image verification" },
  file: { type: "string", short: "f", help: 'Name of the Dockerfile (Default is "PATH/Dockerfile")' },
  forceRm: { type: "bool", help: "Always remove intermediate containers" },
  iidfile: { type: "string", help: "Write the image ID to the file" },
  isolation: { type: "string", help: "Container isolation technology" },
  label: { type: "list", help: "Set metadata for an image" },
  memory: { type: "bytes", short: "m", help: "Memory limit" },
  memorySwap: {
    type: "bytes",
    help: "Swap limit equal to memory plus swap: -1 to enable unlimited swap",
  },
  network: {
    type: "string",
    defaultText: '"default"',
    help: "Set the networking mode for the RUN instructions during build",
  },
  noCache: { type: "bool", help: "Do not use cache when building the image" },
  platform: { type: "string", help: "Set platform if server is multi-platform capable" },
  progress: {
    type: "string",
    defaultText: '"auto"',
    help: 'Type of progress output ("auto", "plain", "quiet")',
  },
  pull: { type: "bool", help: "Always attempt to pull a newer version of the image" },
  quiet: { type: "bool", short: "q", help: "Suppress the build output and print image ID on success" },
  rm: { type: "bool", default: true, help: "Remove intermediate containers after a successful build" },
  securityOpt: { type: "strings", help: "Security options" },
  shmSize: { type: "bytes", help: 'Size of "/dev/shm"' },
  squash: { type: "bool", help: "Squash newly built layers into a single new layer" },
  tag: { type: "list", short: "t", help: 'Name and optionally a tag in the "name:tag" format' },
  target: { type: "string", help: "Set the target build stage to build." },
  ulimit: { type: "list", metavar: "ulimit", defaultText: "[]", help: "Ulimit options" },
} as const satisfies FlagSpecs;

type BuildFlags = FlagValues<typeof flags>;

export const build = command({
  usage: "[OPTIONS] PATH | URL | -",
  arguments: { min: 1, max: 1 },
  flags,
  async run([path = ""], values, context) {
    const query = buildQuery(values, context.env, context.settings().proxyVariables);
    const { body, remote, dockerfile } = await prepareBuild({
      context: path,
      file: values.file,
      workingDirectory: process.cwd(),
      input: context.input,
    });
    checkProgress(values.progress);
    const isQuiet = values.quiet || values.progress === "quiet";
    const log = isQuiet ? new HeldOutput() : undefined;
    let imageId = "";
    try {
      const parameters = { ...query, remote, dockerfile, q: isQuiet };
      const messages = context.client.images.build(parameters, body, await configHeader(context));
      const onAux = (aux: unknown): void => {
        imageId = idOf(aux) ?? imageId;
      };
      const isLive = context.out.isTerminal && !log && values.progress !== "plain";
      if (isLive) await showBuildLive(messages, context.out, { now: context.now, onAux });
      else await showProgress(messages, log ?? context.out, { onAux });
    } catch (error) {
      if (log) context.error.write(log.text);
      throw error;
    }
    finish(context, { imageId, iidFile: values.iidfile, isQuiet });
    return 0;
  },
});

/** @throws {EngineError} invalid */
function checkProgress(value: string | undefined): void {
  if (value === undefined || ["auto", "plain", "tty", "quiet"].includes(value)) return;
  throw new EngineError("invalid", `invalid progress mode "${value}": it is auto, plain or quiet`);
}

function finish(
  context: CommandContext,
  { imageId, iidFile, isQuiet }: { imageId: string; iidFile: string | undefined; isQuiet: boolean },
): void {
  if (iidFile !== undefined) {
    if (imageId === "") {
      throw new EngineError(
        "internal",
        `Cannot write ${iidFile}: the engine did not name the image it built`,
      );
    }
    writeFileSync(iidFile, imageId);
  }
  if (isQuiet) context.out.write(`${imageId}\n`);
}

/** The parameters of `POST /build`. @throws {EngineError} invalid */
export function buildQuery(
  values: BuildFlags,
  env: Readonly<Record<string, string | undefined>>,
  defaults: readonly (readonly [string, string])[] = [],
): Query {
  for (const name of values.tag) canonicalReference(name);
  const json = (value: object): string | undefined =>
    Object.keys(value).length > 0 ? JSON.stringify(value) : undefined;
  return {
    t: values.tag,
    nocache: values.noCache,
    pull: values.pull,
    rm: values.rm,
    forcerm: values.forceRm,
    memory: values.memory,
    memswap: values.memorySwap,
    cpushares: values.cpuShares,
    cpuperiod: values.cpuPeriod,
    cpuquota: values.cpuQuota,
    cpusetcpus: values.cpusetCpus,
    cpusetmems: values.cpusetMems,
    cgroupparent: values.cgroupParent,
    shmsize: values.shmSize,
    labels: json(parseKeyValues(values.label)),
    buildargs: json({ ...Object.fromEntries(defaults), ...buildArgs(values.buildArg, env) }),
    networkmode: values.network,
    extrahosts: values.addHost.length > 0 ? values.addHost.map(parseExtraHost).join(",") : undefined,
    cachefrom: json(values.cacheFrom),
    securityopt: json(values.securityOpt),
    ulimits: json(values.ulimit.map(parseUlimit)),
    squash: values.squash ? true : undefined,
    platform: platformOf(values.platform, { env }),
    target: values.target,
    version: "1",
  };
}

/** `KEY` alone takes its value from our environment; without one there it is `null`: unset. */
function buildArgs(
  entries: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Record<string, string | null> {
  return Object.fromEntries(
    entries.map((entry) => {
      const [key, value] = cutAt(entry, "=");
      return [key, value ?? env[key] ?? null];
    }),
  );
}

/** `{"ID": "sha256:…"}` */
function idOf(aux: unknown): string | undefined {
  if (typeof aux !== "object" || aux === null || !("ID" in aux)) return undefined;
  return typeof aux.ID === "string" ? aux.ID : undefined;
}

/** Keeps what a quiet build would have printed, for when it fails. */
class HeldOutput implements Output {
  readonly isTerminal = false;
  text = "";

  columns(): number {
    return 80;
  }

  stream(): Promise<void> {
    return Promise.resolve();
  }

  write(text: string): void {
    this.text += text;
  }
}
