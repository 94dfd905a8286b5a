import { readFileSync } from "node:fs";
import { isErrno } from "#base/errors.ts";
import { SYSTEMD_RESOLV_CONF, usesSystemdStub } from "./resolv-conf.ts";

const HOST_FILE = "/etc/resolv.conf";

/**
 * The text of the host's resolver file, empty when there is none. In place of systemd-resolved's, which names only its
 * stub on loopback, the one with the real resolvers, unless loopback is within reach (`isHost`).
 */
export function readHostResolvConf(isHost = false): string {
  const text = readIfPresent(HOST_FILE);
  return !isHost && usesSystemdStub(text) ? readIfPresent(SYSTEMD_RESOLV_CONF) || text : text;
}

function readIfPresent(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (isErrno(error, "ENOENT")) return "";
    throw error;
  }
}
