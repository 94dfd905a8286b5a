import { Fields, parseJson } from "#base/decode.ts";
import { EngineError } from "#base/errors.ts";
import type { BuildRequest, Credentials } from "#build/build-request.ts";
import type { StepNetwork, StepResources, StepRlimit } from "#build/graph/run-operation.ts";
import { parsePlatform } from "#oci/platform.ts";
import { canonicalReference, parseReference, type Reference } from "#oci/reference.ts";

import { booleanQuery, integerQuery } from "../http/query.ts";
import type { RouteRequest } from "../http/route.ts";

/** What `POST /build` asks for. @throws {EngineError} invalid; unsupported for what this builder does not do */
export function decodeBuildRequest({ query, headers, body }: RouteRequest): BuildRequest {
  refuseUnsupported(query);
  const dockerfile = dockerfilePath(query.get("dockerfile"));
  const target = query.get("target");
  const platform = query.get("platform");
  const shmBytes = integerQuery(query, "shmsize");
  const cgroupParent = query.get("cgroupparent");
  return {
    context: body,
    ...(dockerfile !== undefined && { dockerfile }),
    tags: tags(query),
    ...(target && { target }),
    buildArgs: stringMap(query, "buildargs"),
    labels: stringMap(query, "labels"),
    ...(platform && { platform: parsePlatform(platform) }),
    ignoresCache: booleanQuery(query, "nocache"),
    pulls: booleanQuery(query, "pull"),
    network: network(query.get("networkmode") ?? ""),
    extraHosts: query.getAll("extrahosts").flatMap((hosts) => hosts.split(",").filter((host) => host !== "")),
    resources: resources(query),
    rlimits: rlimits(query),
    ...(shmBytes && { shmBytes }),
    ...(cgroupParent && { cgroupParent }),
    credentials: credentials(headers.get("x-registry-config") ?? ""),
  };
}

function refuseUnsupported(query: URLSearchParams): void {
  const remote = query.get("remote") ?? "";
  if (remote !== "" && remote !== "client-session") {
    throw new EngineError(
      "unsupported",
      `Cannot build from "${remote}": only a context that the client sends is read`,
      {
        hint: "fetch it first, then build the folder: `git clone URL folder && darse build folder`",
      },
    );
  }
  if ((query.get("version") ?? "1") === "2" || remote !== "") {
    throw new EngineError(
      "unsupported",
      "Cannot build with BuildKit's protocol: this engine speaks the classic one",
      {
        hint: "set DOCKER_BUILDKIT=0 and build again, or use `darse build`",
      },
    );
  }
  if (booleanQuery(query, "squash"))
    throw new EngineError("unsupported", "Cannot squash: layers are kept as they are built");
  if (!["", "null", "[]"].includes(query.get("securityopt") ?? "")) {
    throw new EngineError(
      "invalid",
      "The daemon on this platform does not support setting security options on build",
    );
  }
  const isolation = query.get("isolation") ?? "";
  if (isolation !== "" && isolation !== "default") {
    throw new EngineError("invalid", `Unsupported isolation: "${isolation}"`);
  }
  const outputs = query.get("outputs") ?? "";
  if (!["", "null", "[]"].includes(outputs)) {
    throw new EngineError("unsupported", "Cannot use outputs: the image goes to this engine's store");
  }
}

function dockerfilePath(path: string | null): string | undefined {
  if (path === null || path === "") return undefined;
  return path === "Dockerfile" ? undefined : path;
}

/** @throws {EngineError} invalid, in Docker's words */
function tags(query: URLSearchParams): Reference[] {
  const names = new Set(query.getAll("t").filter((name) => name !== ""));
  return [...names].map((name) => {
    if (parseReference(name).digest !== undefined) {
      throw new EngineError("invalid", "build tag cannot contain a digest");
    }
    return canonicalReference(name);
  });
}

/** A JSON object of texts; `null` is a value that is not given. */
function stringMap(query: URLSearchParams, name: string): ReadonlyMap<string, string> {
  const values = jsonQuery(query, name).map(name, (value, path) => {
    if (value === null || typeof value === "string") return value;
    throw new EngineError("invalid", `Cannot read ${path}: it must be a string`);
  });
  return new Map(
    [...(values ?? [])].flatMap(([key, value]): [string, string][] => (value === null ? [] : [[key, value]])),
  );
}

function jsonQuery(query: URLSearchParams, name: string): Fields {
  const text = query.get(name) ?? "";
  return new Fields({ [name]: text === "" ? undefined : parseJson(text, `query parameter ${name}`) });
}

function network(mode: string): StepNetwork {
  switch (mode) {
    case "":
    case "default":
    case "bridge":
      return { kind: "bridge" };
    case "none":
      return { kind: "none" };
    case "host":
      return { kind: "host" };
    default: {
      const id = /^container:([0-9a-f]{64})$/.exec(mode)?.[1];
      if (id !== undefined) return { kind: "container", id };
      if (!mode.startsWith("container:")) return { kind: "named", name: mode };
      throw new EngineError("unsupported", `Cannot build on network "${mode}"`, {
        hint: "of a container the full id is needed: docker inspect -f {{.Id}}",
      });
    }
  }
}

function resources(query: URLSearchParams): StepResources {
  const [memoryBytes, memorySwapBytes, cpuShares, cpuPeriodUs, cpuQuotaUs] = [
    integerQuery(query, "memory"),
    integerQuery(query, "memswap"),
    integerQuery(query, "cpushares"),
    integerQuery(query, "cpuperiod"),
    integerQuery(query, "cpuquota"),
  ];
  const cpusetCpus = query.get("cpusetcpus");
  const cpusetMems = query.get("cpusetmems");
  return {
    ...(memoryBytes && { memoryBytes }),
    ...(memorySwapBytes && { memorySwapBytes }),
    ...(cpuShares && { cpuShares }),
    ...(cpuPeriodUs && { cpuPeriodUs }),
    ...(cpuQuotaUs && { cpuQuotaUs }),
    ...(cpusetCpus && { cpusetCpus }),
    ...(cpusetMems && { cpusetMems }),
  };
}

function rlimits(query: URLSearchParams): StepRlimit[] {
  const limits = jsonQuery(query, "ulimits").list("ulimits", (value, path) => {
    const fields = new Fields(value, path);
    const name = fields.required("Name", fields.string("Name"));
    const soft = fields.integer("Soft") ?? 0;
    return { name, soft, hard: fields.integer("Hard") ?? soft };
  });
  return limits ?? [];
}

/** `X-Registry-Config`: base64url of a map from host to what signs in there. What does not read is as good as absent. */
function credentials(header: string): ReadonlyMap<string, Credentials> {
  if (header === "") return new Map();
  try {
    const text = Buffer.from(header, "base64url").toString();
    const found = new Fields({ hosts: parseJson(text, "X-Registry-Config") }).map("hosts", decodeCredentials);
    return new Map(
      [...(found ?? [])].flatMap(([host, one]): [string, Credentials][] => (one ? [[host, one]] : [])),
    );
  } catch (error) {
    if (EngineError.is(error, "invalid")) return new Map();
    throw error;
  }
}

function decodeCredentials(value: unknown, path: string): Credentials | undefined {
  const fields = new Fields(value, path);
  const [token, identity] = [fields.string("registrytoken"), fields.string("identitytoken")];
  if (token) return { kind: "registry-token", token };
  if (identity) return { kind: "identity-token", token: identity };
  const username = fields.string("username");
  return username ? { kind: "password", username, password: fields.string("password") ?? "" } : undefined;
}
