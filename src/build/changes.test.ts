import { expect, test } from "bun:test";
import type { ImageExecutionConfig } from "#oci/image-config.ts";
import { applyChanges } from "./changes.ts";

const PATH = "PATH=/usr/bin:/bin";

const base: ImageExecutionConfig = { env: ["A=1", PATH], cmd: ["old"], onBuild: ["RUN make"] };

const table: [string[], ImageExecutionConfig][] = [
  [[], base],
  [['CMD ["sh"]'], { ...base, cmd: ["sh"], argsEscaped: true }],
  [["ENV B=$A A=2"], { ...base, env: ["A=2", PATH, "B=1"] }],
  [["ENTRYPOINT /x"], { env: ["A=1", PATH], entrypoint: ["/bin/sh", "-c", "/x"], onBuild: ["RUN make"] }],
  [["EXPOSE 80", "LABEL a=b"], { ...base, exposedPorts: ["80/tcp"], labels: new Map([["a", "b"]]) }],
  [["WORKDIR /a", "WORKDIR b"], { ...base, workingDir: "/a/b" }],
  [["ONBUILD RUN two"], { ...base, onBuild: ["RUN make", "RUN two"] }],
];

for (const [changes, want] of table) {
  test(`changes ${JSON.stringify(changes)}`, async () =>
    expect(await applyChanges(base, changes)).toEqual(want));
}

const refused: [string, string][] = [
  ["RUN true", "RUN is not a valid change command"],
  ["FROM x", "FROM is not a valid change command"],
  ["NOPE", "unknown instruction: NOPE"],
  ["USER a\nUSER b", "it is not one instruction"],
];

for (const [change, message] of refused) {
  test(`change ${JSON.stringify(change)} is refused`, async () => {
    await expect(applyChanges(base, [change])).rejects.toThrow(message);
  });
}
