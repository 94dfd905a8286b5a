import { formatTime, type LogStream } from "./log-record.ts";
import type { LogPiece } from "./log-reader.ts";

/** Bytes for a client, all of one stream. */
export interface LogOutput {
  readonly stream: LogStream;
  readonly data: Uint8Array;
}

/**
 * A piece as clients read it: with `details` and `timestamps` the line begins with them (time first).
 *
 * @param details `key=value` pairs already joined; empty for none
 */
export function renderPiece(
  piece: LogPiece,
  { timestamps, details }: { timestamps: boolean; details: string | undefined },
): LogOutput {
  if (!piece.startsLine || (!timestamps && details === undefined)) return piece;
  const prefix = `${timestamps ? `${formatTime(piece.record.timeNs)} ` : ""}${details === undefined ? "" : `${details} `}`;
  return { stream: piece.stream, data: Buffer.concat([Buffer.from(prefix), piece.data]) };
}
