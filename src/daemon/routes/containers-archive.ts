import { EngineError } from "#base/errors.ts";
import type { ContainerFiles, FileChange, PathStat } from "#container/container-files.ts";
import { booleanQuery } from "../http/query.ts";
import { json, type Reply, type Route } from "../http/route.ts";

/** Files of containers, in and out: archive, export and changes of Engine API group Container. */
export function containerArchiveRoutes(files: ContainerFiles): Route[] {
  const archive = "/containers/{id}/archive";
  return [
    {
      method: "HEAD",
      path: archive,
      async handle({ param, query, signal }) {
        const stat = await files.stat(param("id"), pathQuery(query), signal);
        return { kind: "empty", status: 200, headers: statHeader(stat) };
      },
    },
    {
      method: "GET",
      path: archive,
      async handle({ param, query, signal }) {
        const { stat, content } = await files.read(param("id"), pathQuery(query), signal);
        return streamed(content, "application/x-tar", statHeader(stat));
      },
    },
    {
      method: "PUT",
      path: archive,
      async handle({ param, query, body, signal }) {
        const target = {
          path: pathQuery(query),
          refusesTypeChange: booleanQuery(query, "noOverwriteDirNonDir"),
          belongsToUser: booleanQuery(query, "copyUIDGID"),
        };
        await files.write(param("id"), target, body, signal);
        return { kind: "empty", status: 200 };
      },
    },
    {
      method: "GET",
      path: "/containers/{id}/export",
      handle: async ({ param, signal }) =>
        streamed(files.export(param("id"), signal), "application/octet-stream"),
    },
    {
      method: "GET",
      path: "/containers/{id}/changes",
      handle: async ({ param, signal }) => json((await files.changes(param("id"), signal)).map(encodeChange)),
    },
  ];
}

function streamed(
  content: AsyncIterable<Uint8Array>,
  contentType: string,
  headers: Readonly<Record<string, string>> = {},
): Reply {
  return {
    kind: "stream",
    status: 200,
    contentType,
    headers,
    async write(body) {
      for await (const chunk of content) await body.write(chunk);
    },
  };
}

function pathQuery(query: URLSearchParams): string {
  const path = query.get("path");
  if (path) return path;
  throw new EngineError("invalid", "bad parameter: path cannot be empty");
}

const KIND: Readonly<Record<FileChange["kind"], number>> = { C: 0, A: 1, D: 2 };

function encodeChange({ kind, path }: FileChange): { Path: string; Kind: number } {
  return { Path: path, Kind: KIND[kind] };
}

/** Bits of Go's `fs.FileMode`, in which the type stands above the permissions. */
const TYPE_BITS: Readonly<Record<PathStat["type"], number>> = {
  file: 0,
  directory: 2 ** 31,
  symlink: 2 ** 27,
  block: 2 ** 26,
  character: 2 ** 26 + 2 ** 21,
  fifo: 2 ** 25,
  socket: 2 ** 24,
};
const SPECIAL_BITS: readonly (readonly [number, number])[] = [
  [0o4000, 2 ** 23],
  [0o2000, 2 ** 22],
  [0o1000, 2 ** 20],
];

/** `X-Docker-Container-Path-Stat`: base64 of JSON. */
function statHeader(stat: PathStat): Record<string, string> {
  const { name, type, mode, size, mtimeNs, linkTarget } = stat;
  const special = SPECIAL_BITS.reduce((sum, [bit, go]) => sum + ((mode & bit) === 0 ? 0 : go), 0);
  const document = {
    name,
    size,
    mode: TYPE_BITS[type] + special + (mode & 0o777),
    mtime: formatTime(mtimeNs),
    linkTarget,
  };
  return { "X-Docker-Container-Path-Stat": Buffer.from(JSON.stringify(document)).toString("base64") };
}

function formatTime(ns: bigint): string {
  const milliseconds = ns >= 0n ? ns / 1_000_000n : (ns - 999_999n) / 1_000_000n;
  const fraction = String(ns - (milliseconds / 1000n) * 1_000_000_000n)
    .padStart(9, "0")
    .replace(/0+$/, "");
  const seconds = new Date(Number(milliseconds)).toISOString().slice(0, 19);
  return `${seconds}${fraction === "" || ns < 0n ? "" : `.${fraction}`}Z`;
}
