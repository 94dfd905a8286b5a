import { EngineError, isErrno } from "#base/errors.ts";
import { findListener } from "#linux/listener.ts";
import { reservePort } from "#linux/port-reservation.ts";
import { openTcpProxy, openUdpProxy } from "./port-proxy.ts";

/** The kernel may lack SCTP; such a port is then refused. */
export type PortProtocol = "tcp" | "udp" | "sctp";

export interface PortRequest {
  readonly containerPort: number;
  readonly protocol: PortProtocol;
  /** Every address of both families when absent or empty. */
  readonly hostIp?: string;
  /** Any free one when absent or 0; with `hostPortEnd` the first free one of a range. */
  readonly hostPort?: number;
  readonly hostPortEnd?: number;
}

export interface PortBinding {
  readonly containerPort: number;
  readonly protocol: PortProtocol;
  readonly hostIp: string;
  readonly hostPort: number;
}

/** Who asks, and for which address ports are held. */
export interface PublishContext {
  /** The container's addresses; it has one of them at least. */
  readonly ipv4?: string;
  readonly ipv6?: string;
  /** `endpoint web (3f2a…)`, for errors. */
  readonly subject: string;
  /** The container of ours that has the port published, by name. */
  holderOf(binding: PortBinding): string | undefined;
}

/**
 * Ports held for a container until this is disposed: reservations where rules of the firewall carry the traffic, proxies
 * on IPv6, to which rules alone cannot lead (see `holdIpv6`).
 */
export interface HeldPorts extends AsyncDisposable {
  readonly bindings: readonly PortBinding[];
}

/** How often another free port is asked for when the one found is taken in the other family. */
const RANDOM_ATTEMPTS = 16;

/** Finds a host port for each request and holds it. Nothing stays held when one fails. @throws {EngineError} */
export async function holdPorts(
  requests: readonly PortRequest[],
  context: PublishContext,
): Promise<HeldPorts> {
  await using stack = new AsyncDisposableStack();
  const bindings: PortBinding[] = [];
  for (const request of requests) {
    const held = await holdFirstFree(request, context);
    stack.use(held);
    bindings.push(...held.bindings);
  }
  return heldPorts(bindings, stack.move());
}

/** Holds ports that were found before, as after a restart of the engine. @throws {EngineError} */
export async function holdBinding(binding: PortBinding, context: PublishContext): Promise<HeldPorts> {
  await using stack = new AsyncDisposableStack();
  await hold(binding, context, stack);
  return heldPorts([binding], stack.move());
}

async function holdFirstFree(request: PortRequest, context: PublishContext): Promise<HeldPorts> {
  const candidates = hostPorts(request);
  for (const [position, port] of candidates.entries()) {
    try {
      return await holdFamilies(request, port, context);
    } catch (error) {
      if (position === candidates.length - 1 || !(error instanceof PortTaken)) throw error;
    }
  }
  throw new EngineError(
    "invalid",
    `Cannot publish port ${request.containerPort}: the host port range is empty`,
  );
}

/** Docker's default is both families, on one port number; a family that cannot be had is asked for by its address. */
async function holdFamilies(request: PortRequest, port: number, context: PublishContext): Promise<HeldPorts> {
  const { containerPort, protocol } = request;
  await using stack = new AsyncDisposableStack();
  const bindings: PortBinding[] = [];
  let hostPort = port;
  for (const hostIp of request.hostIp ? [request.hostIp] : wildcards(protocol, context)) {
    try {
      const binding = await hold({ containerPort, protocol, hostIp, hostPort }, context, stack);
      bindings.push(binding);
      hostPort = binding.hostPort;
    } catch (error) {
      // A host without IPv6 publishes on IPv4 alone, unless IPv6 was asked for.
      if (request.hostIp || bindings.length === 0 || !isWithoutFamily(error)) throw error;
    }
  }
  return heldPorts(bindings, stack.move());
}

/** The proxy carries neither IPv4 nor SCTP. */
function wildcards(protocol: PortProtocol, { ipv4, ipv6 }: PublishContext): string[] {
  if (ipv4 === undefined) return ["::"];
  return protocol === "sctp" && ipv6 === undefined ? ["0.0.0.0"] : ["0.0.0.0", "::"];
}

async function hold(
  wanted: PortBinding,
  context: PublishContext,
  stack: AsyncDisposableStack,
): Promise<PortBinding> {
  const holder = wanted.hostPort === 0 ? undefined : context.holderOf(wanted);
  if (holder !== undefined) throw allocated(wanted, context, holder);
  try {
    if (wanted.hostIp.includes(":")) return await holdIpv6(wanted, context, stack);
    if (context.ipv4 === undefined) throw withoutFamily(wanted, "IPv4");
    return reserve(wanted, stack);
  } catch (error) {
    throw refusal(error, wanted, context);
  }
}

