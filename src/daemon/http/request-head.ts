import { EngineError } from "#base/errors.ts";

/** Request line and headers of one HTTP/1 request. */
export interface RequestHead {
  readonly method: string;
  /** As sent: path and query. */
  readonly target: string;
  readonly isHttp10: boolean;
  /** Lower-case names; repeated headers joined by a comma (RFC 9110, 5.3). */
  readonly headers: ReadonlyMap<string, string>;
}

/** How the body that follows a head is delimited. RFC 9112, 6.3. */
export type BodyFraming =
  | { readonly kind: "none" }
  | { readonly kind: "length"; readonly length: number }
  | { readonly kind: "chunked" };

/** A longer head is refused: enough for the largest X-Registry-Auth, little enough to hold for every client. */
export const MAX_HEAD_BYTES = 256 * 1024;

const REQUEST_LINE = /^([A-Z]{1,16}) (\/[!-~]*|\*) HTTP\/1\.([01])$/;
const HEADER = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([\t\x20-\x7e\x80-\xff]*?)[ \t]*$/;

/**
 * Parses the bytes before the blank line. Strict where leniency lets two readers disagree (case 35): no folded lines,
 * no blanks before the colon, no second length.
 *
 * @throws {EngineError} invalid
 */
export function parseRequestHead(text: string): RequestHead {
  const [first = "", ...lines] = text.split("\r\n");
  const line = REQUEST_LINE.exec(first);
  if (!line) throw new EngineError("invalid", "Cannot read request: malformed request line");
  const headers = new Map<string, string>();
  for (const header of lines) {
    const match = HEADER.exec(header);
    if (!match) throw new EngineError("invalid", "Cannot read request: malformed header");
    const name = (match[1] ?? "").toLowerCase();
    const before = headers.get(name);
    if (
      before !== undefined &&
      (name === "content-length" || name === "transfer-encoding" || name === "host")
    ) {
      throw new EngineError("invalid", `Cannot read request: more than one ${name} header`);
    }
    headers.set(name, before === undefined ? (match[2] ?? "") : `${before}, ${match[2]}`);
  }
  return { method: line[1] ?? "", target: line[2] ?? "", isHttp10: line[3] === "0", headers };
}

/** @throws {EngineError} invalid when length and chunking are both given, or either makes no sense */
export function bodyFraming({ headers }: RequestHead): BodyFraming {
  const encoding = headers.get("transfer-encoding");
  const length = headers.get("content-length");
  if (encoding !== undefined) {
    if (length !== undefined)
      throw new EngineError("invalid", "Cannot read request: both Content-Length and Transfer-Encoding");
    if (encoding.toLowerCase() !== "chunked") {
      throw new EngineError("invalid", `Cannot read request: unsupported Transfer-Encoding "${encoding}"`);
    }
    return { kind: "chunked" };
  }
  if (length === undefined) return { kind: "none" };
  if (!/^\d{1,15}$/.test(length))
    throw new EngineError("invalid", `Cannot read request: bad Content-Length "${length}"`);
  return length === "0" ? { kind: "none" } : { kind: "length", length: Number(length) };
}

/** True when the client asked to leave HTTP on this connection (`Connection: Upgrade`, `Upgrade: tcp`). */
export function wantsUpgrade({ headers }: RequestHead): boolean {
  return headers.has("upgrade") && hasToken(headers.get("connection"), "upgrade");
}

export function wantsClose(head: RequestHead): boolean {
  const connection = head.headers.get("connection");
  return hasToken(connection, "close") || (head.isHttp10 && !hasToken(connection, "keep-alive"));
}

function hasToken(header: string | undefined, token: string): boolean {
  return header?.split(",").some((part) => part.trim().toLowerCase() === token) ?? false;
}
