import { EngineError } from "#base/errors.ts";
import { shortId } from "#base/ids.ts";
import { checkInterfaceName, mtuOf } from "./bridge-settings.ts";
import type { DriverName, NetworkInfo } from "./network-record.ts";

/** A network whose containers are stations of the LAN behind an interface of the host: macvlan or ipvlan. */
export interface LanSettings {
  readonly kind: "macvlan" | "ipvlan";
  readonly mode: string;
  /** An interface of the host; `eth0.50` is its VLAN 50, which is made when it is missing. Absent: no way out. */
  readonly parent?: string;
  /** `bridge`, `private` or `vepa`, of ipvlan. */
  readonly flag?: string;
  readonly mtu?: number;
}

const MODES: Readonly<Record<LanSettings["kind"], readonly string[]>> = {
  macvlan: ["bridge", "private", "vepa", "passthru"],
  ipvlan: ["l2", "l3", "l3s"],
};
const FLAGS = ["bridge", "private", "vepa"];

export function lanSettings({ driver, options }: Pick<NetworkInfo, "driver" | "options">): LanSettings {
  const kind = driver === "ipvlan" ? "ipvlan" : "macvlan";
  const parent = options["parent"];
  const flag = options["ipvlan_flag"];
  const mtu = mtuOf(options);
  return {
    kind,
    mode: options[`${kind}_mode`] || (MODES[kind][0] ?? ""),
    ...(parent && { parent }),
    ...(kind === "ipvlan" && flag && { flag }),
    ...(mtu !== undefined && { mtu }),
  };
}

/** `eth0.50` as interface and VLAN number; `undefined` for any other name. */
export function vlanOf(parent: string): { readonly link: string; readonly id: number } | undefined {
  const [, link = "", number = ""] = /^(.+)\.(\d{1,4})$/.exec(parent) ?? [];
  const id = Number(number);
  return link !== "" && id >= 1 && id <= 4094 ? { link, id } : undefined;
}

/** The name of the link that stands for no parent at all. */
export function dummyParent(networkId: string): string {
  return `dm-${shortId(networkId)}`;
}

/** @throws {EngineError} invalid for a mode or parent there cannot be, forbidden for a parent that another network has to itself */
export function checkLanOptions(
  network: Pick<NetworkInfo, "driver" | "options">,
  others: readonly NetworkInfo[],
): void {
  const { kind, mode, parent, flag } = lanSettings(network);
  if (!MODES[kind].includes(mode)) {
    throw new EngineError(
      "invalid",
      `requested ${kind} mode '${mode}' is not valid, '${MODES[kind][0]}' mode is the ${kind} driver default`,
      { hint: `-o ${kind}_mode=${MODES[kind].join("|")}` },
    );
  }
  if (flag !== undefined && !FLAGS.includes(flag)) {
    throw new EngineError("invalid", `requested ipvlan flag '${flag}' is not valid`, {
      hint: FLAGS.join("|"),
    });
  }
  if (parent === undefined) return;
  if (parent === "lo") {
    throw new EngineError("invalid", `loopback interface is not a valid ${kind} parent link`);
  }
  checkInterfaceName("parent", parent);
  const sharing = others.filter((one) => isLan(one.driver) && one.options["parent"] === parent);
  const blocking = sharing.find(
    (one) =>
      one.driver !== kind || mode === "passthru" || lanSettings(one).mode === "passthru" || kind === "ipvlan",
  );
  if (blocking === undefined) return;
  throw new EngineError("forbidden", `network ${blocking.name} is already using parent interface ${parent}`, {
    hint: `darse network rm ${blocking.name}, or another parent`,
  });
}

function isLan(driver: DriverName): boolean {
  return driver === "macvlan" || driver === "ipvlan";
}
