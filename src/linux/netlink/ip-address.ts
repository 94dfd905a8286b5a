/** `192.0.2.1` as its 4 bytes, an IPv6 address as its 16. @throws {Error} for anything else. */
export function addressBytes(address: string): Uint8Array {
  const bytes = address.includes(":") ? ipv6Bytes(address) : ipv4Bytes(address);
  if (bytes === undefined) throw new Error(`not an IP address: ${address}`);
  return bytes;
}

/** The text of 4 or 16 bytes; IPv6 with its longest run of zeros as `::` (RFC 5952). */
export function addressText(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join(".");
  const groups = Array.from({ length: 8 }, (_, i) => ((bytes[2 * i] ?? 0) << 8) | (bytes[2 * i + 1] ?? 0));
  const run = longestZeroRun(groups);
  const text = (part: number[]): string => part.map((group) => group.toString(16)).join(":");
  if (run.length < 2) return text(groups);
  return `${text(groups.slice(0, run.start))}::${text(groups.slice(run.start + run.length))}`;
}

/** `02:42:ac:11:00:02` as its 6 bytes. @throws {Error} for anything else. */
export function macBytes(mac: string): Uint8Array {
  if (!/^[0-9a-f]{2}([:-][0-9a-f]{2}){5}$/i.test(mac)) throw new Error(`not a MAC address: ${mac}`);
  return Uint8Array.from(mac.split(/[:-]/), (pair) => Number.parseInt(pair, 16));
}

export function macText(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(":");
}

function ipv4Bytes(address: string): Uint8Array | undefined {
  const parts = address.split(".");
  if (parts.length !== 4 || !parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) <= 255)) {
    return undefined;
  }
  return Uint8Array.from(parts, Number);
}

function ipv6Bytes(address: string): Uint8Array | undefined {
  const [head = "", tail, ...more] = address.split("::");
  if (more.length > 0) return undefined;
  if (tail !== undefined && head.includes(".")) return undefined;
  const front = groupBytes(head);
  const back = groupBytes(tail ?? "");
  if (front === undefined || back === undefined) return undefined;
  const missing = 16 - front.length - back.length;
  if (tail === undefined ? missing !== 0 : missing < 2) return undefined;
  return Uint8Array.from([...front, ...new Uint8Array(missing), ...back]);
}

/** The bytes of `a:b:c` or, at its end, of a dotted IPv4 address; none for empty text. */
function groupBytes(text: string): number[] | undefined {
  if (text === "") return [];
  const bytes: number[] = [];
  const groups = text.split(":");
  for (const [position, group] of groups.entries()) {
    if (group.includes(".")) {
      const dotted = position === groups.length - 1 ? ipv4Bytes(group) : undefined;
      if (dotted === undefined) return undefined;
      bytes.push(...dotted);
    } else if (/^[0-9a-f]{1,4}$/i.test(group)) {
      const value = Number.parseInt(group, 16);
      bytes.push(value >> 8, value & 0xff);
    } else return undefined;
  }
  return bytes;
}

function longestZeroRun(groups: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  let start = 0;
  for (let at = 0; at <= groups.length; at++) {
    if (groups[at] === 0) continue;
    if (at - start > best.length) best = { start, length: at - start };
    start = at + 1;
  }
  return best;
}
