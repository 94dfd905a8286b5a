import { EngineError } from "#base/errors.ts";
import { command } from "../command.ts";

export const port = command({
  usage: "CONTAINER [PRIVATE_PORT[/PROTO]]",
  arguments: { min: 1, max: 2 },
  flags: {},
  async run([id = "", wanted], _flags, context) {
    const { NetworkSettings } = await context.client.inspectContainer(id);
    const ports = Object.entries(NetworkSettings.Ports ?? {});
    const address = (ip: string): string => (ip.includes(":") ? `[${ip}]` : ip);
    if (wanted === undefined) {
      const lines = ports.flatMap(([name, bindings]) =>
        (bindings ?? []).map(({ HostIp, HostPort }) => `${name} -> ${address(HostIp)}:${HostPort}`),
      );
      for (const line of lines.toSorted()) context.out.write(`${line}\n`);
      return 0;
    }
    const key = wanted.includes("/") ? wanted : `${wanted}/tcp`;
    const bindings = ports.find(([name]) => name === key)?.[1] ?? [];
    if (bindings.length === 0)
      throw new EngineError("not-found", `no public port '${wanted}' published for ${id}`);
    for (const { HostIp, HostPort } of bindings) context.out.write(`${address(HostIp)}:${HostPort}\n`);
    return 0;
  },
});
