import type { Digest } from "#oci/digest.ts";

/** COPY and ADD. */
export interface CopyOperation {
  readonly kind: "copy";
  readonly sources: readonly CopySource[];
  /** Absolute; a slash at the end says that it is a directory. */
  readonly destination: string;
  /** `user[:group]`, names looked up in the file system that is written to. */
  readonly chown?: string;
  readonly chmod?: ModeChange;
  /** Ignore patterns relative to each source. */
  readonly excludes: readonly string[];
  readonly keepsParents: boolean;
  /** `auto` unpacks what is recognised as an archive; COPY never unpacks. */
  readonly unpack: "auto" | "never";
}

export type CopySource =
  /** From the build context. The digest of what is selected there is known before the build runs. */
  | {
      readonly from: "context";
      readonly path: string;
      readonly content: Digest;
      /** A wildcard that matches nothing, among others that do. */
      readonly isEmpty: boolean;
    }
  /** From the file system of `inputs[input]`. */
  | { readonly from: "input"; readonly input: number; readonly path: string }
  | { readonly from: "text"; readonly name: string; readonly text: string };

/** `--chmod`: the mode itself, or symbolic changes applied in order. */
export type ModeChange =
  | { readonly kind: "octal"; readonly mode: number }
  | { readonly kind: "symbolic"; readonly clauses: readonly ModeClause[] };

export interface ModeClause {
  /** Which of the three triples. */
  readonly who: { readonly user: boolean; readonly group: boolean; readonly other: boolean };
  readonly operator: "+" | "-" | "=";
  /** Some of `rwxXst`, or one of `u`, `g`, `o` to copy from. */
  readonly permissions: string;
}

/** Reads `0755`, `755`, `u=rwX,go=rX`; `undefined` when it is neither. POSIX chmod(1). */
export function parseModeChange(text: string): ModeChange | undefined {
  if (/^[0-7]{1,4}$/.test(text)) return { kind: "octal", mode: Number.parseInt(text, 8) };
  if (text.length > 200) return undefined;
  const clauses: ModeClause[] = [];
  for (const part of text.split(",")) {
    const match = /^([ugoa]*)((?:[+=-][rwxXst]*|[+=-][ugo])+)$/.exec(part);
    if (match === null) return undefined;
    const [, who = "", actions = ""] = match;
    const isAll = who === "" || who.includes("a");
    for (const [, operator, permissions = ""] of actions.matchAll(/([+=-])([rwxXst]*|[ugo])(?=[+=-]|$)/g)) {
      if (operator !== "+" && operator !== "-" && operator !== "=") return undefined;
      clauses.push({
        who: {
          user: isAll || who.includes("u"),
          group: isAll || who.includes("g"),
          other: isAll || who.includes("o"),
        },
        operator,
        permissions,
      });
    }
  }
  return { kind: "symbolic", clauses };
}

/** `mode` (0o7777) after `change`. */
export function changeMode(mode: number, change: ModeChange, isDirectory: boolean): number {
  if (change.kind === "octal") return change.mode;
  return change.clauses.reduce((current, clause) => applyClause(current, clause, isDirectory), mode);
}

function applyClause(mode: number, { who, operator, permissions }: ModeClause, isDirectory: boolean): number {
  const hasExecute = isDirectory || (mode & 0o111) !== 0;
  const triple = tripleOf(mode, permissions, hasExecute);
  let bits = 0;
  let mask = 0;
  const add = (isMeant: boolean, shift: number): void => {
    if (!isMeant) return;
    bits |= triple << shift;
    mask |= 0o7 << shift;
  };
  add(who.user, 6);
  add(who.group, 3);
  add(who.other, 0);
  const special =
    (permissions.includes("s") ? (who.user ? 0o4000 : 0) | (who.group ? 0o2000 : 0) : 0) |
    (permissions.includes("t") ? 0o1000 : 0);
  if (operator === "+") return mode | bits | special;
  if (operator === "-") return mode & ~(bits | special);
  return (mode & ~mask) | bits | special;
}

function tripleOf(mode: number, permissions: string, hasExecute: boolean): number {
  if (permissions === "u") return (mode >> 6) & 7;
  if (permissions === "g") return (mode >> 3) & 7;
  if (permissions === "o") return mode & 7;
  let triple = 0;
  if (permissions.includes("r")) triple |= 4;
  if (permissions.includes("w")) triple |= 2;
  if (permissions.includes("x") || (permissions.includes("X") && hasExecute)) triple |= 1;
  return triple;
}
