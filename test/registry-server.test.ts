import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "bun:test";
import { digestOf } from "../src/oci/digest.ts";
import { MEDIA_TYPE } from "../src/oci/media-types.ts";
import { DARSE, run, TestEngine } from "./engine.ts";
import { type Certificate, TestAuthority } from "./fixtures/certificates.ts";
import { type DarseRegistry, startDarseRegistry } from "./fixtures/darse-registry.ts";
import { startDockerRegistry } from "./fixtures/docker-registry.ts";
import { startTokenServer, TOKEN_ISSUER, TOKEN_SERVICE } from "./fixtures/token-server.ts";
import { type MadeLayout, writeOciLayout } from "./fixtures/oci-layout.ts";
import { needs } from "./needs.ts";

const USER = { name: "ann", password: "correct horse" };
const copying = needs("skopeo", "docker-registry");

async function temporary(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), "darse-skopeo-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) };
}

/** Runs skopeo to its end; what it says must be no failure. */
async function skopeo(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await run("skopeo", ["--insecure-policy", ...args]);
  if (code !== 0) throw new Error(`skopeo ${args.join(" ")}: ${stderr}`);
  return stdout;
}

/** Copies an image of every platform, and checks that what arrived is the same bytes. */
async function copy(
  from: string,
  to: string,
  layout: MadeLayout,
  flags: readonly string[] = [],
): Promise<void> {
  await skopeo("copy", "--all", "--preserve-digests", ...flags, from, to);
  expect(await digestAt(to, flags)).toBe(layout.digest);
}

async function digestAt(place: string, flags: readonly string[]): Promise<string> {
  if (place.startsWith("oci:")) {
    const { manifests } = JSON.parse(
      await readFile(join(place.split(":")[1] ?? "", "index.json"), "utf8"),
    ) as {
      manifests: { digest: string }[];
    };
    return manifests[0]?.digest ?? "";
  }
  const own = flags.map((flag) => flag.replace("--dest-", "--")).filter((flag) => !flag.startsWith("--src-"));
  return digestOf(await skopeo("inspect", "--raw", ...own, place));
}

copying(
  "skopeo copies between our registry, docker-registry and OCI layouts in every direction",
  async () => {
    await using folder = await temporary();
    await using ours = await startDarseRegistry();
    await using theirs = await startDockerRegistry();
    const layout = await writeOciLayout(join(folder.path, "layout"));
    const plain = ["--src-tls-verify=false", "--dest-tls-verify=false"];
    const fromLayout = ["--dest-tls-verify=false"];
    const toLayout = ["--src-tls-verify=false"];
    await copy(`oci:${layout.folder}:latest`, `docker://${ours.host}/team/one:v1`, layout, fromLayout);
    await copy(`docker://${ours.host}/team/one:v1`, `docker://${theirs.host}/team/two:v1`, layout, plain);
    await copy(`docker://${theirs.host}/team/two:v1`, `docker://${ours.host}/team/three:v1`, layout, plain);
    await copy(`docker://${ours.host}/team/three:v1`, `docker://${ours.host}/team/four:v1`, layout, plain);
    await copy(
      `docker://${ours.host}/team/four:v1`,
      `oci:${join(folder.path, "back")}:latest`,
      layout,
      toLayout,
    );
    expect((await readdir(join(folder.path, "back/blobs/sha256"))).toSorted()).toEqual(
      (await readdir(join(layout.folder, "blobs/sha256"))).toSorted(),
    );
    const tags = JSON.parse(
      await skopeo("list-tags", "--tls-verify=false", `docker://${ours.host}/team/four`),
    ) as {
      Tags: string[];
    };
    expect(tags.Tags).toEqual(["v1"]);
    await skopeo("delete", "--tls-verify=false", `docker://${ours.host}/team/four:v1`);
    expect((await fetch(`http://${ours.host}/v2/team/four/manifests/v1`)).status).toBe(404);
  },
  60_000,
);

copying(
  "skopeo copies with a password, over TLS, with a client's certificate",
  async () => {
    await using folder = await temporary();
    using authority = await TestAuthority.create();
    const certificate = await authority.issue("server");
    const client = await authority.issue("client");
    const layout = await writeOciLayout(join(folder.path, "layout"));
    const certs = join(folder.path, "certs");
    await writeCerts(certs, authority.own, client);
    const flags = [`--dest-creds=${USER.name}:${USER.password}`, `--dest-cert-dir=${certs}`];
    const source = `oci:${layout.folder}:latest`;

    await using secured = await startDarseRegistry({ user: USER, tls: { certificate } });
    await copy(source, `docker://${secured.host}/app:v1`, layout, flags);
    const wrong = ["copy", "--all", `--dest-cert-dir=${certs}`, "--dest-creds=ann:wrong"];
    await expect(skopeo(...wrong, source, `docker://${secured.host}/app:v2`)).rejects.toThrow(
      /unauthorized|401/i,
    );

    await using mutual = await startDarseRegistry({ tls: { certificate, clientAuthority: authority.own } });
    await copy(source, `docker://${mutual.host}/app:v1`, layout, [`--dest-cert-dir=${certs}`]);
    const anonymous = join(folder.path, "anonymous");
    await writeCerts(anonymous, authority.own);
    await expect(
      skopeo("copy", "--all", `--dest-cert-dir=${anonymous}`, source, `docker://${mutual.host}/app:v2`),
    ).rejects.toThrow();
  },
  60_000,
);

