import { chmodSync, mkdirSync } from "node:fs";
import { PRIVATE_MODE } from "./layout.ts";

/** Makes `path` and what is missing above it, and sees to it that only root may enter. Idempotent. */
export function ensurePrivateDirectory(path: string): void {
  mkdirSync(path, { recursive: true, mode: PRIVATE_MODE });
  chmodSync(path, PRIVATE_MODE);
}
