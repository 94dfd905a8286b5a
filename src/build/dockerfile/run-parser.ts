import { nearMatch } from "#base/near-match.ts";
import type { Instruction, MountFlag } from "./instruction.ts";
import { flagWord, type InstructionText } from "./instruction-text.ts";
import type { FlagValue } from "./flags.ts";

/** Every key that some kind of mount takes; which kind takes which is checked with the values. */
const MOUNT_KEYS = [
  "type",
  "from",
  "source",
  "src",
  "target",
  "dst",
  "destination",
  "readonly",
  "ro",
  "readwrite",
  "rw",
  "id",
  "sharing",
  "required",
  "size",
  "mode",
  "uid",
  "gid",
  "env",
];

export function parseRun(text: InstructionText): Instruction {
  const flags = text.flags({ mount: "list", network: "string", security: "string", device: "list" });
  const network = flagWord(flags.string("network"));
  const security = flagWord(flags.string("security"));
  const command = text.command();
  const isEmpty = command.form === "exec" ? command.args.length === 0 : command.text === "";
  if (isEmpty) throw text.fail("RUN requires at least one argument");
  return {
    ...text.common,
    kind: "RUN",
    command,
    mounts: flags.list("mount").map((value) => parseMount(text, value)),
    ...(network && { network }),
    ...(security && { security }),
    devices: flags.list("device"),
  };
}

function parseMount(text: InstructionText, value: FlagValue): MountFlag {
  const fields = splitCsv(value.text).map((field) => {
    const equals = field.indexOf("=");
    const key = (equals < 0 ? field : field.slice(0, equals)).toLowerCase();
    if (!MOUNT_KEYS.includes(key)) {
      const near = nearMatch(key, MOUNT_KEYS);
      const guess = near === undefined ? "" : ` (did you mean ${near}?)`;
      throw text.fail(`unexpected key '${key}' in '${field}'${guess}`, value.range);
    }
    return { key, value: equals < 0 ? undefined : field.slice(equals + 1) };
  });
  return { fields, range: value.range };
}

/** One CSV record: a field in double quotes may hold commas, a doubled quote is a quote. */
export function splitCsv(text: string): string[] {
  const fields: string[] = [];
  let field = "";
  let isQuoted = false;
  for (let index = 0; index < text.length; index++) {
    const character = text[index];
    if (character === '"' && isQuoted && text[index + 1] === '"') {
      field += character;
      index++;
    } else if (character === '"') isQuoted = !isQuoted;
    else if (character === "," && !isQuoted) {
      fields.push(field);
      field = "";
    } else field += character;
  }
  fields.push(field);
  return fields;
}
