import { EngineError } from "#base/errors.ts";
import { command } from "../command.ts";
import { credentialsOf } from "../config/auth-headers.ts";
import { HUB_KEY, hostOfAddress } from "../config/registry-key.ts";
import { warnOfEnvironment } from "../config/environment-warning.ts";

export const logout = command({
  usage: "[SERVER]",
  about: "Log out from a registry.\nIf no server is specified, the default is Docker Hub.",
  arguments: { min: 0, max: 1 },
  flags: {},
  async run([server = ""], _flags, context) {
    warnOfEnvironment(context);
    const host = server === "" ? HUB_KEY : hostOfAddress(server);
    // Old clients kept addresses as they were typed.
    const addresses =
      server === "" ? [HUB_KEY] : [...new Set([server, host, `http://${host}`, `https://${host}`])];
    context.out.write(`Removing login credentials for ${host}\n`);
    const credentials = credentialsOf(context);
    const failures: string[] = [];
    for (const address of addresses) {
      try {
        await credentials.erase(address);
      } catch (error) {
        if (!EngineError.is(error)) throw error;
        failures.push(`${address}: ${error.message}\n`);
      }
    }
    // A helper that knows one of the spellings fails for the others: one that went is enough.
    if (failures.length === addresses.length) {
      context.error.write(`WARNING: could not erase credentials:\n${failures.join("")}`);
    }
    return 0;
  },
});
