import { connect, type Socket } from "node:net";
import { expect, test } from "bun:test";
import { digestOf } from "#oci/digest.ts";
import { MEDIA_TYPE } from "#oci/media-types.ts";
import {
  bytesOf,
  errorCode,
  pushImage,
  putBlob,
  putManifest,
  type Running,
  runRegistry,
} from "./_fixtures/running-registry.ts";

const filled = (size: number, byte = 1): Uint8Array<ArrayBuffer> => new Uint8Array(size).fill(byte);

async function begin(registry: Running, repository = "app"): Promise<string> {
  return (await registry.ask("POST", `/v2/${repository}/blobs/uploads/`)).headers.get("location") ?? "";
}

test("a blob beyond the limit is refused, whether it says its length or not", async () => {
  await using registry = await runRegistry({ maxBlobBytes: 1000 });
  await putBlob(registry, "app", filled(1000));
  const told = await registry.ask("PATCH", await begin(registry), { body: filled(1001) });
  expect([told.status, await errorCode(told)]).toEqual([413, "SIZE_INVALID"]);
  const location = await begin(registry);
  expect((await registry.ask("PATCH", location, { body: filled(600) })).status).toBe(202);
  expect((await registry.ask("PATCH", location, { body: filled(600) })).status).toBe(413);
  const stream = new ReadableStream({
    start(controller) {
      controller.enqueue(filled(700));
      controller.enqueue(filled(700));
      controller.close();
    },
  });
  expect((await registry.ask("PATCH", await begin(registry), { body: stream })).status).toBe(413);
});

test("a manifest beyond the limit is refused", async () => {
  await using registry = await runRegistry({ maxManifestBytes: 1000 });
  const bytes = bytesOf(`{"schemaVersion":2,"manifests":[]${" ".repeat(1000)}}`);
  const answer = await putManifest(registry, "app/manifests/v1", bytes, MEDIA_TYPE.ociIndex);
  expect([answer.status, await errorCode(answer)]).toEqual([413, "SIZE_INVALID"]);
});

test("a full registry refuses uploads, manifests and mounts do not count twice, and deleting makes room", async () => {
  await using registry = await runRegistry({ quotas: { totalBytes: 10_000 } });
  await putBlob(registry, "app", filled(6000));
  const refused = await registry.ask("PATCH", await begin(registry), { body: filled(5000, 2) });
  expect([refused.status, await errorCode(refused)]).toEqual([403, "DENIED"]);
  const shared = digestOf(filled(6000));
  expect((await registry.ask("POST", `/v2/two/blobs/uploads/?mount=${shared}&from=app`)).status).toBe(201);
  expect(registry.storage.usage.totalBytes).toBe(6000);
});

test("uploads under way count", async () => {
  await using registry = await runRegistry({ quotas: { totalBytes: 10_000 } });
  const [one, two] = [await begin(registry), await begin(registry)];
  expect((await registry.ask("PATCH", one, { body: filled(6000) })).status).toBe(202);
  expect((await registry.ask("PATCH", two, { body: filled(6000) })).status).toBe(403);
  await registry.ask("DELETE", one);
  await registry.ask("DELETE", two);
  expect((await registry.ask("PATCH", await begin(registry), { body: filled(9000) })).status).toBe(202);
});

test("a repository has a quota of its own, of what it has, shared or not", async () => {
  await using registry = await runRegistry({ quotas: { repositoryBytes: 5000 } });
  const digest = await putBlob(registry, "one", filled(4000));
  await putBlob(registry, "two", filled(2000, 2));
  const mount = await registry.ask("POST", `/v2/two/blobs/uploads/?mount=${digest}&from=one`);
  expect([mount.status, await errorCode(mount)]).toEqual([403, "DENIED"]);
  expect((await registry.ask("PATCH", await begin(registry, "one"), { body: filled(1001, 3) })).status).toBe(
    403,
  );
  await registry.ask("DELETE", `/v2/one/blobs/${digest}`);
  await putBlob(registry, "one", filled(4500, 4));
});

