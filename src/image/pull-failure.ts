import { EngineError, errorMessage } from "#base/errors.ts";
import { familiarName, familiarReference, type NamedReference } from "#oci/reference.ts";

/**
 * Why a pull failed, in the words clients look for. [moby daemon/containerd/image_pull.go]
 *
 * @param phase "resolve" until the registry has named the image, "fetch" from then on
 */
export function pullFailure(error: unknown, name: NamedReference, phase: "resolve" | "fetch"): unknown {
  if (!EngineError.is(error)) return error;
  const text = familiarReference(name);
  const why = errorMessage(error);
  if (error.kind === "unauthorized" || (error.kind === "not-found" && isUnknownRepository(why))) {
    return new EngineError(
      "not-found",
      `pull access denied for ${familiarName(name)}, repository does not exist or may require 'docker login'`,
      { cause: error },
    );
  }
  if (error.kind === "not-found" && phase === "resolve") {
    return new EngineError(
      "not-found",
      `manifest for ${text} not found: manifest unknown: manifest unknown`,
      { cause: error },
    );
  }
  if (error.kind !== "unavailable")
    return new EngineError(error.kind, `Cannot pull ${text}: ${why}`, { cause: error });
  const what = phase === "resolve" ? "no answer from registry" : "the connection failed to registry";
  return new EngineError("unavailable", `Cannot pull ${text}: ${what} ${name.domain} (${why})`, {
    cause: error,
    hint: "without a registry, images come from files: `darse load -i FILE`, or `darse import FILE NAME` for a file system",
  });
}

function isUnknownRepository(words: string): boolean {
  return /repository name not known|name unknown/i.test(words);
}
