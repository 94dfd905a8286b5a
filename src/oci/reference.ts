import { EngineError } from "#base/errors.ts";
import { type Digest, findDigest } from "./digest.ts";

declare const brand: unique symbol;

/** A full reference, `domain/path:tag` or `domain/path@digest`, as the store keeps it. Made by `formatReference`. */
export type Reference = string & { readonly [brand]: "Reference" };

/** An image's name taken apart. Grammar and defaults: distribution/reference, as Docker normalises names. */
export interface NamedReference {
  /** `docker.io`, `localhost:5000`. */
  readonly domain: string;
  /** `library/debian`. */
  readonly path: string;
  readonly tag?: string;
  readonly digest?: Digest;
}

export const DEFAULT_DOMAIN = "docker.io";
export const DEFAULT_TAG = "latest";

const PATH_COMPONENT = "[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*";
const PATH = new RegExp(`^${PATH_COMPONENT}(?:/${PATH_COMPONENT})*$`);
const DOMAIN_COMPONENT = "(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])";
const DOMAIN = new RegExp(
  `^(?:${DOMAIN_COMPONENT}(?:\\.${DOMAIN_COMPONENT})*|\\[[0-9a-fA-F:]+\\])(?::[0-9]+)?$`,
);
const TAG = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
const MAX_NAME = 255;

/** True when `text` is a repository's name as a registry knows it, without domain. OCI distribution-spec, "Pull". */
export function isRepositoryPath(text: string): boolean {
  return text.length <= MAX_NAME && PATH.test(text);
}

export function isTag(text: string): boolean {
  return TAG.test(text);
}

/**
 * Reads a name as people type it; neither tag nor digest is filled in (see `withDefaultTag`).
 *
 * @throws {EngineError} invalid, in Docker's words
 */
export function parseReference(text: string): NamedReference {
  if (/^[0-9a-f]{64}$/.test(text)) {
    throw new EngineError(
      "invalid",
      `invalid repository name (${text}), cannot specify 64-byte hexadecimal strings`,
    );
  }
  const at = text.indexOf("@");
  const digest = at < 0 ? undefined : findDigest(text.slice(at + 1));
  const named = at < 0 ? text : text.slice(0, at);
  const colon = named.lastIndexOf(":");
  const hasTag = colon > named.lastIndexOf("/");
  const tag = hasTag ? named.slice(colon + 1) : undefined;
  const { domain, path } = splitDomain(hasTag ? named.slice(0, colon) : named);
  if (path !== path.toLowerCase()) {
    throw new EngineError("invalid", `invalid reference format: repository name (${path}) must be lowercase`);
  }
  const isWrong =
    !PATH.test(path) || !DOMAIN.test(domain) || (tag !== undefined && !TAG.test(tag)) || (at >= 0 && !digest);
  if (isWrong) throw new EngineError("invalid", "invalid reference format");
  if (path.length > MAX_NAME) {
    throw new EngineError(
      "invalid",
      `invalid reference format: repository name must not be more than ${MAX_NAME} characters`,
    );
  }
  return { domain, path, ...(tag !== undefined && { tag }), ...(digest !== undefined && { digest }) };
}

/** `latest` where neither tag nor digest was given. */
export function withDefaultTag(name: NamedReference): NamedReference {
  return name.tag === undefined && name.digest === undefined ? { ...name, tag: DEFAULT_TAG } : name;
}

/** The stored form. A digest wins over a tag, as in Docker. */
export function formatReference(name: NamedReference): Reference {
  const full = withDefaultTag(name);
  const suffix = full.digest !== undefined ? `@${full.digest}` : `:${full.tag}`;
  return `${full.domain}/${full.path}${suffix}` as Reference;
}

/** Parses, fills in the default tag, and formats: the key under which the store keeps what `text` names. */
export function canonicalReference(text: string): Reference {
  return formatReference(parseReference(text));
}

/** The short form people read: Docker's domain and `library/` dropped. */
export function familiarReference(name: NamedReference): string {
  const suffix = name.digest !== undefined ? `@${name.digest}` : name.tag !== undefined ? `:${name.tag}` : "";
  return `${familiarName(name)}${suffix}`;
}

/** The short form of the repository, without tag or digest. */
export function familiarName(name: NamedReference): string {
  if (name.domain !== DEFAULT_DOMAIN) return `${name.domain}/${name.path}`;
  return /^library\/[^/]+$/.test(name.path) ? name.path.slice("library/".length) : name.path;
}

/** The first part is a domain when it has a dot or a colon, or is `localhost`, or has capitals. */
function splitDomain(name: string): { domain: string; path: string } {
  const slash = name.indexOf("/");
  const first = slash < 0 ? "" : name.slice(0, slash);
  const isDomain =
    slash > 0 && (/[.:]/.test(first) || first === "localhost" || first !== first.toLowerCase());
  const domain = isDomain ? first : DEFAULT_DOMAIN;
  const path = isDomain ? name.slice(slash + 1) : name;
  if (domain !== DEFAULT_DOMAIN && domain !== "index.docker.io") return { domain, path };
  return { domain: DEFAULT_DOMAIN, path: path.includes("/") ? path : `library/${path}` };
}
