import { parseJson } from "#base/decode.ts";
import { EngineError } from "#base/errors.ts";
import { decodeSeccompProfile, type SeccompProfile } from "#runtime/spec/seccomp.ts";

/** `HostConfig.SecurityOpt`, read. */
export interface SecurityOptions {
  readonly noNewPrivileges: boolean;
  readonly seccomp?: "default" | "unconfined" | SeccompProfile;
  readonly apparmor?: string;
  /** Nothing below `/proc` and `/sys` is masked or read-only. */
  readonly isUnmasked?: boolean;
}

/**
 * Reads `no-new-privileges`, `seccomp=…` (a profile's text: clients read the file), `apparmor=…`,
 * `systempaths=unconfined`; `label=…` changes nothing, as on every host without SELinux.
 *
 * @throws {EngineError} invalid
 */
export function parseSecurityOptions(entries: readonly string[]): SecurityOptions {
  let options: SecurityOptions = { noNewPrivileges: false };
  for (const entry of entries) options = { ...options, ...parseEntry(entry) };
  return options;
}

function parseEntry(entry: string): Partial<SecurityOptions> {
  const match = /^([a-z-]+)(?:[=:](.*))?$/s.exec(entry);
  const [, name, value] = match ?? [];
  switch (name) {
    case "no-new-privileges":
      if (value !== undefined && !["true", "false"].includes(value)) {
        throw new EngineError("invalid", `invalid --security-opt 2: "${entry}"`);
      }
      return { noNewPrivileges: value !== "false" };
    case "seccomp":
      return { seccomp: parseSeccomp(value ?? "") };
    case "apparmor":
      return value === undefined ? {} : { apparmor: value };
    case "label":
      if (value === undefined || value === "") break;
      return {};
    case "systempaths":
      if (value !== "unconfined") break;
      return { isUnmasked: true };
    default:
      break;
  }
  throw new EngineError("invalid", `invalid --security-opt 2: "${entry.slice(0, 200)}"`);
}

function parseSeccomp(value: string): "default" | "unconfined" | SeccompProfile {
  if (value === "unconfined") return "unconfined";
  if (value === "builtin" || value === "") return "default";
  if (value.trimStart().startsWith("{")) return decodeSeccompProfile(parseJson(value, "seccomp profile"));
  throw new EngineError("invalid", `Decoding seccomp profile failed: "${value.slice(0, 200)}" is not JSON`);
}