async function writeCerts(folder: string, authority: Certificate, client?: Certificate): Promise<void> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "ca.crt"), authority.certificate);
  if (client === undefined) return;
  await writeFile(join(folder, "client.cert"), client.certificate);
  await writeFile(join(folder, "client.key"), client.key);
}

copying(
  "docker-registry serves our folder, and we serve its folder",
  async () => {
    await using folder = await temporary();
    const layout = await writeOciLayout(join(folder.path, "layout"));
    const source = `oci:${layout.folder}:latest`;
    const root = join(folder.path, "root");
    const fromLayout = ["--dest-tls-verify=false"];
    {
      await using ours = await startDarseRegistry({ root });
      await copy(source, `docker://${ours.host}/team/ours:v1`, layout, fromLayout);
    }
    {
      await using theirs = await startDockerRegistry({ root });
      const back = `oci:${join(folder.path, "from-theirs")}:latest`;
      await copy(`docker://${theirs.host}/team/ours:v1`, back, layout, ["--src-tls-verify=false"]);
      expect(await json(theirs.host, "/v2/_catalog")).toEqual({ repositories: ["team/ours"] });
      expect(await json(theirs.host, "/v2/team/ours/tags/list")).toEqual({ name: "team/ours", tags: ["v1"] });
      await copy(source, `docker://${theirs.host}/team/theirs:v1`, layout, fromLayout);
      await fetch(`http://${theirs.host}/v2/team/ours/manifests/${layout.digest}`, { method: "DELETE" });
    }
    await using again = await startDarseRegistry({ root });
    expect((await fetch(`http://${again.host}/v2/team/ours/manifests/v1`)).status).toBe(404);
    expect((await fetch(`http://${again.host}/v2/team/ours/manifests/${layout.digest}`)).status).toBe(404);
    expect(await json(again.host, "/v2/team/theirs/tags/list")).toEqual({
      name: "team/theirs",
      tags: ["v1"],
    });
    const back = `oci:${join(folder.path, "from-ours")}:latest`;
    await copy(`docker://${again.host}/team/theirs:v1`, back, layout, ["--src-tls-verify=false"]);
    // what both have written is one registry's: nothing of it is garbage
    const collected = await run(DARSE, ["registry", "gc", "--root", root, "--grace", "0s"]);
    expect(collected.stdout).toStartWith("Removed 0 blobs");
    await copy(`docker://${again.host}/team/theirs:v1`, `${back}2`, layout, ["--src-tls-verify=false"]);
  },
  60_000,
);

async function json(host: string, path: string): Promise<unknown> {
  return await (await fetch(`http://${host}${path}`)).json();
}

const serving = needs();

serving("a killed registry has whole blobs, and an upload goes on where it was", async () => {
  await using folder = await temporary();
  const root = join(folder.path, "root");
  const blob = new Uint8Array(3_000_000).map((_, index) => index % 251);
  const digest = digestOf(blob);
  const location = await (async () => {
    await using first = await startDarseRegistry({ root });
    const begun = await fetch(`http://${first.host}/v2/app/blobs/uploads/`, { method: "POST" });
    const path = begun.headers.get("location") ?? "";
    const sent = await fetch(`http://${first.host}${path}`, {
      method: "PATCH",
      body: blob.slice(0, 1_000_000),
    });
    expect(sent.status).toBe(202);
    await first.end("SIGKILL");
    return path;
  })();
  await using second = await startDarseRegistry({ root });
  const status = await fetch(`http://${second.host}${location}`);
  expect([status.status, status.headers.get("range")]).toEqual([204, "0-999999"]);
  const rest = await fetch(`http://${second.host}${location}?digest=${digest}`, {
    method: "PUT",
    body: blob.slice(1_000_000),
    headers: { "Content-Range": "1000000-2999999" },
  });
  expect(rest.status).toBe(201);
  const answer = await fetch(`http://${second.host}/v2/app/blobs/${digest}`);
  expect(digestOf(new Uint8Array(await answer.arrayBuffer()))).toBe(digest);
});

