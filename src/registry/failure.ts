import { Fields, parseJson } from "#base/decode.ts";
import { EngineError, type ErrorKind } from "#base/errors.ts";
import { readBounded } from "./bounded-body.ts";

const MAX_ERROR_BYTES = 64 * 1024;
const MAX_SHOWN = 300;

/** What a registry says when it refuses. OCI distribution-spec, "Error Codes". */
export interface Refusal {
  readonly status: number;
  /** `MANIFEST_UNKNOWN`, `DIGEST_INVALID` */
  readonly codes: readonly string[];
  /** For people; empty when the body says nothing that can be read. */
  readonly words: string;
}

/** Reads the body of an answer that is no success. */
export async function readRefusal(response: Response): Promise<Refusal> {
  const { status } = response;
  try {
    const bytes = await readBounded(response, MAX_ERROR_BYTES, "an error");
    const errors = new Fields(parseJson(new TextDecoder().decode(bytes), "an error")).list(
      "errors",
      (value, path) => {
        const fields = new Fields(value, path);
        const code = fields.string("code") ?? "";
        return { code, message: fields.string("message") ?? code };
      },
    );
    return {
      status,
      codes: (errors ?? []).map(({ code }) => code),
      words: (errors ?? [])
        .map(({ message }) => message)
        .join(", ")
        .replace(/[^\x20-\x7e]/g, " ")
        .slice(0, MAX_SHOWN),
    };
  } catch (error) {
    if (!EngineError.is(error)) throw error;
    return { status, codes: [], words: "" };
  }
}

/** A refusal as an error, with the registry's own words. @param attempt `Cannot read the manifest …` */
export function refusalError({ status, words }: Refusal, attempt: string): EngineError {
  return new EngineError(kindOf(status), `${attempt}: status ${status}${words === "" ? "" : ` (${words})`}`);
}

/** Both of it. */
export async function describeFailure(response: Response, attempt: string): Promise<EngineError> {
  return refusalError(await readRefusal(response), attempt);
}

function kindOf(status: number): ErrorKind {
  if (status === 401 || status === 403) return "unauthorized";
  if (status === 404) return "not-found";
  return status >= 500 || status === 429 || status === 408 ? "unavailable" : "invalid";
}
