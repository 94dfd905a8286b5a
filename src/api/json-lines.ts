import { EngineError } from "#base/errors.ts";

/** No event or progress line is near this; what is longer is refused. */
const MAX_VALUE_BYTES = 16 * 1024 * 1024;

/** The JSON values of events and progress streams, one a line, as they arrive. @throws {EngineError} corrupt */
export async function* jsonLines(source: AsyncIterable<Uint8Array>): AsyncGenerator<unknown, void> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of source) {
    text += decoder.decode(chunk, { stream: true });
    const lines = text.split("\n");
    text = lines.pop() ?? "";
    if (text.length > MAX_VALUE_BYTES)
      throw new EngineError("corrupt", "Cannot read the engine's stream: a line is too long");
    for (const line of lines) if (line.trim() !== "") yield parse(line);
  }
  text += decoder.decode();
  if (text.trim() !== "") yield parse(text);
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line) as unknown;
  } catch (error) {
    throw new EngineError("corrupt", `Cannot read the engine's stream: "${line.slice(0, 80)}" is not JSON`, {
      cause: error,
    });
  }
}
