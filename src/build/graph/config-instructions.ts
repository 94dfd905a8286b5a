import { posix } from "node:path";
import { parseSignal } from "#runtime/signals.ts";
import type {
  ArgInstruction,
  Command,
  CopyInstruction,
  HealthcheckInstruction,
  Pair,
  RunInstruction,
  StageInstruction,
  Word,
} from "../dockerfile/instruction.ts";
import { healthcheckText, quotedList } from "./history-text.ts";
import { parseExposedPorts } from "./ports.ts";
import type { StageBuilder } from "./stage-builder.ts";

const DEFAULT_SHELL = ["/bin/sh", "-c"];

/** Instructions that change the configuration; WORKDIR also makes its directory. */
export function applyConfigInstruction(
  stage: StageBuilder,
  instruction: Exclude<StageInstruction, RunInstruction | CopyInstruction>,
): void {
  switch (instruction.kind) {
    case "ENV":
      return applyEnv(stage, instruction.pairs);
    case "LABEL":
      return applyLabel(stage, instruction.pairs);
    case "ARG":
      return applyArg(stage, instruction);
    case "CMD": {
      const args = shellArgs(stage, instruction.command);
      stage.config.cmd = args;
      stage.config.argsEscaped = true;
      stage.hasCommand = true;
      return stage.note(`CMD ${quotedList(args)}`);
    }
    case "ENTRYPOINT": {
      const args = shellArgs(stage, instruction.command);
      stage.config.entrypoint = args;
      if (!stage.hasCommand) delete stage.config.cmd;
      return stage.note(`ENTRYPOINT ${quotedList(args)}`);
    }
    case "EXPOSE":
      return applyExpose(stage, instruction.ports);
    case "VOLUME":
      return applyVolume(stage, instruction.paths);
    case "WORKDIR":
      return applyWorkdir(stage, instruction.value);
    case "USER": {
      const user = stage.expand(instruction.value);
      stage.config.user = user;
      return stage.note(`USER ${user}`);
    }
    case "STOPSIGNAL":
      return applyStopSignal(stage, instruction.value);
    case "SHELL":
      stage.config.shell = instruction.shell;
      return stage.note(`SHELL [${instruction.shell.join(" ")}]`);
    case "MAINTAINER":
      stage.author = instruction.author;
      return stage.note(`MAINTAINER ${instruction.author}`);
    case "HEALTHCHECK":
      return applyHealthcheck(stage, instruction);
    case "ONBUILD":
      stage.config.onBuild = [...(stage.config.onBuild ?? []), instruction.trigger];
      return stage.note(`ONBUILD ${instruction.trigger}`);
  }
}

/** The command line: as given, or the text for the shell in force. */
export function shellArgs(stage: StageBuilder, command: Command): readonly string[] {
  if (command.form === "exec") return command.args;
  return [...shellOf(stage), command.text];
}

export function shellOf(stage: StageBuilder): readonly string[] {
  return stage.config.shell ?? DEFAULT_SHELL;
}

/** All values see the environment from before the instruction. */
function applyEnv(stage: StageBuilder, pairs: readonly Pair[]): void {
  for (const { name } of pairs) warnOfSecret(stage, "ENV", name);
  const values = expandPairs(stage, pairs);
  stage.env = stage.env.with(values);
  stage.note(`ENV ${values.map((pair) => pair.join("=")).join(" ")}`);
}

function applyLabel(stage: StageBuilder, pairs: readonly Pair[]): void {
  const values = expandPairs(stage, pairs);
  stage.config.labels = new Map([...(stage.config.labels ?? []), ...values]);
  stage.note(`LABEL ${values.map((pair) => pair.join("=")).join(" ")}`);
}

function expandPairs(stage: StageBuilder, pairs: readonly Pair[]): [string, string][] {
  return pairs.map(({ name, value }) => {
    const key = stage.expand(name);
    if (key === "") throw stage.fail(name.range, "names can not be blank");
    return [key, stage.expand(value)];
  });
}