test("so many uploads at once and no more", async () => {
  await using registry = await runRegistry({ maxUploads: 1 });
  const held = await begin(registry);
  const socket = await send(registry, `PATCH ${held} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n01234`);
  await until(() => registry.registry.metrics.text().includes("darse_registry_uploads_in_flight 1"));
  const second = await registry.ask("PATCH", await begin(registry), { body: "x" });
  expect([second.status, second.headers.get("retry-after"), await errorCode(second)]).toEqual([
    429,
    "1",
    "TOOMANYREQUESTS",
  ]);
  socket.destroy();
  await until(() => registry.registry.metrics.text().includes("darse_registry_uploads_in_flight 0"));
  expect((await registry.ask("PATCH", await begin(registry), { body: "x" })).status).toBe(202);
});

test("a client that stops in the middle of a body is given up, and may go on later", async () => {
  await using registry = await runRegistry({ idleMs: 50 });
  const location = await begin(registry);
  const socket = await send(
    registry,
    `PATCH ${location} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n01234`,
  );
  expect(await answerOf(socket)).toStartWith("HTTP/1.1 408 ");
  // one that waits for slow machines; it goes on from what the other took in
  await using patient = await runRegistry({ root: registry.root });
  const taken = (await patient.ask("GET", location)).headers.get("range") === "0-4" ? 5 : 0;
  const digest = digestOf("0123456789");
  const answer = await patient.ask("PUT", `${location}?digest=${digest}`, {
    body: "0123456789".slice(taken),
    headers: { "Content-Range": `${taken}-9` },
  });
  expect(answer.status).toBe(201);
});

test("a client that takes nothing is given up", async () => {
  await using patient = await runRegistry();
  const digest = await putBlob(patient, "app", filled(64 * 1024 * 1024));
  await using registry = await runRegistry({ root: patient.root, idleMs: 50 });
  const socket = await send(registry, `GET /v2/app/blobs/${digest} HTTP/1.1\r\nHost: x\r\n\r\n`);
  socket.pause();
  await until(() => registry.registry.metrics.text().includes('route="blob",method="GET",status="200"} 1'));
  expect(registry.registry.metrics.text()).toContain("darse_registry_requests_in_flight 0");
  socket.destroy();
});

test("an unread body does not end the connection's peace: the refusal comes first", async () => {
  await using registry = await runRegistry({ isReadOnly: true });
  const answer = await registry.ask("PUT", "/v2/app/manifests/v1", { body: filled(8 * 1024 * 1024) });
  expect(answer.status).toBe(405);
  expect((await registry.ask("GET", "/v2/")).status).toBe(200);
});

test("a request that is two is refused (case 35)", async () => {
  await using registry = await runRegistry();
  const { layer } = await pushImage(registry, "app", "layer");
  const twoLengths = `POST /v2/app/blobs/uploads/?digest=${layer} HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc`;
  const socket = await send(registry, twoLengths);
  expect(await answerOf(socket)).toStartWith("HTTP/1.1 400 ");
});

async function send(registry: Running, text: string): Promise<Socket> {
  const [host = "", port = ""] = registry.host.split(":");
  const socket = connect(Number(port), host);
  await new Promise((resolve, reject) => socket.once("connect", resolve).once("error", reject));
  socket.on("error", () => undefined);
  socket.write(text);
  return socket;
}

/** All that comes until the connection ends. */
async function answerOf(socket: Socket): Promise<string> {
  return await new Promise((resolve) => {
    let all = "";
    socket.on("data", (part) => {
      all += part.toString("latin1");
    });
    socket.once("close", () => resolve(all));
  });
}

async function until(isTrue: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isTrue())) await Bun.sleep(2);
}

test("a server that stops finishes what is under way, and takes nothing new", async () => {
  const registry = await runRegistry();
  const location = await begin(registry);
  const socket = await send(
    registry,
    `PATCH ${location} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n01234`,
  );
  await until(() => registry.registry.metrics.text().includes("darse_registry_uploads_in_flight 1"));
  const stopped = registry[Symbol.asyncDispose]();
  await expect(send(registry, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")).rejects.toThrow();
  socket.write("56789");
  expect(await answerOf(socket)).toStartWith("HTTP/1.1 202 ");
  await stopped;
});
