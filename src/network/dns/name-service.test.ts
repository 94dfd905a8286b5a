import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "bun:test";
import { silentLogger } from "#base/log.ts";
import { openDatagramClient, openDatagramServer } from "#linux/datagram-socket.ts";
import { openKernel } from "#linux/real-kernel.ts";
import { openStreamClient, openStreamListener } from "#linux/stream-socket.ts";
import { needs } from "../../../test/needs.ts";
import { answerTo, questionFor, summary } from "./_message-maker.ts";
import { FrameReader, framed } from "./framing.ts";
import { NameService } from "./name-service.ts";
import type { ServedContainer } from "./name-service.ts";

const withKernel = needs("root", "nft");
const ADDRESS = "127.0.0.11";

/** One container's namespace, served, with an upstream on its own loopback. */
class Place implements Disposable {
  readonly kernel = openKernel();
  readonly folder = mkdtempSync(join(tmpdir(), "darse-names-"));
  readonly namespace = join(this.folder, "ns");
  readonly containers: ServedContainer[] = [];
  /** The host's `/etc/resolv.conf`. */
  hostText = "";
  service = this.openService();

  constructor() {
    this.kernel.createNetworkNamespace(this.namespace);
    this.containers.push({
      id: "web",
      endpoints: [{ networkId: "n", networkName: "shop", ipv4: "172.19.0.2", names: ["web"] }],
      namespacePath: this.namespace,
      overrides: { servers: ["127.0.0.2"] },
      hasWayOut: true,
      hasIpv6: false,
    });
  }

  openService(): NameService {
    return new NameService({
      kernel: this.kernel,
      log: silentLogger,
      containers: () => this.containers,
      version: () => this.containers.length,
      readHostResolvConf: () => this.hostText,
    });
  }

  inside<T>(work: () => T): T {
    return this.kernel.inNetworkNamespace(this.namespace, work);
  }

  askDatagram(message: Uint8Array): Promise<ReturnType<typeof summary>> {
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
    const client = this.inside(() =>
      openDatagramClient({ address: ADDRESS, port: 53, received: resolve, failed: reject }),
    );
    client.send(message);
    return promise.finally(() => client.close()).then(summary);
  }

  askStream(message: Uint8Array): Promise<ReturnType<typeof summary>> {
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
    const frames = new FrameReader();
    this.inside(() => [
      openStreamClient({
        address: ADDRESS,
        port: 53,
        connected: (connection) => connection.write(framed(message)),
        received: (bytes) => frames.push(bytes).forEach(resolve),
        closed: () => reject(new Error("closed")),
      }),
    ]);
    return promise.then(summary);
  }

  [Symbol.dispose](): void {
    this.service.closeAll();
    this.kernel.removeNetworkNamespace(this.namespace);
    rmSync(this.folder, { recursive: true });
  }
}

withKernel("a container is answered at 127.0.0.11, by UDP and TCP", async () => {
  using place = new Place();
  place.service.open("web", place.namespace);
  expect(await place.askDatagram(questionFor("web"))).toMatchObject({ answers: ["172.19.0.2"] });
  expect(await place.askStream(questionFor("web"))).toMatchObject({ answers: ["172.19.0.2"] });
});

withKernel("a program of the container may listen on port 53 of all addresses", async () => {
  using place = new Place();
  place.service.open("web", place.namespace);
  const own = place.inside(() => [
    openDatagramServer({ address: "0.0.0.0", port: 53, received: () => undefined }),
    openStreamListener({ address: "0.0.0.0", port: 53, accepted: () => undefined }),
  ]);
  expect(await place.askDatagram(questionFor("web"))).toMatchObject({ code: 0 });
  expect(await place.askStream(questionFor("web"))).toMatchObject({ code: 0 });
  for (const one of own) one.close();
});

