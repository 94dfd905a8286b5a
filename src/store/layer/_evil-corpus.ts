import { sampleEntry } from "#oci/tar/tar-fixtures.ts";
import type { TarEntry } from "#oci/tar/tar-entry.ts";
import type { TarBody } from "#oci/tar/tar-writer.ts";
import { tarOf } from "./_layer-bench.ts";

/** An archive that tries to reach out of its root. Unpacking may fail or succeed, the host must not notice. */
export interface EvilArchive {
  readonly name: string;
  readonly tar: Uint8Array;
}

type Member = readonly [TarEntry, TarBody?];

const EVIL = Buffer.from("evil");
/** From a layer's directory up to where `host` lies: `snapshots/<key>/diff`. */
const UP = "../../..";

/**
 * Shapes of published attacks (CVE-2014-9356, CVE-2019-14271, CVE-2021-32804, CVE-2021-37712, CVE-2025-11395,
 * CVE-2025-48387, CVE-2026-23745, CVE-2026-24842 and their kin), each in every form that fits it.
 *
 * @param host the absolute path of a folder that holds `file` and `folder/inner`
 */
export async function evilCorpus(host: string): Promise<EvilArchive[]> {
  const shapes = [
    ...escapingPaths(host),
    ...writesThroughLinks(host),
    ...hardLinks(host),
    ...poisonedDirectories(host),
    ...aliases(host),
    ...attributes(host),
    ...whiteouts(host),
  ];
  return await Promise.all(
    shapes.map(async ([name, ...members]) => ({ name, tar: await tarOf(...members) })),
  );
}

type Shape = [name: string, ...members: Member[]];

function file(path: string, fields: Partial<TarEntry> = {}): Member {
  return [sampleEntry({ path, size: EVIL.length, mode: 0o4777, uid: 4242, mtimeNs: 1n, ...fields }), [EVIL]];
}

function node(type: TarEntry["type"], path: string, fields: Partial<TarEntry> = {}): Member {
  const device = { major: 1, minor: 3 };
  const isDevice = type === "character" || type === "block";
  return [sampleEntry({ path, type, mode: 0o777, uid: 4242, ...(isDevice && { device }), ...fields })];
}

function link(path: string, linkName: string): Member {
  return node("symlink", path, { linkName });
}

function hard(path: string, linkName: string): Member {
  return node("hardlink", path, { linkName });
}

function escapingPaths(host: string): Shape[] {
  const paths = [
    `${UP}/host/file`,
    `./${UP}/host/file`,
    `a/../${UP}/host/file`,
    `${host}/file`,
    `/${host}/file`,
    `${"../".repeat(60)}${host.slice(1)}/file`,
    `${UP}/host/folder/.wh.inner`,
    "..",
    "a/..",
  ];
  return paths.flatMap((path): Shape[] => [
    [`file at ${path}`, file(path)],
    [`directory at ${path}`, node("directory", path)],
    [`symlink at ${path}`, link(path, "/etc/passwd")],
    [`hard link at ${path}`, file("own"), hard(path, "own")],
    [`device at ${path}`, node("character", path)],
    [`fifo at ${path}`, node("fifo", path)],
  ]);
}

function writesThroughLinks(host: string): Shape[] {
  const targets: [string, Member[]][] = [
    ["an absolute link", [link("l", host)]],
    ["a climbing link", [link("l", `${UP}/host`)]],
    ["a link to the root", [link("r", "/"), link("l", `r${host}`)]],
    ["a chain of links", [link("a", ".."), link("b", "a/.."), link("c", "b/.."), link("l", "c/host")]],
    ["a magic link", [link("l", `/proc/self/root${host}`)]],
    ["a link in a directory", [node("directory", "d"), link("d/x", `../${UP}/host`), link("l", "d/x")]],
  ];
  return targets.flatMap(([form, links]): Shape[] => [
    [`file through ${form}`, ...links, file("l/file")],
    [`new file through ${form}`, ...links, file("l/new")],
    [`directory through ${form}`, ...links, node("directory", "l/folder")],
    [`mode of the target of ${form}`, ...links, node("directory", "l/.")],
    [`whiteout through ${form}`, ...links, file("l/.wh.file")],
    [`opaque marker through ${form}`, ...links, file("l/folder/.wh..wh..opq")],
    [`device through ${form}`, ...links, node("block", "l/device")],
    [`symlink through ${form}`, ...links, link("l/file", "/etc/passwd")],
    [`hard link through ${form}`, ...links, hard("h", "l/file"), file("h")],
  ]);
}

