import { EngineError } from "#base/errors.ts";
import { isAddress } from "./ip.ts";

/** `--add-host name:ip` and `name=ip` as the API has it, `name:ip`; `host-gateway` stands for the host. */
export function parseExtraHost(text: string): string {
  const separator = /^[^:]*=/.test(text) ? "=" : ":";
  const at = text.indexOf(separator);
  const name = text.slice(0, at);
  const ip = text.slice(at + 1).replace(/^\[(.*)\]$/, "$1");
  if (at <= 0) throw new EngineError("invalid", `bad format for add-host: "${text}"`);
  if (ip !== "host-gateway" && !isAddress(ip)) {
    throw new EngineError("invalid", `invalid IP address in add-host: "${ip}"`);
  }
  return `${name}:${ip}`;
}
