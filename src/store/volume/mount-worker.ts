import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { Fields, parseJson } from "#base/decode.ts";
import { errorMessage } from "#base/errors.ts";
import { MS_BIND, MS_REC, MS_REMOUNT } from "#linux/constants.ts";
import { openKernel } from "#linux/real-kernel.ts";
import { type LocalMount, localMount, serverName } from "./local-options.ts";

/*
 * A child of the engine: `worker mount {"target":"/…/_data","options":{"type":"nfs",…}}`. A server that does not answer
 * hangs this child and nobody else. What it mounts is mounted on the host and stays when it ends. Prints nothing, or
 * why it failed.
 */

/** Mounts one volume's data; resolves to the exit code. */
export async function runMountWorker(args: readonly string[]): Promise<number> {
  const fields = new Fields(parseJson(args[0] ?? "", "mount request"), "request");
  const target = fields.required("target", fields.string("target"));
  const wanted = localMount(Object.fromEntries(fields.stringMap("options") ?? []));
  if (wanted === undefined) return 0;
  const mount = await withAddress(wanted);
  try {
    const kernel = openKernel();
    const { device: source, type, flags, data, propagation } = mount;
    kernel.mount({ source, target, type, flags, data });
    const onlyRemounted = flags & ~(MS_BIND | MS_REC);
    // A bind takes its flags from what it shows, and others in a second call alone.
    if ((flags & MS_BIND) !== 0 && onlyRemounted !== 0) {
      kernel.mount({ source: "none", target, flags: MS_REMOUNT | MS_BIND | onlyRemounted });
    }
    if (propagation !== 0) kernel.mount({ source: "none", target, flags: propagation });
    return 0;
  } catch (error) {
    // Docker's text, in daemon/volume/local.
    process.stdout.write(
      `failed to mount local volume: mount ${mount.device}:${target}, flags: 0x${mount.flags.toString(16)}` +
        `${mount.data === "" ? "" : `, data: ${mount.data}`}: ${errorMessage(error)}`,
    );
    return 1;
  }
}

/** The kernel knows no names: `addr=nas` becomes `addr=10.0.0.5`. */
async function withAddress(mount: LocalMount): Promise<LocalMount> {
  const server = serverName(mount);
  if (server === undefined || isIP(server) !== 0) return mount;
  const { address } = await lookup(server);
  return { ...mount, data: mount.data.replace(`addr=${server}`, `addr=${address}`) };
}
