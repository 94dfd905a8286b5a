#!/usr/bin/env bun
// The one executable: the first argument says which program this process is. Each is loaded only when it is meant.
const [program = "", ...args] = process.argv.slice(2);

switch (program) {
  case "worker": {
    const { runWorker } = await import("#daemon/worker.ts");
    process.exitCode = await runWorker(args);
    break;
  }
  case "daemon": {
    const { runDaemon } = await import("#daemon/main.ts");
    process.exitCode = await runDaemon(args);
    break;
  }
  case "doctor": {
    const { runDoctor } = await import("#daemon/doctor.ts");
    process.exitCode = await runDoctor(args);
    break;
  }
  default: {
    const { runCommandLine } = await import("#cli/main.ts");
    process.exitCode = await runCommandLine(process.argv.slice(2));
  }
}
