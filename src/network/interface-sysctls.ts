import { isErrno } from "#base/errors.ts";
import type { NetworkKernel } from "./driver.ts";

/** A kernel started with IPv6 off has none of its settings: those are passed over. */
export function writeIfPresent(
  kernel: Pick<NetworkKernel, "writeSysctl">,
  name: string,
  value: string,
): void {
  try {
    kernel.writeSysctl(name, value);
  } catch (error) {
    if (!isErrno(error, "ENOENT")) throw error;
  }
}

/**
 * What an interface inside is born with; called with the thread inside, before it appears. Without an address of IPv6 it
 * has no IPv6 at all, and it takes no router's word. `lo` keeps `::1`, as programs expect.
 */
export function prepareInterfaces(kernel: Pick<NetworkKernel, "writeSysctl">, hasIpv6: boolean): void {
  writeIfPresent(kernel, "net.ipv6.conf.default.disable_ipv6", hasIpv6 ? "0" : "1");
  writeIfPresent(kernel, "net.ipv6.conf.default.accept_ra", "0");
}
