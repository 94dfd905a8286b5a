import { createInterface } from "node:readline";

/** The guest's side of `guest.ts` for Node programs. @param facts functions by the fact they prove */
export async function serveFacts(facts) {
  if (process.argv.includes("--list")) {
    process.stdout.write(`${JSON.stringify(Object.keys(facts))}\n`);
    return;
  }
  for await (const name of createInterface({ input: process.stdin })) {
    let verdict = { ok: true };
    try {
      await facts[name]();
    } catch (error) {
      verdict = { ok: false, error: String(error?.stack ?? error) };
    }
    process.stdout.write(`${JSON.stringify(verdict)}\n`);
  }
  // Libraries keep connections open; nothing is left to do.
  process.exit(0);
}
