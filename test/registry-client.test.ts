import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "bun:test";
import type { Credentials } from "../src/registry/authorizer.ts";
import { EngineError } from "../src/base/errors.ts";
import { digestOf } from "../src/oci/digest.ts";
import { encodeDocument } from "../src/oci/manifest.ts";
import { MEDIA_TYPE } from "../src/oci/media-types.ts";
import { login } from "../src/registry/login.ts";
import { RegistryClient } from "../src/registry/registry-client.ts";
import { PLAIN_SETTINGS, type RegistrySettings } from "../src/registry/settings.ts";
import { TestAuthority } from "./fixtures/certificates.ts";
import { startDockerRegistry } from "./fixtures/docker-registry.ts";
import { startTokenServer } from "./fixtures/token-server.ts";
import { needs } from "./needs.ts";

// Debian's docker-registry as the peer: our client alone, without an engine.

const registered = needs("docker-registry");
const secured = needs("docker-registry", "openssl");

const NO_SIGNAL = new AbortController().signal;
const USER = { name: "ann", password: "secret" };
const CREDENTIALS: Credentials = { kind: "password", username: USER.name, password: USER.password };
const BLOB = Buffer.alloc(5_000_000, "blob of a test");
const CONFIG = Buffer.from("{}");

function manifest(extra: object = {}): Uint8Array {
  const config = { mediaType: MEDIA_TYPE.ociConfig, digest: digestOf(CONFIG), size: CONFIG.byteLength };
  const layer = { mediaType: MEDIA_TYPE.ociLayer, digest: digestOf(BLOB), size: BLOB.byteLength };
  return encodeDocument({ mediaType: MEDIA_TYPE.ociManifest, config, layers: [layer], ...extra });
}

/** In chunks, as a store gives it. */
async function* chunks(bytes: Buffer, offset = 0): AsyncGenerator<Uint8Array> {
  for (let at = offset; at < bytes.byteLength; at += 65_536) yield bytes.subarray(at, at + 65_536);
}

/** Pushes an image of one layer, whose digest is not told beforehand, and reads it back. */
async function roundTrip(client: RegistryClient, repository = "library/app"): Promise<void> {
  const config = { digest: digestOf(CONFIG), size: CONFIG.byteLength };
  await client.upload(repository, { expected: config, open: (at) => chunks(CONFIG, at) }, {}, NO_SIGNAL);
  const sent = await client.upload(repository, { open: (at) => chunks(BLOB, at) }, {}, NO_SIGNAL);
  expect(sent).toEqual({ digest: digestOf(BLOB), size: BLOB.byteLength });
  const bytes = manifest();
  await client.putManifest(repository, "v1", { bytes, mediaType: MEDIA_TYPE.ociManifest }, NO_SIGNAL);
  const found = await client.manifest(repository, "v1", NO_SIGNAL);
  expect(found.digest).toBe(digestOf(bytes));
  const read: Uint8Array[] = [];
  for await (const chunk of client.blob(repository, sent, 1_000_000, NO_SIGNAL)) read.push(chunk);
  expect(Buffer.concat(read).equals(BLOB.subarray(1_000_000))).toBe(true);
}

async function failure(work: Promise<unknown>): Promise<EngineError> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof EngineError) return error;
  throw new Error(`expected a refusal, got ${String(error)}`);
}

registered("docker-registry takes an image from us and gives it back", async () => {
  await using registry = await startDockerRegistry();
  const client = new RegistryClient({ domain: registry.host });
  await client.ping(NO_SIGNAL);
  await roundTrip(client);
  expect(await client.tags("library/app", NO_SIGNAL)).toEqual(["v1"]);
  expect(await client.repositories(NO_SIGNAL)).toEqual(["library/app"]);
  expect(await client.findBlob("library/app", digestOf(BLOB), NO_SIGNAL)).toEqual({ size: BLOB.byteLength });
  expect(await client.findBlob("library/app", digestOf("none"), NO_SIGNAL)).toBeUndefined();
  expect((await client.findManifest("library/app", "v1", NO_SIGNAL))?.digest).toBe(digestOf(manifest()));
  expect(await client.findManifest("library/app", "none", NO_SIGNAL)).toBeUndefined();
});

