import { join } from "node:path";
import { type Digest, digestHex } from "#oci/digest.ts";
import type { RepositoryName, Tag, UploadId } from "../names.ts";

/*
 * The standard layout of the distribution project, below the root folder; other registries read and write it too.
 *
 *   docker/registry/v2/
 *     blobs/<algorithm>/<first two of hex>/<hex>/data
 *     repositories/<name>/
 *       _layers/<algorithm>/<hex>/link                    a blob that this repository has
 *       _manifests/revisions/<algorithm>/<hex>/link       a manifest that it has; its bytes are a blob
 *       _manifests/tags/<tag>/current/link                what the tag names
 *       _manifests/tags/<tag>/index/<algorithm>/<hex>/link    what it has ever named
 *       _uploads/<uuid>/{data,startedat}
 *
 * A link is a file that holds a digest. What is ours alone:
 *
 *   .darse/lock            held by the server of this folder
 *   .darse/control.sock    where `darse registry gc` finds it
 *   .darse/aside/          files on their way to their names
 *   .darse/incoming/       blobs on their way from an upstream registry, which may be gone on with
 */

/** The folders below are for the registry's own user. */
export const FOLDER_MODE = 0o700;
export const FILE_MODE = 0o600;

/** Paths of one registry's files. */
export class Layout {
  readonly root: string;
  readonly blobs: string;
  readonly repositories: string;
  readonly own: string;
  readonly aside: string;
  readonly incoming: string;
  readonly lock: string;
  readonly controlSocket: string;

  constructor(root: string) {
    this.root = root;
    this.blobs = join(root, "docker/registry/v2/blobs");
    this.repositories = join(root, "docker/registry/v2/repositories");
    this.own = join(root, ".darse");
    this.aside = join(this.own, "aside");
    this.incoming = join(this.own, "incoming");
    this.lock = join(this.own, "lock");
    this.controlSocket = join(this.own, "control.sock");
  }

  blob(digest: Digest): string {
    return join(this.blobs, algorithmOf(digest), digestHex(digest).slice(0, 2), digestHex(digest), "data");
  }

  part(digest: Digest): string {
    return join(this.incoming, `${algorithmOf(digest)}-${digestHex(digest)}.part`);
  }

  repository(name: RepositoryName): string {
    return join(this.repositories, name);
  }

  layers(name: RepositoryName): string {
    return join(this.repositories, name, "_layers");
  }

  layer(name: RepositoryName, digest: Digest): string {
    return join(this.layers(name), linkIn(digest));
  }

  revisions(name: RepositoryName): string {
    return join(this.repositories, name, "_manifests/revisions");
  }

  revision(name: RepositoryName, digest: Digest): string {
    return join(this.revisions(name), linkIn(digest));
  }

  tags(name: RepositoryName): string {
    return join(this.repositories, name, "_manifests/tags");
  }

  tag(name: RepositoryName, tag: Tag): string {
    return join(this.tags(name), tag);
  }

  currentOfTag(name: RepositoryName, tag: Tag): string {
    return join(this.tag(name, tag), "current/link");
  }

  pastOfTag(name: RepositoryName, tag: Tag, digest: Digest): string {
    return join(this.tag(name, tag), "index", linkIn(digest));
  }

  uploads(name: RepositoryName): string {
    return join(this.repositories, name, "_uploads");
  }

  upload(name: RepositoryName, id: UploadId): string {
    return join(this.uploads(name), id);
  }
}

function linkIn(digest: Digest): string {
  return join(algorithmOf(digest), digestHex(digest), "link");
}

function algorithmOf(digest: Digest): string {
  return digest.slice(0, digest.indexOf(":"));
}
