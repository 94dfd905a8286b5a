import { accessSync } from "node:fs";
import { delimiter, resolve } from "node:path";
import { test } from "bun:test";
import { FIXTURES } from "./engine.ts";

type Need =
  | "root"
  | "overlay"
  | "crun"
  | "conmon"
  | "nft"
  | "busybox"
  | "docker-cli"
  | "docker-registry"
  | "openssl"
  | "skopeo"
  | "oras"
  | "docker-compose"
  | "services";

const PROGRAM: Readonly<Partial<Record<Need, string>>> = {
  crun: "crun",
  conmon: "conmon",
  nft: "nft",
  busybox: "busybox",
  "docker-cli": "docker",
  "docker-registry": "docker-registry",
  openssl: "openssl",
  skopeo: "skopeo",
  oras: process.env["DARSE_TEST_ORAS"] ?? "oras",
  "docker-compose": process.env["DARSE_TEST_COMPOSE"] ?? "docker-compose",
};

/**
 * `test` where this machine has all of `needs`; elsewhere a test that is skipped and says by its name what is missing.
 * With `CI` set nothing is skipped: what is missing then fails.
 */
export function needs(
  ...wanted: Need[]
): (name: string, work: () => Promise<void> | void, timeoutMs?: number) => void {
  const missing = wanted.filter((need) => !isMet(need));
  if (missing.length === 0 || process.env["CI"])
    return (name, work, timeoutMs) => test(name, work, timeoutMs);
  return (name) => test.skip(`${name} (skipped: no ${missing.join(", ")})`, () => undefined);
}

function isMet(need: Need): boolean {
  if (need === "root") return process.getuid?.() === 0;
  if (need === "overlay") return process.getuid?.() === 0;
  if (need === "services") return exists(resolve(FIXTURES, "services.tar"));
  const program = PROGRAM[need];
  return (
    program !== undefined &&
    [...(process.env["PATH"] ?? "").split(delimiter), "/usr/sbin", "/sbin"].some((folder) =>
      exists(resolve(folder, program)),
    )
  );
}

function exists(path: string): boolean {
  try {
    accessSync(path);
    return true;
  } catch {
    return false;
  }
}
