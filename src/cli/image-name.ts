import { type NamedReference, parseReference } from "#oci/reference.ts";

/** What a person called an image. */
export interface ImageName {
  readonly name: NamedReference;
  /** With domain and path as they are, tag and digest beside each other: what is printed and kept. */
  readonly full: string;
  /** Neither tag nor digest was given. */
  readonly isBare: boolean;
}

/** Reads a name and fills in `latest` where neither tag nor digest is given. @throws {EngineError} invalid */
export function parseImageName(text: string): ImageName {
  const parsed = parseReference(text);
  const isBare = parsed.tag === undefined && parsed.digest === undefined;
  const name = isBare ? { ...parsed, tag: "latest" } : parsed;
  const tag = name.tag === undefined ? "" : `:${name.tag}`;
  const digest = name.digest === undefined ? "" : `@${name.digest}`;
  return { name, full: `${name.domain}/${name.path}${tag}${digest}`, isBare };
}
