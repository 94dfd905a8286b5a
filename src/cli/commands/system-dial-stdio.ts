import { command } from "../command.ts";

/** For `ssh://` hosts: the far end of the connection, which speaks HTTP over standard input and output. */
export const dialStdio = command({
  usage: "",
  arguments: { min: 0, max: 0 },
  flags: {},
  async run(_args, _flags, context) {
    const connection = await context.dial();
    const sending = (async () => {
      for await (const chunk of context.input) await connection.write(chunk);
      connection.end();
    })();
    const receiving = (async () => {
      for await (const chunk of connection.input) await context.out.stream(chunk);
    })();
    // When the engine has ended nobody reads what a terminal may still send; an error of either side ends both.
    await Promise.race([receiving, sending.then(() => receiving)]);
    return 0;
  },
});
