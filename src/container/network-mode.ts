import { EngineError } from "#base/errors.ts";

/** `HostConfig.NetworkMode`, read. */
export type NetworkMode =
  | { readonly kind: "none" }
  | { readonly kind: "host" }
  /** The namespace of another container, by what the person called it. */
  | { readonly kind: "container"; readonly reference: string }
  /** A network by name or id; `bridge` is the default one. */
  | { readonly kind: "network"; readonly name: string };

export const DEFAULT_NETWORK = "bridge";

/** @throws {EngineError} invalid */
export function parseNetworkMode(text: string | undefined): NetworkMode {
  if (text === undefined || text === "default") return { kind: "network", name: DEFAULT_NETWORK };
  if (text === "none" || text === "host") return { kind: text };
  if (!text.startsWith("container:")) return { kind: "network", name: text };
  const reference = text.slice("container:".length);
  if (reference === "") {
    throw new EngineError("invalid", "invalid container format container:<name|id>");
  }
  return { kind: "container", reference };
}
