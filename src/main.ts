#!/usr/bin/env bun
// The one executable: the first argument says which program this process is. Each is loaded only when it is meant.

async function main(line: readonly string[]): Promise<number> {
  const [program, ...args] = line;
  switch (program) {
    case "worker":
      return await (await import("#daemon/worker.ts")).runWorker(args);
    case "daemon":
      // Everything is put away by now; what a container's monitor still holds open must not keep the process.
      return process.exit(await (await import("#daemon/main.ts")).runDaemon(args));
    case "registry":
      return await registry(args);
    case "doctor":
      return await (await import("#daemon/doctor.ts")).runDoctor(args);
    default:
      // Standard input that nobody reads any more must not keep a finished command; its output is written by now.
      return process.exit(await (await import("#cli/main.ts")).runCommandLine(line));
  }
}

/** A registry knows neither the kernel nor other registries: what it uses of them is handed to it. */
async function registry(args: readonly string[]): Promise<number> {
  const { runRegistry } = await import("#registry-server/main.ts");
  const { verifyBcrypt } = await import("#linux/password.ts");
  const { openKernel } = await import("#linux/real-kernel.ts");
  const { RegistryClient } = await import("#registry/registry-client.ts");
  const { HOST_FOLDERS } = await import("#registry/settings.ts");
  const { proxiesFrom } = await import("#registry/proxy.ts");
  return await runRegistry(args, {
    verifyPassword: verifyBcrypt,
    lock: (path) => openKernel().flock(path),
    connect: ({ domain, credentials, isInsecure }) =>
      new RegistryClient({
        domain,
        credentials: credentials && { kind: "password", ...credentials },
        settings: {
          hostFolders: HOST_FOLDERS,
          insecure: isInsecure ? [domain] : [],
          proxies: proxiesFrom(process.env),
        },
      }),
  });
}

process.exitCode = await main(process.argv.slice(2));
