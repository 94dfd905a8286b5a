import { randomBytes } from "node:crypto";

declare const brand: unique symbol;

/** 64 lower-case hex characters. Made by `newContainerId`, or by `asContainerId` from our own records. */
export type ContainerId = string & { readonly [brand]: "ContainerId" };

/** 64 lower-case hex characters naming a network. */
export type NetworkId = string & { readonly [brand]: "NetworkId" };

const FULL_ID = /^[0-9a-f]{64}$/;

export function newContainerId(): ContainerId {
  return newId() as ContainerId;
}

export function newNetworkId(): NetworkId {
  return newId() as NetworkId;
}

/** Brands an id read back from our own records. */
export function asContainerId(text: string): ContainerId {
  return asFullId(text) as ContainerId;
}

/** Brands an id read back from our own records. */
export function asNetworkId(text: string): NetworkId {
  return asFullId(text) as NetworkId;
}

/**
 * 64 hex characters from 32 random bytes. An id whose first 12 characters are all digits is never handed out: the
 * short form would read as a number (behaviour of Docker's stringid).
 */
export function newId(): string {
  for (;;) {
    const id = randomBytes(32).toString("hex");
    if (!/^[0-9]{12}/.test(id)) return id;
  }
}

/** The first 12 characters, without an algorithm prefix: what people read and type. */
export function shortId(id: string): string {
  return id.replace(/^sha256:/, "").slice(0, 12);
}

function asFullId(text: string): string {
  if (!FULL_ID.test(text)) throw new Error(`not a full id: ${text}`);
  return text;
}
