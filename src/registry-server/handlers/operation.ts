import type { Access, Permission } from "../auth/guard.ts";
import type { Answer, Exchange } from "../http/exchange.ts";
import type { Target } from "../http/target.ts";

export type TargetOf<K extends Target["kind"]> = Extract<Target, { readonly kind: K }>;

/** One method on one kind of target. */
export interface Operation<T> {
  /** A change: refused by a registry that is read-only. */
  readonly isChange?: boolean;
  readonly isRemoval?: boolean;
  needs(target: T): readonly Access[];
  handle(target: T, exchange: Exchange, permission: Permission): Promise<Answer>;
}

/** By method; `HEAD` is served by `GET` where it has no entry of its own. */
export type Operations<T> = Readonly<Record<string, Operation<T>>>;
