import type { Digest } from "#oci/digest.ts";
import type { Exchange } from "../http/exchange.ts";

export const NOT_MODIFIED_STATUS = 304;

/** The entity tag of what a digest names. */
export function tagOf(digest: Digest): string {
  return `"${digest}"`;
}

/** True when the client has what `digest` names. RFC 9110, section 13.1.2; a bare digest is taken too, as clients send it. */
export function isUnchanged(exchange: Exchange, digest: Digest): boolean {
  const wanted = (exchange.header("if-none-match") ?? "")
    .split(",")
    .map((tag) => tag.trim().replace(/^W\//, ""));
  return wanted.includes("*") || wanted.includes(tagOf(digest)) || wanted.includes(digest);
}