registered("docker-registry mounts a blob into another repository", async () => {
  await using registry = await startDockerRegistry();
  const client = new RegistryClient({ domain: registry.host });
  await roundTrip(client);
  const blob = { digest: digestOf(BLOB) };
  expect(await client.mountBlob("other/app", blob, "library/app", NO_SIGNAL)).toBe(true);
  expect(await client.mountBlob("other/app", { digest: digestOf("none") }, "library/app", NO_SIGNAL)).toBe(
    false,
  );
  expect(await client.findBlob("other/app", blob.digest, NO_SIGNAL)).toEqual({ size: BLOB.byteLength });
});

registered("what refers to a manifest is found by a tag where the registry keeps no list", async () => {
  await using registry = await startDockerRegistry();
  const client = new RegistryClient({ domain: registry.host });
  await roundTrip(client);
  const size = manifest().byteLength;
  const subject = { mediaType: MEDIA_TYPE.ociManifest, digest: digestOf(manifest()), size };
  const bytes = manifest({ subject, artifactType: "application/x.signature", annotations: { by: "ann" } });
  const digest = digestOf(bytes);
  const put = { bytes, mediaType: MEDIA_TYPE.ociManifest };
  for (let times = 0; times < 2; times++) await client.putManifest("library/app", digest, put, NO_SIGNAL);
  const found = await client.referrers("library/app", subject.digest, {}, NO_SIGNAL);
  expect(found).toMatchObject([
    { digest, artifactType: "application/x.signature", annotations: { by: "ann" } },
  ]);
  const others = { artifactType: "application/x.other" };
  expect(await client.referrers("library/app", subject.digest, others, NO_SIGNAL)).toEqual([]);
});

registered("a manifest is removed by its digest", async () => {
  await using registry = await startDockerRegistry();
  const client = new RegistryClient({ domain: registry.host });
  await roundTrip(client);
  await client.removeManifest("library/app", digestOf(manifest()), NO_SIGNAL);
  expect(await client.findManifest("library/app", "v1", NO_SIGNAL)).toBeUndefined();
});

registered("htpasswd lets in who has the password, nobody else", async () => {
  await using registry = await startDockerRegistry({ user: USER });
  await roundTrip(new RegistryClient({ domain: registry.host, credentials: CREDENTIALS }));
  const wrong: Credentials = { kind: "password", username: USER.name, password: "wrong" };
  for (const credentials of [undefined, wrong]) {
    const client = new RegistryClient({ domain: registry.host, credentials });
    expect((await failure(client.manifest("library/app", "v1", NO_SIGNAL))).kind).toBe("unauthorized");
    const asked = { server: registry.host, credentials, settings: PLAIN_SETTINGS };
    expect((await failure(login(asked, NO_SIGNAL))).message).toContain("incorrect username or password");
  }
});

/** A folder of folders by host, gone with its scope. */
function hostFolders(): {
  readonly root: string;
  add(host: string, files: Record<string, string>): void;
} & Disposable {
  const root = mkdtempSync(join(tmpdir(), "darse-hosts-"));
  return {
    root,
    add(host, files) {
      mkdirSync(join(root, host));
      for (const [name, text] of Object.entries(files)) writeFileSync(join(root, host, name), text);
    },
    [Symbol.dispose]: () => rmSync(root, { recursive: true }),
  };
}

secured(
  "TLS: an authority and a client certificate from the folder of the host, as Docker has them",
  async () => {
    using authority = await TestAuthority.create();
    const certificate = await authority.issue("server");
    const own = await authority.issue("client");
    await using registry = await startDockerRegistry({
      tls: { certificate, clientAuthority: authority.own },
    });
    using folders = hostFolders();
    const settings = { hostFolders: [folders.root] };
    folders.add(registry.host, { "ca.crt": authority.own.certificate });
    const bare = new RegistryClient({ domain: registry.host, settings });
    expect((await failure(bare.manifest("library/app", "v1", NO_SIGNAL))).kind).toBe("unavailable");
    rmSync(join(folders.root, registry.host), { recursive: true });
    const files = { "ca.crt": authority.own.certificate, "us.cert": own.certificate, "us.key": own.key };
    folders.add(registry.host, files);
    await roundTrip(new RegistryClient({ domain: registry.host, settings }));
  },
);

