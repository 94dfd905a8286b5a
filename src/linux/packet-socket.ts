import { closeFd } from "./file-descriptor.ts";

/** What a connected socket reports. `closed` comes once, after the last `received`. */
export interface PacketHandlers {
  /** One packet where the socket keeps boundaries. The bytes are the receiver's to keep. */
  received(packet: Uint8Array): void;
  /** There is room again after `send` returned false. */
  drained(): void;
  closed(): void;
}

export interface PacketSocket {
  /** False when the kernel's buffer is full: send the same bytes again after `drained`. */
  send(packet: Uint8Array): boolean;
  /** The peer reads the end; what it sends is still received. */
  shutdown(): void;
  pause(): void;
  resume(): void;
  close(): void;
}

/**
 * Takes over a connected unix socket (`connectSeqpacket`), its closing included. Each read of Bun's event loop is one
 * `recv`, so a `SOCK_SEQPACKET` socket keeps its packet boundaries.
 */
export async function openPacketSocket(fd: number, handlers: PacketHandlers): Promise<PacketSocket> {
  const socket = await Bun.connect({
    fd,
    socket: {
      data: (_socket, bytes) => handlers.received(bytes),
      drain: () => handlers.drained(),
      end: (ended) => void ended.end(),
      close: () => handlers.closed(),
      error: () => undefined,
    },
  });
  return {
    send: (packet) => socket.write(packet) > 0,
    shutdown: () => {
      socket.shutdown();
    },
    pause: () => {
      socket.pause();
    },
    resume: () => {
      socket.resume();
    },
    close: () => {
      socket.terminate();
    },
  };
}

/**
 * What comes out of the read end of a pipe, which is closed when the iteration ends, for whatever reason. Begin to
 * iterate, or close the descriptor yourself.
 */
export async function* readPipe(fd: number): AsyncGenerator<Uint8Array, void> {
  const reader = Bun.file(fd).stream().getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    await reader.cancel();
    closeFd(fd);
  }
}
