import { CATALOG, type CommandGroup, GROUPS, PROGRAMS } from "./catalog.ts";
import type { Section } from "./catalog/entry.ts";
import { globalFlags } from "./global-flags.ts";
import { commandList, flagUsages } from "./help.ts";

/** `darse --help`: the commands in sections. */
export function programHelp(columns: number): string {
  const rows = (section: Section): (readonly [string, string])[] =>
    CATALOG.filter((entry) => entry.section === section).flatMap(({ paths, summary }) => {
      const name = paths.find((path) => !path.includes(" "));
      return name === undefined ? [] : [[name, summary] as const];
    });
  const width = 11;
  const sections = [
    `Common Commands:\n${commandList(rows("Common Commands"), width)}`,
    `Management Commands:\n${commandList(
      GROUPS.map(({ name, summary }) => [name, summary] as const),
      width,
    )}`,
    `Engine Commands:\n${commandList(PROGRAMS, width)}`,
    `Commands:\n${commandList(rows("Commands").toSorted(byName), width)}`,
    `Global Options:\n${flagUsages(globalFlags, columns)}`,
  ];
  return `Usage:  darse [OPTIONS] COMMAND

A container system: run, build and share containers

${sections.join("\n\n")}

Run 'darse COMMAND --help' for more information on a command.
`;
}

const byName = ([a]: readonly [string, string], [b]: readonly [string, string]): number => (a < b ? -1 : 1);

/** `darse container`: the commands below a group. */
export function groupHelp(group: CommandGroup): string {
  const rows = CATALOG.flatMap(({ paths, section, summary }) => {
    const path = paths.find((one) => one.startsWith(`${group.name} `));
    return path === undefined || section === "Hidden"
      ? []
      : [[path.slice(group.name.length + 1), summary] as const];
  }).toSorted(byName);
  return `Usage:  darse ${group.name} COMMAND

${group.summary}

Commands:
${commandList(rows, 11)}

Run 'darse ${group.name} COMMAND --help' for more information on a command.
`;
}
