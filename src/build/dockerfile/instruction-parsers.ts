import { parseCopy } from "./copy-parser.ts";
import { parseHealthcheck } from "./healthcheck-parser.ts";
import type { Instruction, InstructionKind, Pair, Word } from "./instruction.ts";
import { flagWord, type InstructionText } from "./instruction-text.ts";
import { parseRun } from "./run-parser.ts";

type Parser = (text: InstructionText) => Instruction;

/** How each instruction reads its arguments; ONBUILD, which holds another instruction, is read in `parse.ts`. */
export const instructionParsers: Readonly<Record<Exclude<InstructionKind, "ONBUILD">, Parser>> = {
  FROM: parseFrom,
  RUN: parseRun,
  COPY: parseCopy,
  ADD: parseCopy,
  HEALTHCHECK: parseHealthcheck,
  ARG: parseArg,
  CMD: (text) => parseCommand(text, "CMD"),
  ENTRYPOINT: (text) => parseCommand(text, "ENTRYPOINT"),
  ENV: (text) => parsePairs(text, "ENV"),
  LABEL: (text) => parsePairs(text, "LABEL"),
  EXPOSE: parseExpose,
  VOLUME: parseVolume,
  WORKDIR: (text) => parseSingle(text, "WORKDIR"),
  USER: (text) => parseSingle(text, "USER"),
  STOPSIGNAL: (text) => parseSingle(text, "STOPSIGNAL"),
  MAINTAINER: parseMaintainer,
  SHELL: parseShell,
};

const STAGE_NAME = /^[a-z][a-z0-9-_.]*$/;

function parseFrom(text: InstructionText): Instruction {
  const platform = flagWord(text.flags({ platform: "string" }).string("platform"));
  const [image, as, given, ...more] = text.wordsAtBlanks();
  const isNamed = as !== undefined && /^as$/i.test(as.text) && given !== undefined;
  if (image === undefined || more.length > 0 || (as !== undefined && !isNamed)) {
    throw text.fail("FROM requires either one or three arguments", (as ?? text.restWord()).range);
  }
  const name = given && { text: given.text.toLowerCase(), range: given.range };
  if (name !== undefined && !STAGE_NAME.test(name.text)) {
    throw text.fail(
      `invalid name for build stage: "${given?.text}", name can't start with a number or contain symbols`,
      name.range,
    );
  }
  return { ...text.common, kind: "FROM", image, ...(platform && { platform }), ...(name && { name }) };
}

function parseArg(text: InstructionText): Instruction {
  const words = text.quotedWords();
  if (words.length === 0) throw text.fail("ARG requires at least one argument");
  const args = words.map((word) => {
    const equals = word.text.indexOf("=");
    if (equals < 0) return { name: text.word(word) };
    const { name, value } = splitPair(text, word, equals);
    if (name.text === "") throw text.fail("ARG names can not be blank", text.word(word).range);
    return { name, value };
  });
  return { ...text.common, kind: "ARG", args };
}

function parseCommand(text: InstructionText, kind: "CMD" | "ENTRYPOINT"): Instruction {
  text.flags({});
  return { ...text.common, kind, command: text.command() };
}

/** `k=v k=v …`, or the old form `k rest of the line`. */
function parsePairs(text: InstructionText, kind: "ENV" | "LABEL"): Instruction {
  text.flags({});
  const words = text.quotedWords();
  const [first] = words;
  if (first === undefined) throw text.fail(`${kind} requires at least one argument`);
  if (!first.text.includes("=")) return { ...text.common, kind, pairs: [oldPair(text, first.end)] };
  const pairs = words.map((word) => {
    const equals = word.text.indexOf("=");
    if (equals < 0) {
      throw text.fail(
        `Syntax error - can't find = in "${word.text.slice(0, 200)}". Must be of the form: name=value`,
        text.word(word).range,
      );
    }
    const pair = splitPair(text, word, equals);
    if (pair.name.text === "") throw text.fail(`${kind} names can not be blank`, text.word(word).range);
    return pair;
  });
  return { ...text.common, kind, pairs };
}

function oldPair(text: InstructionText, nameEnd: number): Pair {
  const { statement, argumentsAt } = text;
  const rest = statement.text.slice(nameEnd);
  const start = nameEnd + rest.length - rest.trimStart().length;
  if (start >= statement.text.length) throw text.fail(`${text.kind} must have two arguments`);
  return {
    name: text.word({ text: statement.text.slice(argumentsAt, nameEnd), start: argumentsAt, end: nameEnd }),
    value: text.word({ text: statement.text.slice(start), start, end: statement.text.length }),
  };
}

function splitPair(
  text: InstructionText,
  word: { text: string; start: number; end: number },
  equals: number,
): Pair {
  const at = word.start + equals;
  return {
    name: text.word({ text: word.text.slice(0, equals), start: word.start, end: at }),
    value: text.word({ text: word.text.slice(equals + 1), start: at + 1, end: word.end }),
  };
}

function parseExpose(text: InstructionText): Instruction {
  text.flags({});
  const ports = text.wordsAtBlanks();
  if (ports.length === 0) throw text.fail("EXPOSE requires at least one argument");
  return { ...text.common, kind: "EXPOSE", ports };
}

function parseVolume(text: InstructionText): Instruction {
  text.flags({});
  const paths = text.list();
  if (paths.length === 0) throw text.fail("VOLUME requires at least one argument");
  const blank = paths.find((path) => path.text.trim() === "");
  if (blank !== undefined) throw text.fail("VOLUME specified can not be an empty string", blank.range);
  return { ...text.common, kind: "VOLUME", paths };
}

function parseSingle(text: InstructionText, kind: "WORKDIR" | "USER" | "STOPSIGNAL"): Instruction {
  text.flags({});
  return { ...text.common, kind, value: onlyArgument(text) };
}

function onlyArgument(text: InstructionText): Word {
  const word = text.restWord();
  if (word.text === "") throw text.fail(`${text.kind} requires exactly one argument`);
  return word;
}

function parseMaintainer(text: InstructionText): Instruction {
  text.flags({});
  return { ...text.common, kind: "MAINTAINER", author: onlyArgument(text).text };
}

function parseShell(text: InstructionText): Instruction {
  text.flags({});
  const shell = text.jsonStrings();
  if (shell === undefined)
    throw text.fail("SHELL requires the arguments to be in JSON form", text.restWord().range);
  if (shell.length === 0) throw text.fail("SHELL requires at least one argument");
  return { ...text.common, kind: "SHELL", shell };
}
