import { parseReference } from "#oci/reference.ts";

/** A name and a tag sent apart; the tag may be a digest. A digest in the name wins, else the tag sent apart does. */
export function referenceFrom(name: string, tag: string): string {
  if (tag === "") return name;
  const parsed = parseReference(name);
  if (parsed.digest !== undefined) return name;
  const bare = parsed.tag === undefined ? name : name.slice(0, -parsed.tag.length - 1);
  return tag.includes(":") ? `${bare}@${tag}` : `${bare}:${tag}`;
}
