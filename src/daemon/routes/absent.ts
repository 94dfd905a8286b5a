import { EngineError } from "#base/errors.ts";
import { json, notYet, type Route } from "../http/route.ts";

const NOT_A_MANAGER =
  'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.';

const NO_SWARM = "there is no swarm mode: an engine is one machine";
const NO_PLUGINS = "there are no plugins: what drives volumes, networks and logs is built in";

/** Read by clients that look whether they are in a swarm: Docker's own answer outside of one. */
const SWARM_ONLY: readonly (readonly [Route["method"], string])[] = [
  ["GET", "/nodes"],
  ["GET", "/nodes/{id}"],
  ["DELETE", "/nodes/{id}"],
  ["POST", "/nodes/{id}/update"],
  ["GET", "/swarm"],
  ["POST", "/swarm/leave"],
  ["POST", "/swarm/update"],
  ["GET", "/swarm/unlockkey"],
  ["POST", "/swarm/unlock"],
  ["GET", "/services"],
  ["POST", "/services/create"],
  ["GET", "/services/{id}"],
  ["DELETE", "/services/{id}"],
  ["POST", "/services/{id}/update"],
  ["GET", "/services/{id}/logs"],
  ["GET", "/tasks"],
  ["GET", "/tasks/{id}"],
  ["GET", "/tasks/{id}/logs"],
  ["GET", "/secrets"],
  ["POST", "/secrets/create"],
  ["GET", "/secrets/{id}"],
  ["DELETE", "/secrets/{id}"],
  ["POST", "/secrets/{id}/update"],
  ["GET", "/configs"],
  ["POST", "/configs/create"],
  ["GET", "/configs/{id}"],
  ["DELETE", "/configs/{id}"],
  ["POST", "/configs/{id}/update"],
];

/** Endpoints that clients ask for and this engine has not: each says why, and what to do instead. */
export function absentRoutes(): Route[] {
  return [
    ...SWARM_ONLY.map(([method, path]): Route => {
      const handle = (): Promise<never> => Promise.reject(new EngineError("unavailable", NOT_A_MANAGER));
      return { method, path, missing: { isPlanned: false, why: NO_SWARM }, handle };
    }),
    ...["init", "join"].map((verb) =>
      notYet("POST", `/swarm/${verb}`, {
        missing: NO_SWARM,
        hint: "start the containers one by one: darse run",
        isPlanned: false,
      }),
    ),
    { method: "GET", path: "/plugins", handle: async () => json([]) },
    ...(
      [
        ["GET", "/plugins/privileges"],
        ["POST", "/plugins/pull"],
        ["POST", "/plugins/create"],
        ["GET", "/plugins/{name...}/json"],
        ["POST", "/plugins/{name...}/enable"],
        ["POST", "/plugins/{name...}/disable"],
        ["POST", "/plugins/{name...}/upgrade"],
        ["POST", "/plugins/{name...}/push"],
        ["POST", "/plugins/{name...}/set"],
        ["DELETE", "/plugins/{name...}"],
      ] as const
    ).map(([method, path]) =>
      notYet(method, path, { missing: NO_PLUGINS, hint: "see darse info", isPlanned: false }),
    ),
    notYet("POST", "/build/cancel", {
      missing: "builds are not known by an id",
      hint: "close the connection of the build",
    }),
  ];
}
