import type { Sparse } from "./sparse.ts";

// Engine API v1.55, exec.

interface ExecConfig {
  readonly AttachStdin: boolean;
  readonly AttachStdout: boolean;
  readonly AttachStderr: boolean;
  /** [height, width] */
  readonly ConsoleSize: readonly [number, number] | null;
  readonly DetachKeys: string;
  readonly Tty: boolean;
  readonly Env: readonly string[] | null;
  readonly Cmd: readonly string[];
  readonly Privileged: boolean;
  readonly User: string;
  readonly WorkingDir: string;
  /** Older clients repeat here what `POST /exec/{id}/start` says. */
  readonly Detach: boolean;
}

/** `POST /containers/{id}/exec`; the answer is `{"Id"}`. */
export type ExecCreateRequest = Sparse<ExecConfig>;

/** `POST /exec/{id}/start` */
export type ExecStartRequest = Sparse<{
  readonly Detach: boolean;
  readonly Tty: boolean;
  readonly ConsoleSize: readonly [number, number] | null;
}>;

/** `POST /containers/{id}/exec`, `POST /commit` */
export interface IdResponse {
  readonly Id: string;
}

/** `GET /exec/{id}/json` */
export interface ExecInspect {
  readonly ID: string;
  readonly Running: boolean;
  /** `null` while it has not ended. */
  readonly ExitCode: number | null;
  readonly ProcessConfig: {
    readonly tty: boolean;
    readonly entrypoint: string;
    readonly arguments: readonly string[];
    readonly privileged: boolean;
    readonly user?: string | undefined;
  };
  readonly OpenStdin: boolean;
  readonly OpenStderr: boolean;
  readonly OpenStdout: boolean;
  readonly CanRemove: boolean;
  readonly ContainerID: string;
  readonly DetachKeys: string;
  /** 0 before the start and after the end. */
  readonly Pid: number;
}