function reserve(wanted: PortBinding, stack: AsyncDisposableStack): PortBinding {
  const { protocol, hostIp: address, hostPort: port } = wanted;
  const reservation = stack.use(reservePort({ protocol, address, port }));
  return { ...wanted, hostPort: reservation.port };
}

/**
 * A proxy holds the port. Where the container has IPv6 the rules lead to it what comes from other machines, and the
 * proxy carries only what rules cannot turn away: the kernel lets nothing from `::1` leave the host. Where the container
 * has none, the proxy carries all.
 */
async function holdIpv6(
  wanted: PortBinding,
  context: PublishContext,
  stack: AsyncDisposableStack,
): Promise<PortBinding> {
  const { protocol } = wanted;
  const address = context.ipv6 ?? context.ipv4;
  if (protocol === "sctp") {
    if (context.ipv6 === undefined) throw withoutFamily(wanted, "IPv6");
    return reserve(wanted, stack);
  }
  if (address === undefined) throw new Error("a container without an address cannot publish ports");
  const hostPort = wanted.hostPort === 0 ? anyFreePort(protocol) : wanted.hostPort;
  const open = protocol === "tcp" ? openTcpProxy : openUdpProxy;
  stack.use(await open({ hostIp: wanted.hostIp, hostPort, target: { address, port: wanted.containerPort } }));
  return { ...wanted, hostPort };
}

function anyFreePort(protocol: "tcp" | "udp"): number {
  using reservation = reservePort({ protocol, address: "0.0.0.0", port: 0 });
  return reservation.port;
}

function hostPorts({ hostPort = 0, hostPortEnd }: PortRequest): number[] {
  if (hostPort === 0) return Array.from({ length: RANDOM_ATTEMPTS }, () => 0);
  return Array.from({ length: (hostPortEnd ?? hostPort) - hostPort + 1 }, (_, i) => hostPort + i);
}

function heldPorts(bindings: readonly PortBinding[], stack: AsyncDisposableStack): HeldPorts {
  return { bindings, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

/** Docker's texts, which clients look for; kind `internal`, as Docker answers 500. */
function allocated(wanted: PortBinding, context: PublishContext, holder: string): EngineError {
  const what = `Bind for ${wanted.hostIp}:${wanted.hostPort} failed: port is already allocated`;
  return new PortTaken(`${prefix(context)}${what}`, {
    hint: `container ${holder} publishes that port: stop it, or choose another port`,
  });
}

function refusal(error: unknown, wanted: PortBinding, context: PublishContext): unknown {
  if (isErrno(error, "EPROTONOSUPPORT", "ESOCKTNOSUPPORT")) {
    const what = `${wanted.containerPort}/${wanted.protocol}`;
    return new EngineError("unsupported", `Cannot publish port ${what}: this kernel has no SCTP`, {
      cause: error,
      hint: "modprobe sctp",
    });
  }
  if (!isErrno(error, "EADDRINUSE", "EADDRNOTAVAIL", "EACCES")) return error;
  const isInUse = isErrno(error, "EADDRINUSE");
  const { hostIp, hostPort, protocol, containerPort } = wanted;
  const host = hostIp.includes(":") ? `[${hostIp}]` : hostIp;
  const reason = isInUse ? "address already in use" : "cannot assign requested address";
  const address = context.ipv4 ?? `[${context.ipv6}]`;
  const message = `${prefix(context)}failed to bind host port for ${host}:${hostPort}:${address}:${containerPort}/${protocol}: ${reason}`;
  if (!isInUse) return new EngineError("internal", message, { cause: error });
  const holder =
    protocol === "sctp" ? undefined : findListener({ protocol, port: hostPort, address: hostIp });
  const who = holder ? `${holder.command} (process ${holder.pid})` : "another program";
  return new PortTaken(message, {
    cause: error,
    hint: `${who} listens on that port: stop it, or choose another port`,
  });
}

function prefix({ subject }: PublishContext): string {
  return `driver failed programming external connectivity on ${subject}: `;
}

/** Another candidate of a range may still be free. */
class PortTaken extends EngineError {
  constructor(message: string, options: { readonly cause?: unknown; readonly hint: string }) {
    super("internal", message, options);
  }
}

function isWithoutFamily(error: unknown): boolean {
  const cause = error instanceof EngineError ? error.cause : error;
  return isErrno(cause, "EAFNOSUPPORT", "EADDRNOTAVAIL");
}

function withoutFamily({ hostIp, containerPort, protocol }: PortBinding, family: string): EngineError {
  const what = `Cannot publish port ${containerPort}/${protocol} on ${hostIp}`;
  return new EngineError("invalid", `${what}: the container has no ${family}`, {
    hint: "choose an address of the other family, or a network that has both",
  });
}
