import type { VolumeDocument } from "#api/volumes.ts";
import { decompressed } from "#image/decompress.ts";
import { rfc3339 } from "#base/clock.ts";
import { Fields } from "#base/decode.ts";
import { EngineError } from "#base/errors.ts";
import type { Volume, VolumeRequest } from "#store/volume/volume.ts";
import { booleanQuery, filtersQuery } from "../http/query.ts";
import { json, NO_CONTENT, type Route } from "../http/route.ts";
import type { Volumes } from "../volumes.ts";

export interface VolumeRoutesOptions {
  readonly volumes: Volumes;
  /** Where a volume's data lie on this host. */
  readonly pathOf: (name: string) => string;
}

/** The routes of Engine API group Volume. */
export function volumeRoutes({ volumes, pathOf }: VolumeRoutesOptions): Route[] {
  const encode = (volume: Volume): VolumeDocument => encodeVolume(volume, pathOf(volume.name));
  let isPruning = false;
  return [
    {
      method: "GET",
      path: "/volumes",
      handle: async ({ query }) =>
        json({ Volumes: volumes.list(filtersQuery(query)).map(encode), Warnings: null }),
    },
    {
      method: "POST",
      path: "/volumes/create",
      handle: async (request) => json(encode(await volumes.create(decodeVolume(await request.json()))), 201),
    },
    {
      method: "POST",
      path: "/volumes/prune",
      async handle({ query, apiVersion }) {
        if (isPruning) throw new EngineError("conflict", "a prune operation is already running");
        isPruning = true;
        try {
          const options = { namedToo: !apiVersion.atLeast(1, 42) };
          const { removed, reclaimedBytes } = await volumes.prune(filtersQuery(query), options);
          return json({ VolumesDeleted: removed, SpaceReclaimed: reclaimedBytes });
        } finally {
          isPruning = false;
        }
      },
    },
    {
      method: "GET",
      path: "/volumes/{name}",
      handle: async ({ param }) => json(encode(volumes.get(param("name")))),
    },
    {
      method: "DELETE",
      path: "/volumes/{name}",
      async handle({ param, query }) {
        await volumes.remove(param("name"), { force: booleanQuery(query, "force") });
        return NO_CONTENT;
      },
    },
    {
      method: "PUT",
      path: "/volumes/{name}",
      missing: {
        isPlanned: false,
        why: "only volumes of a swarm can be changed, and there is no swarm mode",
      },
      // Docker's own answer outside of a swarm.
      handle: () =>
        Promise.reject(
          new EngineError(
            "unavailable",
            "volume update only valid for cluster volumes, but swarm is unavailable",
            { hint: "to give a volume another name: darse volume rename; to copy it: darse volume clone" },
          ),
        ),
    },
    ...transferRoutes(volumes, encode),
  ];
}

/** Our own, beyond Docker: content out and in, copies, other names. */
function transferRoutes(volumes: Volumes, encode: (volume: Volume) => VolumeDocument): Route[] {
  return [
    {
      method: "GET",
      path: "/volumes/{name}/export",
      async handle({ param, signal }) {
        const content = await volumes.export(param("name"), signal);
        return {
          kind: "stream",
          status: 200,
          contentType: "application/x-tar",
          async write(body) {
            for await (const chunk of content) await body.write(chunk);
          },
        };
      },
    },
    {
      method: "POST",
      path: "/volumes/{name}/import",
      async handle({ param, query, body, signal }) {
        const options = { replaces: booleanQuery(query, "replace"), signal };
        await volumes.import(param("name"), decompressed(body, "the archive"), options);
        return NO_CONTENT;
      },
    },
    {
      method: "POST",
      path: "/volumes/{name}/clone",
      handle: async ({ param, query }) =>
        json(encode(await volumes.clone(param("name"), nameQuery(query))), 201),
    },
    {
      method: "POST",
      path: "/volumes/{name}/rename",
      async handle({ param, query }) {
        volumes.rename(param("name"), nameQuery(query));
        return Promise.resolve(NO_CONTENT);
      },
    },
  ];
}

function nameQuery(query: URLSearchParams): string {
  const name = query.get("name");
  if (name) return name;
  throw new EngineError("invalid", "bad parameter: name cannot be empty");
}

/** A volume as the API has it. */
export function encodeVolume(volume: Volume, mountpoint: string): VolumeDocument {
  const { name, driver, labels, options, createdAt, origin } = volume;
  return {
    CreatedAt: rfc3339(createdAt),
    Driver: driver,
    Labels: labels,
    Mountpoint: mountpoint,
    Name: name,
    Options: Object.keys(options).length > 0 ? options : null,
    Scope: "local",
    ...(origin !== undefined && {
      Status: {
        Container: origin.container,
        ContainerName: origin.containerName,
        Image: origin.image,
        Path: origin.path,
      },
    }),
  };
}

/** @throws {EngineError} invalid, naming the field; unavailable for a cluster volume */
function decodeVolume(body: unknown): VolumeRequest {
  const fields = new Fields(body);
  const name = fields.string("Name");
  if (fields.has("ClusterVolumeSpec")) {
    throw new EngineError(
      "unavailable",
      'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.',
      { hint: "this engine has no swarm mode: create a volume of this machine" },
    );
  }
  return {
    ...(name && { name }),
    driver: fields.string("Driver") || "local",
    labels: Object.fromEntries(fields.stringMap("Labels") ?? []),
    options: Object.fromEntries(fields.stringMap("DriverOpts") ?? []),
  };
}
