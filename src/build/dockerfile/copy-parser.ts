import type { FlagTable } from "./flags.ts";
import { parseHeredocMark } from "./heredoc.ts";
import type { CopySource, Instruction, Word } from "./instruction.ts";
import { flagWord, type InstructionText } from "./instruction-text.ts";

const SHARED: FlagTable = { chown: "string", chmod: "string", link: "bool", exclude: "list" };
const COPY_FLAGS: FlagTable = { ...SHARED, from: "string", parents: "bool" };
const ADD_FLAGS: FlagTable = { ...SHARED, checksum: "string", "keep-git-dir": "bool", unpack: "bool" };

/** COPY and ADD. */
export function parseCopy(text: InstructionText): Instruction {
  const kind = text.kind === "ADD" ? "ADD" : "COPY";
  const flags = text.flags(kind === "ADD" ? ADD_FLAGS : COPY_FLAGS);
  const { sources, destination } = sourcesAndDestination(text, kind);
  const from = flagWord(flags.string("from"));
  const chown = flagWord(flags.string("chown"));
  const chmod = flagWord(flags.string("chmod"));
  const checksum = flagWord(flags.string("checksum"));
  const unpack = flags.boolean("unpack");
  if (from !== undefined && sources.some((source) => source.kind === "heredoc")) {
    throw text.fail("COPY --from cannot be used with an inline file", from.range);
  }
  return {
    ...text.common,
    kind,
    sources,
    destination,
    ...(from && { from }),
    ...(chown && { chown }),
    ...(chmod && { chmod }),
    ...(checksum && { checksum }),
    excludes: flags.list("exclude"),
    isLink: flags.boolean("link") ?? false,
    keepsParents: flags.boolean("parents") ?? false,
    keepsGitFolder: flags.boolean("keep-git-dir") ?? false,
    ...(unpack !== undefined && { unpack }),
  };
}

function sourcesAndDestination(
  text: InstructionText,
  kind: "COPY" | "ADD",
): { sources: CopySource[]; destination: Word } {
  const words = text.list();
  const destination = words.at(-1);
  if (destination === undefined) throw text.fail(`${kind} requires at least two arguments`);
  if (words.length === 1) {
    throw text.fail(
      `${kind} requires at least two arguments, but only one was provided. Destination could not be determined`,
      destination.range,
    );
  }
  if (destination.text === "") throw text.fail(`${kind} names can not be blank`, destination.range);
  if (findHeredoc(text, destination) !== undefined) {
    throw text.fail(`${kind} cannot accept a heredoc as destination`, destination.range);
  }
  const sources = words.slice(0, -1).map((word): CopySource => {
    const heredoc = findHeredoc(text, word);
    return heredoc === undefined ? { kind: "path", path: word } : { kind: "heredoc", heredoc };
  });
  return { sources, destination };
}

function findHeredoc(
  text: InstructionText,
  word: Word,
): InstructionText["statement"]["heredocs"][number] | undefined {
  const mark = parseHeredocMark(word.text, text.escape);
  return mark && text.statement.heredocs.find(({ name }) => name === mark.name);
}
