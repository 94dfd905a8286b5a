import { readFileSync } from "node:fs";
import { silentLogger } from "#base/log.ts";
import { openKernel } from "#linux/real-kernel.ts";
import { Runtime } from "../runtime.ts";

/** An engine to be killed: starts the container of a specification, says so, and does nothing more. */
const [runDirectory = "", id = "", specPath = ""] = process.argv.slice(2);
const runtime = Runtime.open({ runDirectory, kernel: openKernel(), log: silentLogger });
await runtime.create(
  {
    id,
    spec: JSON.parse(readFileSync(specPath, "utf8")),
    log: {},
    tty: false,
    openStdin: false,
    stdinOnce: false,
  },
  AbortSignal.timeout(10_000),
);
await runtime.start(id);
process.stdout.write("started\n");
setInterval(() => undefined, 1000);
