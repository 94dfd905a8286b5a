import { EngineError } from "#base/errors.ts";

export type Protocol = "tcp" | "udp" | "sctp";

export interface PortSpec {
  readonly first: number;
  readonly last: number;
  readonly protocol: Protocol;
}

/** Reads `80`, `80/tcp` or `8000-8010/udp`. @throws {EngineError} invalid */
export function parsePortSpec(text: string): PortSpec {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?(?:\/(tcp|udp|sctp))?$/i.exec(text);
  const first = Number(match?.[1]);
  const last = match?.[2] === undefined ? first : Number(match[2]);
  if (!match || first < 1 || last > 65535 || first > last) {
    throw new EngineError("invalid", `invalid port specification: "${text}"`);
  }
  return { first, last, protocol: asProtocol(match[3]) };
}

/** Every port of the text, `80/tcp`. */
export function portsOf(text: string): { readonly port: number; readonly protocol: Protocol }[] {
  const { first, last, protocol } = parsePortSpec(text);
  return Array.from({ length: last - first + 1 }, (_, index) => ({ port: first + index, protocol }));
}

function asProtocol(text = "tcp"): Protocol {
  const lower = text.toLowerCase();
  return lower === "udp" || lower === "sctp" ? lower : "tcp";
}
