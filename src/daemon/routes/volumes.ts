import type { VolumeDocument } from "#api/volumes.ts";
import { rfc3339 } from "#base/clock.ts";
import { Fields } from "#base/decode.ts";
import { EngineError } from "#base/errors.ts";
import type { Volume, VolumeRequest } from "#store/volume/volume-store.ts";
import { booleanQuery, filtersQuery } from "../http/query.ts";
import { json, NO_CONTENT, notYet, type Route } from "../http/route.ts";
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
    notYet("PUT", "/volumes/{name}", {
      missing: "only volumes of a swarm can be changed, and this engine has no swarm mode",
      hint: "make another volume: POST /volumes/create",
      isPlanned: false,
    }),
  ];
}

/** A volume as the API has it. */
export function encodeVolume(
  { name, driver, labels, createdAt }: Volume,
  mountpoint: string,
): VolumeDocument {
  return {
    CreatedAt: rfc3339(createdAt),
    Driver: driver,
    Labels: labels,
    Mountpoint: mountpoint,
    Name: name,
    Options: null,
    Scope: "local",
  };
}

/** @throws {EngineError} invalid, naming the field; unsupported for a cluster volume */
function decodeVolume(body: unknown): VolumeRequest {
  const fields = new Fields(body);
  const name = fields.string("Name");
  if (fields.has("ClusterVolumeSpec")) {
    throw new EngineError("unsupported", "Cannot create a cluster volume: this engine has no swarm mode");
  }
  return {
    ...(name && { name }),
    driver: fields.string("Driver") || "local",
    labels: Object.fromEntries(fields.stringMap("Labels") ?? []),
    options: Object.fromEntries(fields.stringMap("DriverOpts") ?? []),
  };
}