secured("TLS: the same by hosts.toml", async () => {
  using authority = await TestAuthority.create();
  await using registry = await startDockerRegistry({ tls: { certificate: await authority.issue("server") } });
  using folders = hostFolders();
  folders.add("registry.example", {
    "ca.pem": authority.own.certificate,
    "hosts.toml": `server = "https://${registry.host}"\nca = "ca.pem"\n`,
  });
  const settings = { hostFolders: [folders.root] };
  await roundTrip(new RegistryClient({ domain: "registry.example", settings }));
});

secured(
  "TLS: whoever has an authority for a host believes no other; loopback without one is believed",
  async () => {
    using authority = await TestAuthority.create();
    using other = await TestAuthority.create();
    await using registry = await startDockerRegistry({
      tls: { certificate: await authority.issue("server") },
    });
    using folders = hostFolders();
    folders.add(registry.host, { "ca.crt": other.own.certificate });
    const strict = new RegistryClient({ domain: registry.host, settings: { hostFolders: [folders.root] } });
    const error = await failure(strict.manifest("library/app", "v1", NO_SIGNAL));
    expect(error.message).toContain("its certificate is signed by an unknown authority");
    await roundTrip(new RegistryClient({ domain: registry.host }));
  },
);

secured(
  "tokens: had for what is done, refreshed, and taken by the OAuth form where no other is served",
  async () => {
    using authority = await TestAuthority.create();
    for (const isOauthOnly of [false, true]) {
      await using tokens = await startTokenServer({ user: USER, signer: authority.own, isOauthOnly });
      await using registry = await startDockerRegistry({
        token: { realm: tokens.realm, signer: authority.own },
      });
      await roundTrip(new RegistryClient({ domain: registry.host, credentials: CREDENTIALS }));
      const scopes = tokens.seen.flatMap((request) => request.scopes);
      expect(new Set(scopes)).toEqual(
        new Set(["repository:library/app:pull,push", "repository:library/app:pull"]),
      );
      const stranger = new RegistryClient({ domain: registry.host });
      const refusal = isOauthOnly ? "unavailable" : "unauthorized";
      expect((await failure(stranger.manifest("library/app", "v1", NO_SIGNAL))).kind).toBe(refusal);
    }
  },
);

secured("tokens: login gives an identity token, which stands for the password", async () => {
  using authority = await TestAuthority.create();
  await using tokens = await startTokenServer({ user: USER, signer: authority.own });
  await using registry = await startDockerRegistry({
    token: { realm: tokens.realm, signer: authority.own },
  });
  const asked = { server: registry.host, credentials: CREDENTIALS, settings: PLAIN_SETTINGS };
  const { identityToken = "" } = await login(asked, NO_SIGNAL);
  const credentials: Credentials = { kind: "identity-token", token: identityToken };
  await roundTrip(new RegistryClient({ domain: registry.host, credentials }));
  expect(tokens.seen.at(-1)).toMatchObject({ method: "POST", grant: "refresh_token" });
  const wrong = { ...asked, credentials: { ...credentials, token: "another" } };
  expect((await failure(login(wrong, NO_SIGNAL))).kind).toBe("unauthorized");
});

registered("a proxy carries plain requests, and tunnels", async () => {
  await using registry = await startDockerRegistry();
  const seen: string[] = [];
  // names that are no loopback are asked through the proxy, which sends all of them to the registry
  const proxy = createServer((incoming, outgoing) => {
    seen.push(`${incoming.method} ${new URL(incoming.url ?? "").host}`);
    void fetch(`http://${registry.host}${new URL(incoming.url ?? "").pathname}`).then(async (answer) => {
      outgoing.writeHead(answer.status, { "content-type": answer.headers.get("content-type") ?? "" });
      outgoing.end(await answer.text());
    });
  });
  proxy.on("connect", (incoming, client) => {
    seen.push(`CONNECT ${incoming.url}`);
    client.end("HTTP/1.1 502 Bad Gateway\r\n\r\n");
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  const address = proxy.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  const through = `http://127.0.0.1:${address.port}`;
  const settings: Partial<RegistrySettings> = {
    insecure: ["registry.example:5000"],
    proxies: { http: through, https: through, none: "" },
  };
  const client = new RegistryClient({ domain: "registry.example:5000", settings });
  expect((await failure(client.manifest("none", "v1", NO_SIGNAL))).kind).toBe("not-found");
  expect(seen).toEqual([
    "CONNECT registry.example:5000",
    "GET registry.example:5000",
    "GET registry.example:5000",
  ]);
  proxy.closeAllConnections();
  await new Promise((resolve) => proxy.close(resolve));
});
