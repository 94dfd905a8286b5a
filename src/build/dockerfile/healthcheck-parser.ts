import { parseDuration } from "./duration.ts";
import type { Flags } from "./flags.ts";
import type { Command, Instruction } from "./instruction.ts";
import type { InstructionText } from "./instruction-text.ts";
import { parseJsonForm } from "./json-form.ts";

const MINIMUM_NS = 1e6;

export function parseHealthcheck(text: InstructionText): Instruction {
  const flags = text.flags({
    interval: "string",
    timeout: "string",
    "start-period": "string",
    "start-interval": "string",
    retries: "string",
  });
  const type = /^\S+/.exec(text.rest)?.[0];
  if (type === undefined) throw text.fail("HEALTHCHECK requires at least one argument");
  return {
    ...text.common,
    kind: "HEALTHCHECK",
    command: parseTest(text, type),
    intervalNs: duration(text, flags, "interval"),
    timeoutNs: duration(text, flags, "timeout"),
    startPeriodNs: duration(text, flags, "start-period"),
    startIntervalNs: duration(text, flags, "start-interval"),
    retries: retries(text, flags),
  };
}

function parseTest(text: InstructionText, type: string): Command | undefined {
  const rest = text.rest.slice(type.length).trimStart();
  const { statement, argumentsAt } = text;
  const range = statement.range(argumentsAt, argumentsAt + type.length);
  switch (type.toUpperCase()) {
    case "NONE":
      if (rest !== "") throw text.fail("HEALTHCHECK NONE takes no arguments", text.restWord().range);
      return undefined;
    case "CMD": {
      if (rest === "") throw text.fail("Missing command after HEALTHCHECK CMD", range);
      const form = parseJsonForm(rest);
      if (form.kind === "strings" && form.strings.length > 0) return { form: "exec", args: form.strings };
      if (form.kind === "not-strings" || form.kind === "strings") {
        throw text.fail(
          "HEALTHCHECK CMD as JSON must be a list of strings that is not empty",
          text.restWord().range,
        );
      }
      return { form: "shell", text: rest, heredocs: [] };
    }
    default:
      throw text.fail(`Unknown type "${type.slice(0, 64)}" in HEALTHCHECK (try CMD)`, range);
  }
}

function duration(text: InstructionText, flags: Flags, name: string): number {
  const value = flags.string(name);
  if (value === undefined) return 0;
  const ns = parseDuration(value.text);
  if (ns === undefined) {
    throw text.fail(
      `invalid duration "${value.text.slice(0, 64)}" for --${name}: expected a form such as 30s`,
      value.range,
    );
  }
  if (ns < 0) throw text.fail(`--${name} cannot be negative`, value.range);
  if (ns > 0 && ns < MINIMUM_NS) throw text.fail(`--${name} cannot be less than 1ms`, value.range);
  return ns;
}

function retries(text: InstructionText, flags: Flags): number {
  const value = flags.string("retries");
  if (value === undefined) return 0;
  if (!/^[+-]?\d{1,9}$/.test(value.text)) {
    throw text.fail(`invalid number "${value.text.slice(0, 64)}" for --retries`, value.range);
  }
  const count = Number(value.text);
  if (count < 0) throw text.fail("--retries cannot be negative", value.range);
  return count;
}
