/** A container's addresses as they were and are. */
export interface HostsChange {
  readonly before: readonly string[];
  readonly after: readonly string[];
  readonly hostname: string;
  readonly domainname?: string | undefined;
}

/** The text of `/etc/hosts` with the container's own lines as they are to be; other lines stay as they are. Pure. */
export function moveHosts(text: string, { before, after, hostname, domainname }: HostsChange): string {
  const gone = new Set(before.filter((address) => !after.includes(address)));
  const names = domainname === undefined ? hostname : `${hostname}.${domainname} ${hostname}`;
  const kept = text
    .split("\n")
    .filter((line) => !gone.has(line.split(/\s/)[0] ?? "") || !line.includes(hostname));
  const body = kept.join("\n");
  const added = after
    .filter((address) => !before.includes(address))
    .map((address) => `${address}\t${names}\n`);
  return `${body}${body === "" || body.endsWith("\n") ? "" : "\n"}${added.join("")}`;
}
