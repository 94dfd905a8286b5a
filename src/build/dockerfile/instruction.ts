import type { Range } from "./source.ts";
import type { Heredoc } from "./statement.ts";

/** Text with its place. Quotes, escapes and variables are still in it unless a field says otherwise. */
export interface Word {
  readonly text: string;
  readonly range: Range;
}

export interface Pair {
  readonly name: Word;
  readonly value: Word;
}

/** A command as the JSON form or the shell form gives it; variables are left to the shell. */
export type Command =
  | { readonly form: "exec"; readonly args: readonly string[] }
  | { readonly form: "shell"; readonly text: string; readonly heredocs: readonly Heredoc[] };

export type CopySource =
  | { readonly kind: "path"; readonly path: Word }
  | { readonly kind: "heredoc"; readonly heredoc: Heredoc };

/** `--mount=…` as its fields; `build/graph/mounts.ts` gives them meaning once variables have values. */
export interface MountFlag {
  readonly fields: readonly { readonly key: string; readonly value: string | undefined }[];
  readonly range: Range;
}

interface Common {
  /** The whole instruction, without inline files. */
  readonly range: Range;
  /** As written, with continuation lines joined. */
  readonly text: string;
}

export interface FromInstruction extends Common {
  readonly kind: "FROM";
  readonly image: Word;
  readonly platform?: Word;
  /** Folded to lower case. */
  readonly name?: Word;
}

export interface RunInstruction extends Common {
  readonly kind: "RUN";
  readonly command: Command;
  readonly mounts: readonly MountFlag[];
  readonly network?: Word;
  readonly security?: Word;
  readonly devices: readonly Word[];
}

export interface CopyInstruction extends Common {
  readonly kind: "COPY" | "ADD";
  readonly sources: readonly CopySource[];
  readonly destination: Word;
  readonly from?: Word;
  readonly chown?: Word;
  readonly chmod?: Word;
  readonly checksum?: Word;
  readonly excludes: readonly Word[];
  readonly isLink: boolean;
  readonly keepsParents: boolean;
  readonly keepsGitFolder: boolean;
  readonly unpack?: boolean;
}

export interface HealthcheckInstruction extends Common {
  readonly kind: "HEALTHCHECK";
  /** `undefined` is NONE. */
  readonly command: Command | undefined;
  readonly intervalNs: number;
  readonly timeoutNs: number;
  readonly startPeriodNs: number;
  readonly startIntervalNs: number;
  readonly retries: number;
}

export interface ArgInstruction extends Common {
  readonly kind: "ARG";
  readonly args: readonly { readonly name: Word; readonly value?: Word }[];
}

export type Instruction =
  | FromInstruction
  | RunInstruction
  | CopyInstruction
  | HealthcheckInstruction
  | ArgInstruction
  | (Common & { readonly kind: "CMD" | "ENTRYPOINT"; readonly command: Command })
  | (Common & { readonly kind: "ENV" | "LABEL"; readonly pairs: readonly Pair[] })
  | (Common & { readonly kind: "EXPOSE"; readonly ports: readonly Word[] })
  | (Common & { readonly kind: "VOLUME"; readonly paths: readonly Word[] })
  | (Common & { readonly kind: "WORKDIR" | "USER" | "STOPSIGNAL"; readonly value: Word })
  | (Common & { readonly kind: "MAINTAINER"; readonly author: string })
  | (Common & { readonly kind: "SHELL"; readonly shell: readonly string[] })
  /** `trigger` is the instruction's own text, inline files included. */
  | (Common & { readonly kind: "ONBUILD"; readonly trigger: string });

export type InstructionKind = Instruction["kind"];

/** An instruction that can stand inside a stage. */
export type StageInstruction = Exclude<Instruction, FromInstruction>;

export const INSTRUCTION_KINDS: readonly InstructionKind[] = [
  "ADD",
  "ARG",
  "CMD",
  "COPY",
  "ENTRYPOINT",
  "ENV",
  "EXPOSE",
  "FROM",
  "HEALTHCHECK",
  "LABEL",
  "MAINTAINER",
  "ONBUILD",
  "RUN",
  "SHELL",
  "STOPSIGNAL",
  "USER",
  "VOLUME",
  "WORKDIR",
];
