import { EngineError } from "#base/errors.ts";

/** The text of the container's own account files; `undefined` where there is none. Never the host's. */
export interface AccountFiles {
  readonly passwd: string | undefined;
  readonly group: string | undefined;
}

export interface ResolvedUser {
  readonly uid: number;
  readonly gid: number;
  /** The primary group first, then the supplementary ones (leaving it out is CVE-2022-36109). */
  readonly groups: readonly number[];
  readonly home: string;
}

/** Linux has 2^32 − 1 as "unchanged" and Docker accepts ids below 2^31 only; beyond, an id wraps (CVE-2024-40635). */
const MAX_ID = 0x7fff_ffff;

interface PasswdEntry {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

interface GroupEntry {
  readonly name: string;
  readonly gid: number;
  readonly members: readonly string[];
}

/**
 * Who `user` is inside a container: empty, `name`, `uid`, `name:group`, `uid:gid` and their mixtures. A number needs no
 * entry; supplementary groups come from the group file only when no group was named; `groupAdd` is appended.
 * moby/sys/user `GetExecUser`, its error texts included.
 * @throws {EngineError} invalid
 */
export function resolveUser(
  files: AccountFiles,
  user: string,
  groupAdd: readonly string[] = [],
): ResolvedUser {
  const [userPart, groupPart] = split(user);
  const groups = parseGroup(files.group);
  const account = findAccount(files.passwd, userPart);
  const gid = groupPart === "" ? account.gid : findGroup(groups, groupPart);
  const supplementary = groupPart === "" && account.name !== undefined ? groupsOf(groups, account.name) : [];
  const added = groupAdd.map((name) => findGroup(groups, name));
  return {
    uid: inRange(account.uid),
    gid: inRange(gid),
    groups: [...new Set([gid, ...supplementary, ...added])].map(inRange),
    home: account.home,
  };
}

function split(user: string): [string, string] {
  const colon = user.indexOf(":");
  return colon < 0 ? [user, ""] : [user.slice(0, colon), user.slice(colon + 1)];
}

function findAccount(
  passwd: string | undefined,
  user: string,
): { name?: string; uid: number; gid: number; home: string } {
  const number = user === "" ? 0 : parseId(user);
  for (const entry of passwdEntries(passwd)) {
    if ((user !== "" && entry.name === user) || entry.uid === number) {
      return { name: entry.name, uid: entry.uid, gid: entry.gid, home: entry.home || "/" };
    }
  }
  if (number === undefined) {
    throw new EngineError("invalid", `unable to find user ${user}: no matching entries in passwd file`);
  }
  return { uid: inRange(number), gid: 0, home: "/" };
}

function findGroup(groups: readonly GroupEntry[], wanted: string): number {
  const number = parseId(wanted);
  const found = groups.find((group) => group.name === wanted || group.gid === number);
  if (found) return found.gid;
  if (number === undefined) {
    throw new EngineError("invalid", `unable to find group ${wanted}: no matching entries in group file`);
  }
  return inRange(number);
}

function groupsOf(groups: readonly GroupEntry[], name: string): number[] {
  return groups.filter((group) => group.members.includes(name)).map((group) => group.gid);
}

/** A decimal number as Go's `Atoi` reads it; anything else is a name. */
function parseId(text: string): number | undefined {
  return /^[+-]?\d+$/.test(text) ? Number(text) : undefined;
}

function inRange(id: number): number {
  if (Number.isSafeInteger(id) && id >= 0 && id <= MAX_ID) return id;
  throw new EngineError("invalid", `uids and gids must be in range 0-${MAX_ID}`);
}

/** Lines that are not well formed are passed over: a uid that is no number must never read as 0. */
function* passwdEntries(text: string | undefined): Generator<PasswdEntry> {
  for (const [name = "", , uid, gid, , home = ""] of lines(text)) {
    const numbers = [strictId(uid), strictId(gid)] as const;
    if (numbers[0] !== undefined && numbers[1] !== undefined) {
      yield { name, uid: numbers[0], gid: numbers[1], home };
    }
  }
}

function parseGroup(text: string | undefined): GroupEntry[] {
  return [...lines(text)].flatMap(([name = "", , gid, members = ""]) => {
    const number = strictId(gid);
    return number === undefined ? [] : [{ name, gid: number, members: members.split(",") }];
  });
}

function* lines(text: string | undefined): Generator<string[]> {
  for (const line of (text ?? "").split("\n")) {
    const trimmed = line.trim();
    if (trimmed !== "" && !trimmed.startsWith("#")) yield trimmed.split(":");
  }
}

function strictId(text: string | undefined): number | undefined {
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
}