serving("gc is done by the server that runs, and without one by the command", async () => {
  await using registry = await startDarseRegistry({ args: ["--gc-grace", "0s"] });
  await putStray(registry, "stray");
  const gc = (...flags: string[]) => run(DARSE, ["registry", "gc", "--root", registry.root, ...flags]);
  expect((await gc("--dry-run")).stdout).toStartWith(
    "Would remove 1 blobs (5B), 0 untagged manifests, 1 links",
  );
  expect((await gc()).stdout).toStartWith("Removed 1 blobs (5B), 0 untagged manifests, 1 links");
  expect(registry.log.some(({ message }) => message === "collected")).toBe(true);
  await putStray(registry, "other");
  const taken = await run(DARSE, ["registry", "serve", "--root", registry.root, "--listen", "127.0.0.1:0"]);
  expect([taken.code, taken.stderr]).toEqual([
    1,
    expect.stringContaining("another registry serves it already"),
  ]);
  await registry.end("SIGTERM");
  expect((await gc()).stdout).toStartWith("Removed 0 blobs");
  expect((await gc("--grace", "0s")).stdout).toStartWith("Removed 1 blobs (5B)");
});

async function putStray({ host }: DarseRegistry, text: string): Promise<void> {
  const url = `http://${host}/v2/app/blobs/uploads/?digest=${digestOf(text)}`;
  expect((await fetch(url, { method: "POST", body: text })).status).toBe(201);
}

