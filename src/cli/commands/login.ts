import { ApiError } from "#api/api-error.ts";
import type { LoginResponse } from "#api/system.ts";
import { EngineError } from "#base/errors.ts";
import { type CommandContext, command } from "../command.ts";
import { credentialsOf } from "../config/auth-headers.ts";
import { ConfigFile } from "../config/config-file.ts";
import { type Login, registryAuth } from "../config/credentials.ts";
import { warnOfEnvironment } from "../config/environment-warning.ts";
import { HUB_KEY, hostOfAddress, keyOfDomain } from "../config/registry-key.ts";
import { note } from "../note.ts";
import { Prompt } from "../prompt.ts";

const flags = {
  password: { type: "string", short: "p", help: "Password or Personal Access Token (PAT)" },
  passwordStdin: { type: "bool", help: "Take the Password or Personal Access Token (PAT) from stdin" },
  username: { type: "string", short: "u", help: "Username" },
} as const;

export const login = command({
  usage: "[OPTIONS] [SERVER]",
  about: "Authenticate to a registry.\nDefaults to Docker Hub if no server is specified.",
  arguments: { min: 0, max: 1 },
  flags,
  async run([server = ""], { password, passwordStdin, username }, context) {
    const isFromInput = passwordStdin || password === "-";
    checkFlags({ password, isFromInput, username });
    if (password && !isFromInput) {
      context.error.write("WARNING! Using --password via the CLI is insecure. Use --password-stdin.\n");
    }
    const secret = isFromInput ? await readSecret(context) : password;
    warnOfEnvironment(context);
    const address = server === "" ? HUB_KEY : keyOfDomain(hostOfAddress(server));
    const status = await signIn(context, address, { username: username?.trim(), password: secret });
    if (status !== "") context.out.write(`${status}\n`);
    return 0;
  },
});

interface Given {
  readonly username: string | undefined;
  readonly password: string | undefined;
}

/** What is wrong with the flags together, in Docker's words (cli/command/registry/login.go). */
function checkFlags({ password, isFromInput, username }: Given & { isFromInput: boolean }): void {
  const complain = (text: string): never => {
    throw new EngineError("invalid", text);
  };
  if (isFromInput && password !== undefined && password !== "-") {
    complain("conflicting options: cannot specify both --password and --password-stdin");
  }
  if (isFromInput && username === undefined) {
    complain("the --password-stdin option requires --username to be set");
  }
  if (username?.trim() === "") complain("username is empty");
  if (password === "") complain("password is empty");
}

/** Standard input without the end of its last line; everything else in it may be meant. */
async function readSecret(context: CommandContext): Promise<string> {
  const maximum = 1024 * 1024;
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of context.input) {
    size += part.byteLength;
    if (size > maximum) throw new EngineError("invalid", "Cannot read the password: it is too long");
    parts.push(part);
  }
  const text = Buffer.concat(parts)
    .toString()
    .replace(/(\r\n|\n|\r)$/, "");
  if (text.trim() === "") throw new EngineError("invalid", "password is empty");
  return text;
}

/** Tries what is kept when nothing was given, then what a person says. @returns what to print */
async function signIn(context: CommandContext, address: string, given: Given): Promise<string> {
  const isNothingGiven = !given.username && !given.password;
  const kept = isNothingGiven ? await credentialsOf(context).find(address) : undefined;
  if (kept?.username && kept.password) {
    const status = await signInAgain(context, address, kept);
    if (status !== undefined) return status;
  }
  const { username, password } = await ask(context, { address, given, usual: kept?.username });
  return await signInWith(context, address, { username, password });
}

/** @returns `undefined` when the registry does not take them any more */
async function signInAgain(
  context: CommandContext,
  address: string,
  kept: Login,
): Promise<string | undefined> {
  context.error.write(`Authenticating with existing credentials... [Username: ${kept.username}]\n`);
  note(context.error, "To login with a different account, run 'darse logout' followed by 'darse login'");
  context.error.write("\n\n");
  try {
    return await signInWith(context, address, kept);
  } catch (error) {
    if (!EngineError.is(error)) throw error;
    context.error.write(
      error.kind === "unauthorized"
        ? "Stored credentials invalid or expired\n"
        : `Login did not succeed, error: ${error.message}\n`,
    );
    return undefined;
  }
}

/** Keeps what the registry has taken: its token where it gives one, else the password. */
async function signInWith(context: CommandContext, address: string, tried: Login): Promise<string> {
  const { Status, IdentityToken } = await askRegistry(context, address, tried);
  const { password: _, ...nameless } = tried;
  const kept = IdentityToken ? { ...nameless, identityToken: IdentityToken } : tried;
  const place = await credentialsOf(context).store(address, kept);
  if (place === "file" && kept.password !== undefined) {
    const { path } = new ConfigFile(context.configFolder);
    context.error.write(`
WARNING! Your credentials are stored unencrypted in '${path}'.
Configure a credential helper to remove this warning. See
https://docs.docker.com/go/credential-store/

`);
  }
  return Status;
}

/** Through the engine, which knows registries as it will pull from them; without one the registry itself. */
async function askRegistry(context: CommandContext, address: string, tried: Login): Promise<LoginResponse> {
  try {
    return await context.client.system.login(registryAuth(address, tried));
  } catch (error) {
    const isUnanswered =
      (EngineError.is(error, "unavailable") || EngineError.is(error, "forbidden")) &&
      !(error instanceof ApiError);
    if (!isUnanswered) throw error;
    const { loginDirectly } = await import("../registry/direct-login.ts");
    return await loginDirectly(context, address, tried);
  }
}

interface Question {
  readonly address: string;
  readonly given: Given;
  /** The name that is taken when a person only presses return. */
  readonly usual: string | undefined;
}

async function ask(
  context: CommandContext,
  { address, given, usual }: Question,
): Promise<{ readonly username: string; readonly password: string }> {
  const { username, password } = given;
  if (username && password) return { username, password };
  if (!context.input.isTerminal) {
    throw new EngineError("invalid", "error: cannot perform an interactive login from a non-TTY device");
  }
  const prompt = new Prompt(context);
  if (!username && address === HUB_KEY) context.out.write("Log in to Docker Hub.\n");
  const name = username || (await prompt.line(usual ? `Username (${usual}): ` : "Username: ")) || usual;
  if (!name) throw new EngineError("invalid", "error: username is required");
  const secret = password || (await prompt.secret("Password: "));
  if (!secret) throw new EngineError("invalid", "error: password is required");
  return { username: name, password: secret };
}