function applyArg(stage: StageBuilder, { args }: ArgInstruction): void {
  const { options, globals } = stage.context;
  const texts = args.map(({ name: word, value }) => {
    const name = stage.expand(word);
    warnOfSecret(stage, "ARG", word);
    const given = options.buildArgs.use(name);
    const inherited = value === undefined && given === undefined ? globals.get(name) : undefined;
    const found = given ?? (value === undefined ? inherited : stage.expand(value));
    stage.args.set(name, found);
    return found === undefined ? name : `${name}=${found}`;
  });
  stage.note(`ARG ${texts.join(" ")}`);
}

/** Words that name what must not be in an image. BuildKit's lint rule SecretsUsedInArgOrEnv. */
const SECRET_WORDS = /(?:^|_)(?:apikey|auth|credentials?|key|password|pword|passwd|secret|token)(?:$|_)/i;

function warnOfSecret(stage: StageBuilder, kind: "ARG" | "ENV", { text, range }: Word): void {
  if (!SECRET_WORDS.test(text) || /(?:^|_)public(?:$|_)/i.test(text)) return;
  stage.warn(
    range,
    `Do not use ARG or ENV instructions for sensitive data: ${kind} "${text}" stays in the image`,
  );
}

function applyExpose(stage: StageBuilder, words: readonly Word[]): void {
  const ports = words.flatMap((word) =>
    stage.expandWords(word).flatMap((text) => {
      const found = parseExposedPorts(text);
      if (found === undefined) {
        throw stage.fail(
          word.range,
          `invalid containerPort: ${text}: expected a port of 1 to 65535, as in 80, 8000-8010 or 53/udp`,
        );
      }
      return found;
    }),
  );
  stage.config.exposedPorts = [...new Set([...(stage.config.exposedPorts ?? []), ...ports])].toSorted();
  stage.note(`EXPOSE [${ports.join(" ")}]`);
}

function applyVolume(stage: StageBuilder, words: readonly Word[]): void {
  const paths = words.map((word) => {
    const path = stage.expand(word).trim();
    if (path === "") throw stage.fail(word.range, "VOLUME specified can not be an empty string");
    return path;
  });
  stage.config.volumes = [...new Set([...(stage.config.volumes ?? []), ...paths])].toSorted();
  stage.note(`VOLUME [${paths.join(" ")}]`);
}

/** Descriptors of the engine lie there (CVE-2024-21626): a directory of that name is never what is meant. */
const DESCRIPTOR_PATH = /^\/proc\/(?:self|thread-self|\d+)(?:\/task\/\d+)?\/fd(?:\/|$)|^\/dev\/fd(?:\/|$)/;

function applyWorkdir(stage: StageBuilder, word: Word): void {
  const path = posix.resolve(stage.cwd, stage.expand(word));
  if (DESCRIPTOR_PATH.test(path)) {
    throw stage.fail(word.range, `cannot use "${path}" as working directory: it names a file descriptor`);
  }
  stage.config.workingDir = path;
  const text = `WORKDIR ${path}`;
  if (path === "/") return stage.note(text);
  stage.work({ kind: "directory", path, user: stage.config.user ?? "" }, [], {
    createdBy: text,
    title: text,
  });
}

function applyStopSignal(stage: StageBuilder, word: Word): void {
  const signal = stage.expand(word);
  try {
    parseSignal(signal);
  } catch (error) {
    throw stage.fail(word.range, error instanceof Error ? error.message : `invalid signal: ${signal}`);
  }
  stage.config.stopSignal = signal;
  stage.note(`STOPSIGNAL ${signal}`);
}

function applyHealthcheck(stage: StageBuilder, instruction: HealthcheckInstruction): void {
  const { command, intervalNs, timeoutNs, startPeriodNs, startIntervalNs, retries } = instruction;
  const test =
    command === undefined
      ? ["NONE"]
      : command.form === "exec"
        ? ["CMD", ...command.args]
        : ["CMD-SHELL", command.text];
  const health = {
    test,
    ...(intervalNs > 0 && { intervalNs }),
    ...(timeoutNs > 0 && { timeoutNs }),
    ...(startPeriodNs > 0 && { startPeriodNs }),
    ...(startIntervalNs > 0 && { startIntervalNs }),
    ...(retries > 0 && { retries }),
  };
  stage.config.healthcheck = health;
  stage.note(healthcheckText(health));
}