serving("metrics tell what was done, and are for users alone where there are users", async () => {
  await using registry = await startDarseRegistry({ user: USER, args: ["--metrics-listen", "127.0.0.1:0"] });
  expect((await fetch(`http://${registry.host}/healthz`)).status).toBe(200);
  expect((await fetch(`http://${registry.host}/metrics`)).status).toBe(401);
  const authorization = `Basic ${Buffer.from(`${USER.name}:${USER.password}`).toString("base64")}`;
  const answer = await fetch(`http://${registry.host}/metrics`, {
    headers: { Authorization: authorization },
  });
  const text = await answer.text();
  expect(text).toContain('darse_registry_requests_total{route="metrics",method="GET",status="401"} 1\n');
  expect(text).toContain("darse_registry_storage_bytes 0\n");
  expect(text).toMatch(/^# TYPE darse_registry_request_seconds histogram$/m);
});

const wrongFlags: readonly (readonly [args: string[], text: string])[] = [
  [["--root", "here"], "Cannot use --root here: it must be an absolute path"],
  [["--listen", "5000"], "Cannot use --listen 5000: it must be HOST:PORT"],
  [["--quota", "much"], "Cannot use --quota much: it must be a size such as 10g"],
  [["--tls-cert", "/x"], "Cannot use --tls-cert without --tls-key"],
  [["--htpasswd", "/nowhere"], "Cannot use the password file /nowhere"],
  [["--token-realm", "https://x"], "Cannot use --token-realm without --token-service and --token-issuer"],
  [["--unknown"], "Unknown option '--unknown'"],
];
for (const [args, text] of wrongFlags) {
  serving(`serve ${args.join(" ")} says what is wrong`, async () => {
    const { code, stderr } = await run(DARSE, ["registry", "serve", ...args]);
    expect([code, stderr]).toEqual([1, expect.stringContaining(text)]);
  });
}

const engine = needs("root", "crun", "conmon", "docker-cli");

engine(
  "the docker command line pushes to our registry and pulls from it",
  async () => {
    await using registry = await startDarseRegistry({ user: USER });
    await using machine = await TestEngine.start();
    const docker = async (...args: string[]): Promise<string> => {
      const { code, stdout, stderr } = await machine.docker([
        "--config",
        join(machine.folder, "config"),
        ...args,
      ]);
      if (code !== 0) throw new Error(`docker ${args.join(" ")}: ${stderr}`);
      return stdout;
    };
    const name = `${registry.host}/team/busybox:1`;
    await docker("login", "-u", USER.name, "-p", USER.password, registry.host);
    await docker("tag", "busybox:latest", name);
    const pushed = /digest: (sha256:[0-9a-f]{64})/.exec(await docker("push", name))?.[1];
    await docker("rmi", name);
    expect(await docker("pull", name)).toContain(`Digest: ${pushed}`);
    expect(await docker("run", "--rm", name, "echo", "served")).toBe("served\n");
    const manifest = await fetch(`http://${registry.host}/v2/team/busybox/manifests/1`, {
      headers: {
        Accept: [MEDIA_TYPE.ociManifest, MEDIA_TYPE.dockerManifest].join(", "),
        Authorization: `Basic ${Buffer.from(`${USER.name}:${USER.password}`).toString("base64")}`,
      },
    });
    expect(manifest.headers.get("docker-content-digest")).toBe(pushed ?? "no digest");
  },
  60_000,
);

copying(
  "a cache serves what docker-registry has, and goes on when that is gone",
  async () => {
    await using folder = await temporary();
    const layout = await writeOciLayout(join(folder.path, "layout"));
    const root = join(folder.path, "cache");
    {
      await using theirs = await startDockerRegistry({ user: USER });
      const creds = ["--dest-tls-verify=false", `--dest-creds=${USER.name}:${USER.password}`];
      await copy(`oci:${layout.folder}:latest`, `docker://${theirs.host}/team/app:v1`, layout, creds);
      const password = join(folder.path, "password");
      await writeFile(password, `${USER.password}\n`);
      const args = [
        "--upstream",
        theirs.host,
        "--upstream-user",
        USER.name,
        "--upstream-password-file",
        password,
      ];
      await using cache = await startDarseRegistry({ root, args });
      const back = `oci:${join(folder.path, "one")}:latest`;
      await copy(`docker://${cache.host}/team/app:v1`, back, layout, ["--src-tls-verify=false"]);
      expect((await fetch(`http://${cache.host}/v2/team/none/manifests/v1`)).status).toBe(404);
      expect(
        (await fetch(`http://${cache.host}/v2/team/app/blobs/uploads/`, { method: "POST" })).status,
      ).toBe(405);
    }
    // nobody listens there any more
    await using alone = await startDarseRegistry({ root, args: ["--upstream", "127.0.0.1:1"] });
    const back = `oci:${join(folder.path, "two")}:latest`;
    await copy(`docker://${alone.host}/team/app:v1`, back, layout, ["--src-tls-verify=false"]);
  },
  60_000,
);

needs("openssl", "skopeo")("tokens of a server elsewhere let in whom it says", async () => {
  await using folder = await temporary();
  using authority = await TestAuthority.create();
  const signer = await authority.issue("signer");
  await using tokens = await startTokenServer({ user: USER, signer });
  const args = [
    ["--token-realm", tokens.realm],
    ["--token-service", TOKEN_SERVICE],
    ["--token-issuer", TOKEN_ISSUER],
    ["--token-roots", authority.own.certificatePath],
  ].flat();
  await using registry = await startDarseRegistry({ args });
  const layout = await writeOciLayout(join(folder.path, "layout"));
  const creds = ["--dest-tls-verify=false", `--dest-creds=${USER.name}:${USER.password}`];
  await copy(`oci:${layout.folder}:latest`, `docker://${registry.host}/team/app:v1`, layout, creds);
  expect(tokens.seen.flatMap(({ scopes }) => scopes)).toContain("repository:team/app:pull,push");
  const anonymous = await fetch(`http://${registry.host}/v2/team/app/tags/list`);
  expect([anonymous.status, anonymous.headers.get("www-authenticate")]).toEqual([
    401,
    `Bearer realm="${tokens.realm}",service="${TOKEN_SERVICE}",scope="repository:team/app:pull"`,
  ]);
});

needs("oras", "docker-registry")(
  "oras pushes, attaches, discovers and copies artifacts",
  async () => {
    await using folder = await temporary();
    await using ours = await startDarseRegistry();
    await using theirs = await startDockerRegistry();
    await writeFile(join(folder.path, "report.txt"), "all is well\n");
    const oras = async (...args: string[]): Promise<string> => {
      const { code, stdout, stderr } = await run(process.env["DARSE_TEST_ORAS"] ?? "oras", args, {
        cwd: folder.path,
      });
      if (code !== 0) throw new Error(`oras ${args.join(" ")}: ${stderr}`);
      return stdout;
    };
    const artifact = `${ours.host}/team/artifact:v1`;
    await oras(
      "push",
      "--plain-http",
      artifact,
      "--artifact-type",
      "application/x.report",
      "report.txt:text/plain",
    );
    await oras(
      "attach",
      "--plain-http",
      artifact,
      "--artifact-type",
      "application/x.signature",
      "report.txt:text/plain",
    );
    const discovered = JSON.parse(await oras("discover", "--plain-http", "-o", "json", artifact)) as {
      manifests: { artifactType: string }[];
    };
    expect(discovered.manifests.map(({ artifactType }) => artifactType)).toEqual(["application/x.signature"]);
    // the tag that stands for the list where a registry keeps none is not made here
    const tags = (await json(ours.host, "/v2/team/artifact/tags/list")) as { tags: string[] };
    expect(tags.tags).toEqual(["v1"]);
    const there = `${theirs.host}/team/copy:v1`;
    await oras("copy", "-r", "--from-plain-http", "--to-plain-http", artifact, there);
    await oras("copy", "-r", "--from-plain-http", "--to-plain-http", there, `${ours.host}/team/back:v1`);
    await oras("pull", "--plain-http", "-o", "pulled", `${ours.host}/team/back:v1`);
    expect(await readFile(join(folder.path, "pulled/report.txt"), "utf8")).toBe("all is well\n");
  },
  60_000,
);
