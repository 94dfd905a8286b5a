import assert from "node:assert/strict";
import Docker from "dockerode";
import { Agent, WebSocket } from "undici";
import { serveFacts } from "./serve-facts.mjs";

const socketPath = process.env.DARSE_SOCKET;
const docker = new Docker({ socketPath });
const dispatcher = new Agent({ connect: { socketPath } });

/** An open WebSocket with what it has heard, and its end. */
async function attach(id, query, version = "") {
  const socket = new WebSocket(`ws://engine${version}/containers/${id}/attach/ws?${query}`, { dispatcher });
  socket.binaryType = "arraybuffer";
  const heard = { text: "", kinds: new Set() };
  socket.addEventListener("message", ({ data }) => {
    heard.kinds.add(typeof data === "string" ? "text" : "binary");
    heard.text += typeof data === "string" ? data : new TextDecoder().decode(data);
  });
  const closed = new Promise((resolve) => socket.addEventListener("close", ({ code }) => resolve(code)));
  await new Promise((resolve, reject) => {
    socket.addEventListener("open", resolve);
    socket.addEventListener("error", ({ error }) => reject(error ?? new Error("cannot open")));
  });
  const hears = async (wanted) => {
    for (let left = 200; left > 0 && !heard.text.includes(wanted); left--) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    assert.ok(heard.text.includes(wanted), `heard ${JSON.stringify(heard.text)}, not ${wanted}`);
  };
  return { socket, heard, closed, hears };
}

async function withContainer(options, work) {
  const container = await docker.createContainer({ Image: "busybox", ...options });
  try {
    return await work(container);
  } finally {
    await container.remove({ force: true });
  }
}

await serveFacts({
  async "attached before the start, it gets every byte and a normal close"() {
    await withContainer({ Cmd: ["sh", "-c", "echo out; echo err >&2"] }, async (container) => {
      const { heard, closed } = await attach(container.id, "stream=1&stdout=1&stderr=1");
      await container.start();
      assert.equal(await closed, 1000);
      assert.match(heard.text, /^(out\nerr\n|err\nout\n)$/);
      assert.deepEqual([...heard.kinds], ["binary"]);
    });
  },

  async "what is sent is the container's input, text or binary, small or large"() {
    await withContainer({ Cmd: ["cat"], OpenStdin: true }, async (container) => {
      await container.start();
      const { socket, heard, hears } = await attach(container.id, "stream=1&stdin=1&stdout=1");
      socket.send("text\n");
      socket.send(new TextEncoder().encode("binary\n"));
      socket.send(`${"x".repeat(200_000)}\n`);
      await hears("x\n");
      assert.equal(heard.text.length, "text\nbinary\n".length + 200_001);
      socket.close();
    });
  },

  async "closing is the end of input where it is read once"() {
    const options = { Cmd: ["sh", "-c", "cat >/dev/null; exit 7"], OpenStdin: true, StdinOnce: true };
    await withContainer(options, async (container) => {
      await container.start();
      const { socket, closed } = await attach(container.id, "stream=1&stdin=1&stdout=1");
      socket.send("last words\n");
      socket.close();
      await closed;
      assert.deepEqual(await container.wait(), { StatusCode: 7 });
    });
  },

  async "only the streams that are asked for are joined, from API 1.42"() {
    await withContainer({ Cmd: ["sh", "-c", "echo out; echo err >&2"] }, async (container) => {
      const { heard, closed } = await attach(container.id, "stream=1&stderr=1");
      await container.start();
      await closed;
      assert.equal(heard.text, "err\n");
    });
  },

  async "before API 1.42 all streams are joined, before 1.28 as text"() {
    for (const [version, kind] of [["/v1.41", "binary"], ["/v1.24", "text"]]) {
      await withContainer({ Cmd: ["echo", "said"] }, async (container) => {
        const { heard, closed } = await attach(container.id, "stream=1", version);
        await container.start();
        await closed;
        assert.deepEqual([heard.text, [...heard.kinds]], ["said\n", [kind]]);
      });
    }
  },

  async "logs=1 replays what was said"() {
    await withContainer({ Cmd: ["echo", "said"] }, async (container) => {
      await container.start();
      await container.wait();
      const { heard, closed } = await attach(container.id, "logs=1&stdout=1");
      assert.equal(await closed, 1000);
      assert.equal(heard.text, "said\n");
    });
  },

  async "the detach keys end it and leave the process running"() {
    await withContainer({ Cmd: ["cat"], Tty: true, OpenStdin: true }, async (container) => {
      await container.start();
      const { socket, closed } = await attach(container.id, "stream=1&stdin=1&stdout=1");
      socket.send("\x10\x11");
      assert.equal(await closed, 1000);
      assert.equal((await container.inspect()).State.Running, true);
    });
  },
});