function hardLinks(host: string): Shape[] {
  return [
    ["hard link to an absolute path, then written", hard("h", `${host}/file`), file("h")],
    ["hard link to a climbing path, then written", hard("h", `${UP}/host/file`), file("h")],
    ["hard link to a symlink, then written", link("s", `${host}/file`), hard("h", "s"), file("h")],
    ["hard link to a symlink, then written through", link("s", host), hard("h", "s"), file("h/file")],
    ["hard link to a chain", link("a", host), link("b", "a"), hard("h", "b/file"), file("h", { mode: 0 })],
    ["hard link to a directory", node("directory", "d"), hard("h", "d"), file("h/x")],
    ["hard link to itself", hard("h", "h"), file("h")],
    ["hard links in a circle", hard("a", "b"), hard("b", "a")],
    ["hard link to a whiteout", file(".wh.w"), hard("h", "w")],
  ];
}

function poisonedDirectories(host: string): Shape[] {
  return [
    ["directory replaced by a link", node("directory", "d"), file("d/one"), link("d", host), file("d/file")],
    [
      "directory replaced, then again",
      node("directory", "d"),
      link("d", host),
      node("directory", "d"),
      file("d/file"),
    ],
    ["implied directory replaced by a link", file("d/one"), link("d", host), file("d/file")],
    [
      "parent replaced by a link",
      node("directory", "p/d"),
      file("p/d/x"),
      link("p", host),
      file("p/folder/inner"),
    ],
    ["file used as a directory", file("f"), file("f/x")],
    ["link loop used as a directory", link("a", "b"), link("b", "a"), file("a/x")],
    ["time of a replaced directory", node("directory", "d", { mtimeNs: 5n }), link("d", host)],
    ["root replaced by a link", link(".", host), file("file")],
    ["root replaced by a file", file("/")],
  ];
}

function aliases(host: string): Shape[] {
  return [
    ["composed and decomposed name", link("caf\u00e9", host), file("cafe\u0301/file")],
    ["capital and small name", link("LINK", host), file("link/file")],
    ["sharp s and its capitals", link("stra\u00dfe", host), file("strasse/file")],
    ["trailing slash on a link", link("l", host), node("directory", "l/"), file("l/file")],
    ["dots and slashes", link("l", host), file(".//l/.//file")],
    ["name of 256 bytes", file("n".repeat(256))],
    ["backslash", file("..\\..\\..\\host\\file")],
  ];
}

function attributes(host: string): Shape[] {
  const names = [
    "trusted.overlay.redirect",
    "trusted.overlay.opaque",
    "trusted.overlay.metacopy",
    "trusted.overlay.whiteout",
    "user.overlay.redirect",
    "security.selinux",
    "security.evm",
  ];
  return names.map(
    (name): Shape => [
      `attribute ${name}`,
      node("directory", "d", { xattrs: new Map([[name, Buffer.from(host)]]) }),
      file("d/f", { xattrs: new Map([[name, Buffer.from("y")]]) }),
    ],
  );
}

function whiteouts(host: string): Shape[] {
  return [
    ["whiteout of nothing", file(".wh.")],
    ["whiteout of this directory", file("a/.wh..")],
    ["whiteout of the directory above", file("a/.wh...")],
    ["whiteout as a directory", node("directory", ".wh.d"), file(".wh.d/f")],
    ["whiteout as a link", link(".wh.l", host), file(".wh.l/file")],
    ["opaque marker as a link", link(".wh..wh..opq", host)],
    ["AUFS record of hard links", link(".wh..wh.plnk", host), file(".wh..wh.plnk/1.2")],
    ["whiteout device of its own", node("character", "w", { device: { major: 0, minor: 0 } }), file("w/f")],
  ];
}
