import { afterAll, beforeAll, describe, expect } from "bun:test";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { needs } from "../../test/needs.ts";
import { type ContextFiles, contextTar } from "./_fixtures/context-tar.ts";
import { Rig } from "./_fixtures/rig.ts";

const onHost = needs("root", "overlay", "crun", "nft", "busybox");
const test = (name: string, work: () => Promise<void>): void => onHost(name, work, 30_000);

async function bytesOf(source: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of source) chunks.push(chunk.slice());
  return Buffer.concat(chunks);
}

describe("a builder on this machine", () => {
  let rig: Rig;

  beforeAll(async () => {
    if (process.getuid?.() === 0) rig = await Rig.open();
  });

  afterAll(async () => {
    await rig?.[Symbol.asyncDispose]();
  });

  const text = (dockerfile: string, files: ContextFiles = {}): ContextFiles => ({
    Dockerfile: dockerfile,
    ...files,
  });

  test("builds a multi-stage image", async () => {
    const files = text(
      `FROM base AS made
WORKDIR /src
COPY . .
RUN cat a b > both && mkdir -p deep/er && echo x > deep/er/x
FROM base
ENV WORD=hello
COPY --from=made --chown=app --chmod=640 /src/both /out/
COPY --from=0 /src/deep /deep
RUN echo "$WORD" > /said
CMD ["cat", "/said"]
`,
      { a: "1\n", b: "2\n" },
    );
    const { image, text: told } = await rig.build(files, { tag: "multi" });
    await rig.files(image, (root) => {
      const both = statSync(join(root, "out/both"));
      expect(readFileSync(join(root, "out/both"), "utf8")).toBe("1\n2\n");
      expect([both.uid, both.gid, both.mode & 0o7777]).toEqual([500, 600, 0o640]);
      expect(readFileSync(join(root, "said"), "utf8")).toBe("hello\n");
      expect(readFileSync(join(root, "deep/er/x"), "utf8")).toBe("x\n");
    });
    expect(image.config.config).toMatchObject({
      cmd: ["cat", "/said"],
      env: [expect.stringContaining("PATH="), "WORD=hello"],
    });
    expect(image.references).toEqual([expect.stringContaining("multi:latest")]);
    expect(told).toContain("Step 1/10 : FROM base AS made\n ---> ");
    expect(told).toMatch(
      /Step 4\/10 : RUN cat a b.*\n ---> Running in [0-9a-f]{12}\n ---> Removed intermediate container/,
    );
    expect(await rig.leftovers()).toEqual([]);
  });

  test("gives the same image from the cache", async () => {
    const files = text(
      "FROM base\nLABEL a=b\nRUN cat /proc/sys/kernel/random/uuid > /id\nCOPY f /f\nCMD x\n",
      { f: "1" },
    );
    const first = await rig.build(files);
    const second = await rig.build(files);
    expect(second.image.id).toBe(first.image.id);
    expect(second.text.match(/---> Using cache/g)).toHaveLength(2);
    const third = await rig.build(files, { ignoresCache: true });
    expect(third.image.id).not.toBe(first.image.id);
  });

  test("a step leaves none of its mount points in the layer", async () => {
    const { image } = await rig.build(
      text('FROM scratch\nCOPY --from=base /bin /bin\nRUN ["/bin/busybox", "true"]\n'),
    );
    await rig.files(image, async (root) => {
      expect(readdirSync(root)).toEqual(["bin"]);
    });
  });

  // Case 22: what a step puts in place of a mount point is never followed when the engine cleans up.
  test("a step that replaces mount points with links harms nothing outside", async () => {
    const canary = join(rig.folder, "canary");
    writeFileSync(canary, "alive");
    const { image } = await rig.build(
      text(`FROM base
RUN --mount=type=tmpfs,target=/made/here rm -f /etc/x; umount /etc/hosts 2>/dev/null; ln -s ${canary} /made/link; mkdir -p /made/deep; echo kept > /made/kept
`),
    );
    expect(readFileSync(canary, "utf8")).toBe("alive");
    await rig.files(image, async (root) => {
      expect(readdirSync(join(root, "made")).toSorted()).toEqual(["deep", "kept", "link"]);
    });
  });

  // Case 23: nobody granted a step more than a container has.
  test("a step has the privileges of a plain container", async () => {
    const { text: told } = await rig.build(
      text(
        "FROM base\nRUN grep -E '^(Cap(Inh|Prm|Eff|Bnd|Amb)|Seccomp|NoNewPrivs):' /proc/self/status; id; ls /dev\n",
      ),
    );
    expect(told).toContain(
      "CapInh:\t0000000000000000\nCapPrm:\t00000000a80425fb\nCapEff:\t00000000a80425fb\nCapBnd:\t00000000a80425fb\nCapAmb:\t0000000000000000",
    );
    expect(told).toContain("Seccomp:\t2");
    expect(told).not.toMatch(/^(kmsg|mem|sda|loop)/m);
  });

  test("a user's ids and groups are those of the image's own files", async () => {
    const { text: told } = await rig.build(
      text("FROM base\nUSER app\nWORKDIR /mine\nRUN id -u; id -G; pwd; stat -c %u:%g .; echo $HOME\n"),
    );
    expect(told).toContain("500\n600 700\n/mine\n500:600\n/home/app\n");
  });

  test("names, addresses and resolver are the step's own, and not committed", async () => {
    const { image, text: told } = await rig.build(
      text(
        "FROM base\nRUN hostname; cat /etc/hosts; echo mine >> /etc/hosts; test -s /etc/resolv.conf && echo resolves\n",
      ),
      { extraHosts: ["web:1.2.3.4"] },
    );
    expect(told).toContain("buildkitsandbox\n127.0.0.1\tlocalhost\n");
    expect(told).toContain("1.2.3.4\tweb\n");
    expect(told).toContain("resolves\n");
    await rig.files(image, async (root) => {
      expect(readdirSync(join(root, "etc")).toSorted()).toEqual(["group", "passwd"]);
    });
  });

  test("without a network there is only the loopback", async () => {
    const { text: told } = await rig.build(text("FROM base\nRUN --network=none ip -o link\n"));
    expect(told).toContain("1: lo:");
    expect(told).not.toContain("eth0");
  });

  test("a failing command ends the build with its code, and nothing is left", async () => {
    const failing = rig.build(text("FROM base\nRUN echo said; exit 7\n"), { tag: "failed" });
    await expect(failing).rejects.toMatchObject({
      message: "The command '/bin/sh -c echo said; exit 7' returned a non-zero code: 7",
      exitCode: 7,
    });
    expect(rig.images.find("failed")).toBeUndefined();
    expect(await rig.leftovers()).toEqual([]);
  });

  test("a command that is not there is refused with the code of a shell", async () => {
    await expect(rig.build(text('FROM base\nRUN ["nope"]\n'))).rejects.toMatchObject({
      message: expect.stringContaining('exec: "nope": executable file not found in $PATH'),
      exitCode: 127,
    });
    expect(await rig.leftovers()).toEqual([]);
  });

  test("a cancelled build leaves nothing half made", async () => {
    const stop = new AbortController();
    const building = rig.build(text("FROM base\nRUN sleep 60\n"), { signal: stop.signal });
    while ((await rig.leftovers()).length === 0) await Bun.sleep(5);
    await Bun.sleep(50);
    stop.abort(new Error("stopped"));
    await expect(building).rejects.toThrow("stopped");
    expect(await rig.leftovers()).toEqual([]);
  });

  test("archives are recognised by their content", async () => {
    const tar = await bytesOf(
      contextTar({ "d/f": { body: "in\n", uid: 7, gid: 8 }, "d/l": { type: "hardlink", linkName: "d/f" } }),
    );
    const { image } = await rig.build(
      text("FROM base\nADD a /a/\nADD b /b/\nADD c /c/\nADD note.gz /n/\nCOPY a /copied\n", {
        a: tar,
        b: gzipSync(tar),
        c: zstdCompressSync(tar),
        "note.gz": gzipSync("no archive"),
      }),
    );
    await rig.files(image, (root) => {
      for (const name of ["a", "b", "c"]) {
        expect(readFileSync(join(root, name, "d/l"), "utf8")).toBe("in\n");
        expect(statSync(join(root, name, "d/f")).uid).toBe(7);
      }
      expect(statSync(join(root, "n/note.gz")).isFile()).toBe(true);
      expect(statSync(join(root, "copied")).size).toBe(tar.byteLength);
    });
  });

  test("an archive that climbs or writes through a link is refused or kept inside", async () => {
    const climbing = await bytesOf(contextTar({ "../out": "x" }));
    await expect(rig.build(text("FROM base\nADD a /a/\n", { a: climbing }))).rejects.toThrow(
      'its path contains ".."',
    );
    const linking = await bytesOf(contextTar({ l: { type: "symlink", linkName: "/tmp" }, "l/written": "x" }));
    const { image } = await rig.build(text("FROM base\nADD a /a/\n", { a: linking }));
    await rig.files(image, (root) => expect(readFileSync(join(root, "tmp/written"), "utf8")).toBe("x"));
    expect(await rig.leftovers()).toEqual([]);
  });

  test("xz is refused by name", async () => {
    const xz = new Uint8Array([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0, 1, 2]);
    await expect(rig.build(text("FROM base\nADD a.xz /\n", { "a.xz": xz }))).rejects.toThrow(
      "xz compression is not supported",
    );
  });

  test("copies follow BuildKit's rules of place, owner and mode", async () => {
    const { image } = await rig.build(
      text(
        `FROM base
RUN ln -s /real /link && mkdir -p /real /exists && echo old > /over && chmod 700 /over
WORKDIR /w
COPY f /new
COPY f /exists
COPY f /slash/
COPY f g /many/
COPY d /dir
COPY *.txt /texts/
COPY f /link/through
COPY f /over
COPY --parents d/e/x /kept/
COPY --exclude=*.md m /m
COPY --chmod=u=rwx,go=rX d /moded
COPY <<one <<two /inline/
1
one
2
two
COPY link-to-f /followed
COPY f .
`,
        {
          f: { body: "f", mode: 0o4755 },
          g: "g",
          "d/e/x": { body: "x", mode: 0o600 },
          "d/l": { type: "symlink", linkName: "/etc/passwd" },
          "a.txt": "a",
          "b.txt": "b",
          "m/a.md": "",
          "m/b": "",
          "link-to-f": { type: "symlink", linkName: "f" },
        },
      ),
    );
    await rig.files(image, async (root) => {
      const names = (
        await Bun.$`cd ${root} && find new exists slash many dir texts real over kept m moded inline followed w -printf '%p %y %m %U:%G %l\n' | sort`.text()
      ).replace(/ +$/gm, "");
      expect(names).toBe(`dir d 755 0:0
dir/e d 755 0:0
dir/e/x f 600 0:0
dir/l l 777 0:0 /etc/passwd
exists d 755 0:0
exists/f f 4755 0:0
followed f 4755 0:0
inline d 755 0:0
inline/one f 644 0:0
inline/two f 644 0:0
kept d 755 0:0
kept/d d 755 0:0
kept/d/e d 755 0:0
kept/d/e/x f 600 0:0
m d 755 0:0
m/b f 644 0:0
many d 755 0:0
many/f f 4755 0:0
many/g f 644 0:0
moded d 755 0:0
moded/e d 755 0:0
moded/e/x f 755 0:0
moded/l l 777 0:0 /etc/passwd
new f 4755 0:0
over f 4755 0:0
real d 755 0:0
real/through f 4755 0:0
slash d 755 0:0
slash/f f 4755 0:0
texts d 755 0:0
texts/a.txt f 644 0:0
texts/b.txt f 644 0:0
w d 755 0:0
w/f f 4755 0:0
`);
    });
  });

  test("files copied from a stage keep their owners", async () => {
    const { image } = await rig.build(
      text(
        "FROM base AS s\nRUN mkdir /d && touch /d/f && chown 5:6 /d/f && ln /d/f /d/hard\nFROM base\nCOPY --from=s /d /d\n",
      ),
    );
    await rig.files(image, (root) => {
      const [one, two] = [statSync(join(root, "d/f")), statSync(join(root, "d/hard"))];
      expect([one.uid, one.gid, one.ino === two.ino]).toEqual([5, 6, true]);
    });
  });

  const refusals: [string, string, string][] = [
    ["a file over a directory", "COPY d /x\nCOPY e /x", "cannot replace to directory /x/f with file"],
    ["a directory over a file", "COPY g /x\nCOPY d /x", "cannot copy to non-directory: /x"],
    ["an unknown user", "COPY --chown=nobody2 g /x", "unable to find user nobody2"],
    ["a missing file of a stage", "COPY --from=base /nope /x", "stat nope: file does not exist"],
    ["a wildcard without match", "COPY *.nope /x/", "no source files were specified"],
  ];
  for (const [name, lines, message] of refusals) {
    test(`${name} is refused`, async () => {
      const files = text(`FROM base\n${lines}\n`, { g: "2", "d/f/x": "3", "e/f": "4" });
      await expect(rig.build(files)).rejects.toThrow(message);
      expect(await rig.leftovers()).toEqual([]);
    });
  }

  test("a copy whose content is the same is not done again, whatever made it", async () => {
    const build = (comment: string) =>
      rig.build(
        text(
          `FROM base AS s\nRUN echo ${comment} > /ignored; echo same > /f; touch -d @1 /f\nFROM base\nCOPY --from=s /f /f\nRUN cat /f\n`,
        ),
      );
    await build("1");
    const { text: told } = await build("2");
    expect(told).toContain("Step 4/5 : COPY --from=s /f /f\n ---> Using cache");
    expect(told).toContain("Step 5/5 : RUN cat /f\n ---> Using cache");
    expect(told).toContain("---> Not cached: the command changed");
  });

  test("mounts of every kind are there for the step, and not in the image", async () => {
    const dockerfile = (word: string): string => `FROM base AS s
RUN mkdir /d && echo staged > /d/f && ln -s /etc/passwd /d/evil
FROM base
RUN --mount=type=bind,target=/ctx --mount=type=bind,from=s,source=/d,target=/stage,rw --mount=type=cache,target=/cache,id=words --mount=type=tmpfs,target=/t \\
  cat /ctx/f /stage/f; echo thrown > /stage/g; echo ${word} >> /cache/words; cat /cache/words; touch /t/x; ls / > /names
`;
    await rig.build(text(dockerfile("one"), { f: "context\n" }));
    const { image, text: told } = await rig.build(text(dockerfile("two"), { f: "context\n" }));
    expect(told).toContain("context\nstaged\none\ntwo\n");
    await rig.files(image, async (root) => {
      expect(readdirSync(root).toSorted()).toEqual(["bin", "etc", "names", "tmp"]);
    });
    expect(rig.builder.snapshotKeys()).toHaveLength(1);
    await rig.builder.prune({});
    expect(await rig.leftovers()).toEqual([]);
  });

  // Case 21: a source that is a link leads nowhere outside its own tree.
  test("the source of a mount is found inside its stage", async () => {
    const { text: told } = await rig.build(
      text(
        "FROM base AS s\nRUN ln -s /etc/../../../etc/passwd /evil && ln -s / /root\nFROM base\nRUN --mount=from=s,source=/evil,target=/e --mount=from=s,source=/root/bin,target=/b cat /e; ls /b\n",
      ),
    );
    expect(told).toContain("app:x:500:600::/home/app:/bin/sh\n");
    expect(told).toContain("busybox\n");
  });

  test("scripts run in the shell, or by their own interpreter", async () => {
    const { text: told } = await rig.build(
      text("FROM base\nRUN <<A\necho one\necho two\nA\nRUN <<B\n#!/bin/cat\nraw $x\nB\n"),
    );
    expect(told).toContain("one\ntwo\n");
    expect(told).toContain("#!/bin/cat\nraw $x\n");
  });

  test("ignored files are no part of the context", async () => {
    const { image } = await rig.build(
      text("FROM base\nCOPY . /c\n", {
        ".dockerignore": "*\n!keep\n!d/x\n",
        keep: "",
        drop: "",
        "d/x": "",
        "d/y": "",
      }),
    );
    await rig.files(image, async (root) => {
      expect((await Bun.$`cd ${root}/c && find . -type f | sort`.text()).trim()).toBe("./d/x\n./keep");
    });
  });

  test("SOURCE_DATE_EPOCH is the time of everything that is noted", async () => {
    const { image } = await rig.build(text("FROM base\nRUN true\nENV a=b\n"), {
      args: { SOURCE_DATE_EPOCH: "1000" },
    });
    expect(image.config.created).toBe("1970-01-01T00:16:40.000Z");
    expect(image.config.history.slice(-2).map(({ created }) => created)).toEqual(
      Array(2).fill("1970-01-01T00:16:40.000Z"),
    );
  });

  test("an image that nobody has is asked for at its registry, and the place is named", async () => {
    const missing = rig.build(text("FROM localhost:1/nothing\n"));
    await expect(missing).rejects.toThrow(/localhost:1[\s\S]*Dockerfile:1:6/);
  });
});
