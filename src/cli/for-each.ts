import { Semaphore } from "#base/semaphore.ts";
import type { CommandContext } from "./command.ts";
import { describeError } from "./describe-error.ts";

/** As many calls as Docker's command line makes at once. */
const AT_ONCE = 50;

/**
 * Runs `work` for every argument, many at once, and prints what it returns in the order of the arguments; `undefined`
 * prints nothing. Failures are printed after the rest; the exit code is 1 when there is one.
 */
export async function forEachArgument(
  args: readonly string[],
  context: CommandContext,
  work: (argument: string) => Promise<string | undefined>,
): Promise<number> {
  const places = new Semaphore(AT_ONCE);
  const results = args.map((argument) => places.run(() => work(argument)));
  const failures: unknown[] = [];
  for (const settled of await Promise.allSettled(results)) {
    if (settled.status === "rejected") failures.push(settled.reason);
    else if (settled.value !== undefined) context.out.write(`${settled.value}\n`);
  }
  for (const text of new Set(failures.map((failure) => describeError(failure, false))))
    context.error.write(`${text}\n`);
  return failures.length > 0 ? 1 : 0;
}
