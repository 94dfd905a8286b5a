import { openDatagramClient } from "#linux/datagram-socket.ts";
import { openStreamClient } from "#linux/stream-socket.ts";
import type { OpenUpstream, UpstreamEvents, UpstreamLink } from "./exchange.ts";
import { FrameReader, framed } from "./framing.ts";

const DNS_PORT = 53;

/** Opens a way to an upstream in the network namespace of this thread. @throws {Error} when there is no route to it */
export const openUpstream: OpenUpstream = ({ address }, transport, events) => {
  if (transport === "tcp") return openStream(address, events);
  return openDatagramClient({
    address,
    port: DNS_PORT,
    received: (message) => events.received(message),
    failed: () => events.failed(),
  });
};

function openStream(address: string, events: UpstreamEvents): UpstreamLink {
  const frames = new FrameReader();
  const asked = Promise.withResolvers<Uint8Array>();
  const close = openStreamClient({
    address,
    port: DNS_PORT,
    connected: (connection) => void asked.promise.then((message) => connection.write(framed(message))),
    received: (bytes) => {
      for (const message of frames.push(bytes)) events.received(message);
    },
    closed: () => events.failed(),
  });
  return { send: asked.resolve, close };
}
