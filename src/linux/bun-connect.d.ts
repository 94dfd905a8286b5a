import type { FdSocketOptions, Socket } from "bun";

/** Bun's own types leave out that `connect` takes over an open file descriptor. */
declare module "bun" {
  function connect<Data = undefined>(options: FdSocketOptions<Data>): Promise<Socket<Data>>;
}
