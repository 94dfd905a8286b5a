import { Fields, parseJson } from "#base/decode.ts";
import { EngineError, type ErrorKind } from "#base/errors.ts";
import { readBounded } from "./bounded-body.ts";

const MAX_ERROR_BYTES = 64 * 1024;
const MAX_SHOWN = 300;

/** A refusal of the registry as an error, with the registry's own words. OCI distribution-spec, "Error Codes". */
export async function describeFailure(response: Response, what: string): Promise<EngineError> {
  const words = await wordsOf(response);
  return new EngineError(
    kindOf(response.status),
    `Cannot read ${what}: status ${response.status}${words === "" ? "" : ` (${words})`}`,
  );
}

function kindOf(status: number): ErrorKind {
  if (status === 401 || status === 403) return "unauthorized";
  if (status === 404) return "not-found";
  return status >= 500 || status === 429 || status === 408 ? "unavailable" : "invalid";
}

/** `manifest unknown: …`; empty when the body says nothing that can be read. */
async function wordsOf(response: Response): Promise<string> {
  try {
    const bytes = await readBounded(response, MAX_ERROR_BYTES, "an error");
    const errors = new Fields(parseJson(new TextDecoder().decode(bytes), "an error")).list(
      "errors",
      (value, path) => {
        const fields = new Fields(value, path);
        return fields.string("message") ?? fields.string("code") ?? "";
      },
    );
    return (errors ?? [])
      .join(", ")
      .replace(/[^\x20-\x7e]/g, " ")
      .slice(0, MAX_SHOWN);
  } catch (error) {
    if (!EngineError.is(error)) throw error;
    return "";
  }
}
