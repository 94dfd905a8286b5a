/**
 * A program for tests, run inside a network namespace:
 *
 *     serve tcp|udp ADDRESS PORT     prints "ready"; answers everybody with the address they come from
 *     ask tcp|udp ADDRESS PORT [OWN]  from the UDP port OWN; prints the answer, or the error's code, or "silence"
 */
import { createSocket } from "node:dgram";
import { connect, createServer } from "node:net";

/** Time for the kernel to ask twice. */
const SILENCE_MS = 1500;
const [verb, protocol, address = "", port = "", own = "0"] = process.argv.slice(2);

if (verb === "serve") serve();
else ask();

function serve(): void {
  const ready = (): void => void process.stdout.write("ready\n");
  if (protocol === "tcp") {
    createServer((socket) => {
      socket.on("error", () => undefined);
      socket.end(`${socket.remoteAddress}`);
    }).listen(Number(port), address, ready);
  } else {
    const socket = createSocket(address.includes(":") ? "udp6" : "udp4");
    socket.on("message", (_, from) => socket.send(from.address, from.port, from.address));
    socket.bind(Number(port), address, ready);
  }
}

function ask(): void {
  const answer = (text: string): void => {
    process.stdout.write(text);
    process.exit();
  };
  setTimeout(() => answer("silence"), SILENCE_MS);
  if (protocol === "tcp") {
    const socket = connect(Number(port), address);
    socket.on("data", (data) => answer(data.toString()));
    socket.on("error", (error) => answer("code" in error ? String(error.code) : error.message));
  } else {
    const socket = createSocket(address.includes(":") ? "udp6" : "udp4");
    socket.on("message", (data) => answer(data.toString()));
    socket.on("error", (error) => answer(error.message));
    socket.bind(Number(own), () => socket.send("?", Number(port), address));
  }
}
