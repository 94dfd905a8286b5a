import type { RepositoryName } from "../names.ts";

export type Action = "pull" | "push" | "delete" | "*";

/** What a request needs to be allowed. Docker's token scope: `type:name:action,action`. */
export interface Access {
  readonly type: "repository" | "registry";
  readonly name: string;
  readonly actions: readonly Action[];
}

/** What a caller has proven. */
export interface Permission {
  /** Who it is, for the log; `undefined` when nobody asks. */
  readonly user: string | undefined;
  /** The repositories that it may read beside the one that it asked for. */
  readonly readable: "all" | readonly RepositoryName[];
}

/** Decides who may do what. */
export interface Guard {
  /**
   * @param authorization the header's value
   * @param wanted all of these; none of them still takes a caller that is known
   * @throws {Fault} UNAUTHORIZED with a challenge, TOOMANYREQUESTS
   */
  check(authorization: string | undefined, wanted: readonly Access[]): Promise<Permission>;
}

/** Lets everybody in. */
export const openToAll: Guard = {
  check: async () => ({ user: undefined, readable: "all" }),
};

export function mayRead({ readable }: Permission, repository: RepositoryName): boolean {
  return readable === "all" || readable.includes(repository);
}

export function repositoryAccess(name: RepositoryName, ...actions: Action[]): Access[] {
  return [{ type: "repository", name, actions }];
}
