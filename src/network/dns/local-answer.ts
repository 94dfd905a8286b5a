import { addressBytes, addressText } from "#linux/netlink/ip-address.ts";
import { encodeName, reverseAddress } from "./domain-name.ts";
import { CLASS_INTERNET, TYPE } from "./message.ts";
import type { Answer, Query } from "./message.ts";
import type { KnownName } from "./name-table.ts";

/** Docker's own. */
const TTL_SECONDS = 600;

/** What one container may know of names. */
export interface Names {
  findName(name: string): KnownName | undefined;
  findAddress(address: string): string | undefined;
}

/**
 * What we know ourselves: the answers, none when the name is known but has nothing of that type, `undefined` when
 * somebody else is to be asked. A name that is known is never asked of others, whatever the type: they would deny that
 * it exists, and need not learn of it. Pure but for `random`, in [0, 1), which orders the addresses of a name.
 */
export function answerLocally(query: Query, names: Names, random: () => number): Answer[] | undefined {
  if (query.class !== CLASS_INTERNET) return undefined;
  const address = reverseAddress(query.name);
  if (address !== undefined) {
    const name = names.findAddress(addressText(addressBytes(address)));
    if (name === undefined) return undefined;
    return query.type === TYPE.PTR ? [answer(TYPE.PTR, encodeName(name))] : [];
  }
  const known = names.findName(query.name);
  if (known === undefined) return undefined;
  if (query.type === TYPE.A) return addresses(TYPE.A, known.ipv4, random);
  if (query.type === TYPE.AAAA) return addresses(TYPE.AAAA, known.ipv6, random);
  if (query.type !== TYPE.ANY) return [];
  return [...addresses(TYPE.A, known.ipv4, random), ...addresses(TYPE.AAAA, known.ipv6, random)];
}

/** In any order, so that those who take the first spread over all. */
function addresses(type: number, all: readonly string[], random: () => number): Answer[] {
  const order = [...all];
  for (let last = order.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    [order[last], order[other]] = [order[other] ?? "", order[last] ?? ""];
  }
  return order.map((address) => answer(type, addressBytes(address)));
}

function answer(type: number, data: Uint8Array): Answer {
  return { type, ttlSeconds: TTL_SECONDS, data };
}
