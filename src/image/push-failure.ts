import { EngineError, errorMessage } from "#base/errors.ts";
import { familiarName, familiarReference, type NamedReference } from "#oci/reference.ts";

/** Why a push failed, in the words clients look for. [moby daemon/containerd/image_push.go, containerd remotes/docker] */
export function pushFailure(error: unknown, name: NamedReference): unknown {
  if (!EngineError.is(error)) return error;
  const why = errorMessage(error);
  if (error.kind === "unauthorized") {
    return new EngineError(
      "unauthorized",
      `push access denied for ${familiarName(name)}, repository does not exist or may require authorization: ${why}`,
      { cause: error, hint: `darse login ${name.domain}` },
    );
  }
  if (error.kind === "unavailable") {
    return new EngineError(
      "unavailable",
      `Cannot push ${familiarReference(name)}: the connection failed to registry ${name.domain} (${why})`,
      { cause: error, ...(error.hint !== undefined && { hint: error.hint }) },
    );
  }
  return new EngineError(error.kind, `Cannot push ${familiarReference(name)}: ${why}`, {
    cause: error,
    ...(error.hint !== undefined && { hint: error.hint }),
  });
}
