import { type FlagSpec, type FlagSpecs, flagName } from "./flags.ts";

export interface CommandHelp {
  /** `container ls` */
  readonly path: string;
  readonly usage: string;
  readonly summary: string;
  /** Every full name, the called one among them. */
  readonly aliases: readonly string[];
  readonly flags: FlagSpecs;
}

/** The help of one command in Docker's layout. `columns`: the width of the screen, 80 when it is none. */
export function commandHelp(help: CommandHelp, columns: number): string {
  const parts = [`Usage:  darse ${help.path} ${help.usage}`.trimEnd(), help.summary];
  if (help.aliases.length > 1)
    parts.push(`Aliases:\n  ${help.aliases.map((name) => `darse ${name}`).join(", ")}`);
  const options = flagUsages(help.flags, columns);
  if (options !== "") parts.push(`Options:\n${options}`);
  return `${parts.join("\n\n")}\n`;
}

/** Lines of `name  summary`, as in lists of commands. */
export function commandList(rows: readonly (readonly [string, string])[], width: number): string {
  return rows.map(([name, summary]) => `  ${name.padEnd(width)} ${summary}`).join("\n");
}

/** Every option with its help, wrapped one short of the width (spf13/pflag `FlagUsagesWrapped` as Docker calls it). */
export function flagUsages(flags: FlagSpecs, columns: number): string {
  const rows = Object.entries<FlagSpec>(flags)
    .filter(([, spec]) => !spec.hidden)
    .map(([key, spec]) => [flagHead(key, spec), spec.help + defaultText(spec)] as const);
  const width = Math.max(0, ...rows.map(([head]) => head.length)) + 3;
  return rows.map(([head, help]) => head.padEnd(width) + wrap(width, columns - 1, help)).join("\n");
}

function flagHead(key: string, spec: FlagSpec): string {
  const metavar = spec.type === "bool" ? "" : ` ${spec.metavar ?? spec.type}`;
  return `${spec.short ? `  -${spec.short}, ` : "      "}--${flagName(key)}${metavar}`;
}

function defaultText(spec: FlagSpec): string {
  if (spec.defaultText !== undefined) return ` (default ${spec.defaultText})`;
  return spec.default === true ? " (default true)" : "";
}

/** Wraps `text` at `columns`, continuation lines indented by `indent`; pflag's rules, its slop of 5 included. */
export function wrap(indent: number, columns: number, text: string): string {
  const slop = 5;
  const block = columns - indent < 24;
  const at = block ? 16 : indent;
  const width = columns - at - slop;
  if (columns - at < 24) return text;
  const pad = `\n${" ".repeat(at)}`;
  const lines: string[] = [];
  for (let rest = text; rest !== ""; ) {
    const [line, left] = cutLine(rest, width, slop);
    lines.push(line.replaceAll("\n", pad));
    rest = left;
  }
  return (block ? pad : "") + lines.join(pad);
}

function cutLine(text: string, width: number, slop: number): [string, string] {
  if (width + slop > text.length) return [text, ""];
  const head = text.slice(0, width);
  const space = Math.max(head.lastIndexOf(" "), head.lastIndexOf("\t"), head.lastIndexOf("\n"));
  if (space <= 0) return [text, ""];
  const newline = head.lastIndexOf("\n");
  const cut = newline > 0 && newline < space ? newline : space;
  return [text.slice(0, cut), text.slice(cut + 1)];
}
