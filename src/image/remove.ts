import { EngineError } from "#base/errors.ts";
import { shortId } from "#base/ids.ts";
import { familiarReference, type NamedReference, parseReference, type Reference } from "#oci/reference.ts";
import { isIdOf, namesMeant } from "./identity.ts";
import type { Image, ImageUser } from "./image.ts";

/** What a removal does to an image. */
export type RemovalPlan =
  /** Some names go, the image stays under its others. */
  | { readonly kind: "untag"; readonly references: readonly Reference[] }
  /** All names go, but containers still use the image: it stays, dangling. */
  | { readonly kind: "leave-dangling"; readonly references: readonly Reference[] }
  | { readonly kind: "delete"; readonly references: readonly Reference[] };

/**
 * What `docker rmi` does, or why it refuses. Pure. [moby daemon/containerd/image_delete.go]
 *
 * @param text the name or id that was given
 * @throws {EngineError} conflict, in Docker's words
 */
export function planRemoval(
  text: string,
  image: Image,
  { users, force }: { readonly users: readonly ImageUser[]; readonly force: boolean },
): RemovalPlan {
  const { references } = image;
  if (isIdOf(text, image.id) || isIdOf(text, image.manifestDigest) || isIdOf(text, image.configDigest)) {
    refuseUsed(image, users, force);
    if (!force && repositories(references) > 1) {
      throw conflict(shortId(image.id), "must be forced", "image is referenced in multiple repositories");
    }
    return { kind: "delete", references };
  }
  const gone = withDigests(namesMeant(parseReference(text), references), references);
  if (gone.length < references.length) return { kind: "untag", references: gone };
  const [user] = users;
  if (!user) return { kind: "delete", references };
  if (force) return { kind: "leave-dangling", references };
  throw conflict(
    familiarReference(parseReference(gone[0] ?? text)),
    "must be forced",
    `container ${shortId(user.containerId)} is using its referenced image ${shortId(image.id)}`,
  );
}

/** The digests that a repository has the image under go with its last tag. [moby daemon/images/image_delete.go] */
function withDigests(gone: readonly Reference[], references: readonly Reference[]): readonly Reference[] {
  const left = references.filter((reference) => !gone.includes(reference)).map(parseReference);
  const repositoryOf = ({ domain, path }: NamedReference): string => `${domain}/${path}`;
  const tagged = new Set(left.filter(({ tag }) => tag !== undefined).map(repositoryOf));
  const untagged = new Set(
    gone
      .map(parseReference)
      .map(repositoryOf)
      .filter((name) => !tagged.has(name)),
  );
  return references.filter(
    (reference) => gone.includes(reference) || untagged.has(repositoryOf(parseReference(reference))),
  );
}

function refuseUsed(image: Image, users: readonly ImageUser[], force: boolean): void {
  const running = users.find((user) => user.isRunning);
  if (running) {
    const why = `image is being used by running container ${shortId(running.containerId)}`;
    throw conflict(shortId(image.id), "cannot be forced", why);
  }
  const [stopped] = users;
  if (!stopped || force) return;
  const why = `image is being used by stopped container ${shortId(stopped.containerId)}`;
  throw conflict(shortId(image.id), "must be forced", why);
}

function repositories(references: readonly Reference[]): number {
  return new Set(references.map(parseReference).map(({ domain, path }) => `${domain}/${path}`)).size;
}

function conflict(what: string, mood: "must be forced" | "cannot be forced", why: string): EngineError {
  return new EngineError("conflict", `conflict: unable to delete ${what} (${mood}) - ${why}`);
}
