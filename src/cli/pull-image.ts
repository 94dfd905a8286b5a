import { familiarName, parseReference } from "#oci/reference.ts";
import type { Context } from "./context.ts";
import { type Output, silentOutput } from "./output.ts";
import { showProgress } from "./progress-view.ts";

export interface PullRequest {
  readonly name: string;
  readonly platform: string | undefined;
  readonly allTags?: boolean;
  /** Where progress goes; `undefined`: nowhere. */
  readonly output: Output | undefined;
}

/** Pulls one image, or every tag of a repository. @throws {EngineError} with the engine's message */
export async function pullImage(context: Context, request: PullRequest): Promise<void> {
  const name = parseReference(request.name);
  const tag = name.digest ?? name.tag ?? (request.allTags ? undefined : "latest");
  // Not loaded by commands that most often find their image here, such as run.
  const { authHeaderFor } = await import("./config/auth-headers.ts");
  const auth = await authHeaderFor(context, name.domain);
  const query = { fromImage: familiarName(name), tag, platform: request.platform };
  const messages = context.client.images.pull(query, auth);
  await showProgress(messages, request.output ?? silentOutput);
}