withKernel("an unknown name is asked of the container's upstream, by the way it came", async () => {
  using place = new Place();
  place.service.open("web", place.namespace);
  const address = "127.0.0.2";
  const [datagrams, streams] = place.inside(() => {
    const upstream = openDatagramServer({
      address,
      port: 53,
      received: (bytes, port, from) => upstream.send(answerTo(bytes, [203, 0, 113, 1]), port, from),
    });
    const stream = openStreamListener({
      address,
      port: 53,
      accepted: (connection) => ({
        received: (bytes) => connection.write(framed(answerTo(bytes.subarray(2), [203, 0, 113, 2]))),
        closed: () => undefined,
      }),
    });
    return [upstream, stream];
  });
  expect(await place.askDatagram(questionFor("example.org"))).toMatchObject({ answers: ["203.0.113.1"] });
  expect(await place.askStream(questionFor("example.org"))).toMatchObject({ answers: ["203.0.113.2"] });
  datagrams.close();
  streams.close();
});

withKernel("the host's own resolver is asked for one with a way out, and never for another", async () => {
  using place = new Place();
  const address = "127.0.0.77";
  const asked: string[] = [];
  const upstream = openDatagramServer({
    address,
    port: 53,
    received: (bytes, port, from) => {
      asked.push("udp");
      upstream.send(answerTo(bytes), port, from);
    },
  });
  const stream = openStreamListener({
    address,
    port: 53,
    accepted: () => {
      asked.push("tcp");
      return undefined;
    },
  });
  const [web] = place.containers;
  if (web === undefined) throw new Error("nobody is served");
  const { overrides: _, ...plain } = web;
  place.hostText = `nameserver ${address}\n`;
  place.service.open("web", place.namespace);
  place.containers[0] = { ...plain, hasWayOut: false };
  for (const type of [1, 2, 5, 6, 12, 15, 16, 28, 33, 65, 255]) {
    for (const name of ["example.org", "example.org.corp.example", "bare"]) {
      expect(await place.askDatagram(questionFor(name, { type }))).toMatchObject({ code: 2, answers: [] });
    }
    expect(await place.askStream(questionFor("example.org", { type }))).toMatchObject({ code: 2 });
  }
  expect(asked).toEqual([]);
  place.containers.push({ ...plain, id: "other" });
  place.containers[0] = plain;
  expect(await place.askDatagram(questionFor("example.org"))).toMatchObject({ answers: ["203.0.113.7"] });
  expect(asked).toEqual(["udp"]);
  upstream.close();
  stream.close();
});

withKernel("an upstream that is not there is a failure at once", async () => {
  using place = new Place();
  place.service.open("web", place.namespace);
  expect(await place.askDatagram(questionFor("example.org"))).toMatchObject({ code: 2 });
  expect(await place.askStream(questionFor("example.org"))).toMatchObject({ code: 2 });
});

withKernel("the next engine goes on where the one before ended", async () => {
  using place = new Place();
  const ports = place.service.open("web", place.namespace);
  place.service.closeAll();
  place.service = place.openService();
  expect(place.service.resume("web", place.namespace, ports)).toEqual(ports);
  expect(await place.askDatagram(questionFor("web"))).toMatchObject({ answers: ["172.19.0.2"] });
});

withKernel("the next engine finds other ports when a program has taken those", async () => {
  using place = new Place();
  const ports = place.service.open("web", place.namespace);
  place.service.closeAll();
  const thief = place.inside(() =>
    openDatagramServer({ address: "0.0.0.0", port: ports.udp, received: () => undefined }),
  );
  expect(place.service.resume("web", place.namespace, ports)).not.toEqual(ports);
  expect(await place.askDatagram(questionFor("web"))).toMatchObject({ answers: ["172.19.0.2"] });
  expect(await place.askStream(questionFor("web"))).toMatchObject({ answers: ["172.19.0.2"] });
  thief.close();
});

withKernel("a container that comes is known at the next question", async () => {
  using place = new Place();
  place.service.open("web", place.namespace);
  expect(await place.askDatagram(questionFor("db"))).toMatchObject({ code: 2 });
  const [web] = place.containers;
  if (web === undefined) throw new Error("nobody is served");
  const endpoints = [{ networkId: "n", networkName: "shop", ipv4: "172.19.0.3", names: ["db"] }];
  place.containers.push({ ...web, id: "db", endpoints });
  expect(await place.askDatagram(questionFor("db"))).toMatchObject({ answers: ["172.19.0.3"] });
});
