import type { ImageManifestSummary, ImageSummary } from "#api/images.ts";
import { shortId } from "#base/ids.ts";
import { humanSize } from "#base/sizes.ts";
import { ellipsis } from "./ellipsis.ts";

// What `docker images --tree` prints (docker/cli `image/tree.go`), without its colours:
//
//     IMAGE             ID             DISK USAGE   CONTENT SIZE   EXTRA
//     alpine:latest     beefdbd8a1da       13.6MB         4.09MB   U
//     ├─ linux/amd64    33735bd63cf8           0B             0B
//     └─ linux/arm64    9cee2b382fe2       13.6MB         4.09MB   U

const GAP = "   ";
/** Names get no less. */
const MIN_NAME_WIDTH = 12;
const UNTAGGED = "<untagged>";
const BRANCH = "├─ ";
const LAST_BRANCH = "└─ ";

interface Details {
  readonly id: string;
  readonly diskBytes: number;
  readonly contentBytes: number;
  readonly isInUse: boolean;
}

interface Column {
  readonly title: string;
  readonly width: number;
  readonly isRight: boolean;
  readonly value: (details: Details) => string;
}

const COLUMNS: readonly Column[] = [
  { title: "ID", width: 12, isRight: false, value: ({ id }) => shortId(id) },
  { title: "DISK USAGE", width: 10, isRight: true, value: ({ diskBytes }) => humanSize(diskBytes, 3) },
  {
    title: "CONTENT SIZE",
    width: 12,
    isRight: true,
    value: ({ contentBytes }) => humanSize(contentBytes, 3),
  },
  { title: "EXTRA", width: 5, isRight: false, value: ({ isInUse }) => (isInUse ? "U" : " ") },
];

interface TreeImage {
  readonly names: readonly string[];
  readonly details: Details;
  readonly children: readonly { readonly platform: string; readonly details: Details }[];
}

/** The images with their platforms below them. @param width of the screen; `undefined`: as wide as it gets */
export function imageTree(images: readonly ImageSummary[], width: number | undefined): string {
  const trees = images.map(toTree).toSorted(byName);
  const nameWidth = longestName(trees);
  const { columns, left } = fitColumns(width);
  const first = left === undefined ? nameWidth : Math.min(left, nameWidth);
  const isSpaced = trees.some(({ children }) => children.length > 0);
  const legend = width === undefined ? "" : `${" Info ->  U In Use".padStart(width)}\n`;
  const head = ["IMAGE".padEnd(first), ...columns.map((column) => align(column, column.title))].join(GAP);
  const bodies = trees.map((tree) => renderTree(tree, { columns, first, isSpaced }));
  return `${legend}${head}\n${bodies.join("")}`;
}

function toTree(image: ImageSummary): TreeImage {
  const manifests = image.Manifests ?? [];
  const children = manifests.flatMap((manifest) => {
    const data = manifest.ImageData;
    if (manifest.Kind !== "image" || !data) return [];
    const { os, architecture, variant } = data.Platform;
    const platform = [os, architecture, ...(variant ? [variant] : [])].join("/");
    return [{ platform, details: manifestDetails(manifest, data.Containers.length > 0) }];
  });
  return {
    names: (image.RepoTags ?? []).toSorted(),
    details: {
      id: image.Id,
      diskBytes: image.Size,
      contentBytes: manifests.reduce((sum, { Size }) => sum + Size.Content, 0),
      isInUse: image.Containers > 0 || children.some(({ details }) => details.isInUse),
    },
    children,
  };
}

function manifestDetails({ ID, Size }: ImageManifestSummary, isInUse: boolean): Details {
  return { id: ID, diskBytes: Size.Total, contentBytes: Size.Content, isInUse };
}

/** Those without a name come last. */
function byName(one: TreeImage, other: TreeImage): number {
  const [a, b] = [one.names[0], other.names[0]];
  if (a === b) return 0;
  if (a === undefined || b === undefined) return a === undefined ? 1 : -1;
  return a < b ? -1 : 1;
}

/** In bytes, as Docker counts: a platform's branch is three characters and seven bytes. */
function longestName(trees: readonly TreeImage[]): number {
  const texts = trees.flatMap(({ names, children }) => [
    ...(names.length === 0 ? [UNTAGGED] : names),
    ...children.map(({ platform }) => LAST_BRANCH + platform),
  ]);
  return Math.max("IMAGE".length, ...texts.map((text) => Buffer.byteLength(text)));
}

/** Columns go, from the right, when the name would be left too little. */
function fitColumns(width: number | undefined): {
  readonly columns: readonly Column[];
  readonly left: number | undefined;
} {
  if (width === undefined) return { columns: COLUMNS, left: undefined };
  let left = Math.max(width, 20);
  const columns: Column[] = [];
  for (const column of COLUMNS) {
    const needed = column.width + GAP.length;
    if (left - needed < MIN_NAME_WIDTH) break;
    left -= needed;
    columns.push(column);
  }
  return { columns, left };
}

interface Layout {
  readonly columns: readonly Column[];
  readonly first: number;
  readonly isSpaced: boolean;
}

function renderTree({ names, details, children }: TreeImage, layout: Layout): string {
  const { columns, first, isSpaced } = layout;
  const cells = (one: Details): string =>
    columns.map((column) => GAP + align(column, column.value(one))).join("");
  const shown = names.length === 0 ? [UNTAGGED] : names;
  const last = shown.at(-1) ?? "";
  // A name too long for its column has a line of its own.
  const lines = shown.slice(0, -1);
  if (last.length > first) lines.push(last, " ".repeat(first) + cells(details));
  else lines.push(last.padEnd(first) + cells(details));
  for (const [index, { platform, details: own }] of children.entries()) {
    const branch = index === children.length - 1 ? LAST_BRANCH : BRANCH;
    lines.push((branch + platform).padEnd(first) + cells(own));
  }
  return `${lines.join("\n")}\n${isSpaced ? "\n" : ""}`;
}

function align({ width, isRight }: Column, text: string): string {
  const cut = ellipsis(text, width);
  return isRight ? cut.padStart(width) : cut.padEnd(width);
}
