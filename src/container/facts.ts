import { existsSync, readFileSync } from "node:fs";
import { hostname } from "node:os";
import { EngineError } from "#base/errors.ts";
import { readAccountFiles } from "#runtime/account-files.ts";
import { type ResolvedUser, resolveUser } from "#runtime/spec/user.ts";
import type { HostNames } from "./etc-files.ts";
import type { ContainerRoot } from "./neighbours.ts";

/** Small static programs that serve as process 1, where distributions put them. */
const INITS = [
  "/usr/bin/docker-init",
  "/usr/libexec/docker/docker-init",
  "/usr/bin/tini-static",
  "/usr/bin/catatonit",
  "/usr/libexec/podman/catatonit",
];

/** What containers that share the host's network see of it. */
export function readHostNames(): HostNames {
  return { hostname: hostname(), hosts: readFileSync("/etc/hosts", "utf8") };
}

/** @throws {EngineError} unavailable when this host has none */
export function findInit(): string {
  const path = INITS.find((candidate) => existsSync(candidate));
  if (path !== undefined) return path;
  throw new EngineError(
    "unavailable",
    `Cannot start with an init: none of ${INITS.join(", ")} is installed`,
    {
      hint: "apt-get install catatonit",
    },
  );
}

/** Who `user` is by the container's own account files. @throws {EngineError} invalid, in Docker's words */
export function userIn(
  root: ContainerRoot,
  user: string | undefined,
  groupAdd: readonly string[],
): ResolvedUser {
  return resolveUser(readAccountFiles(root), user ?? "", groupAdd);
}
