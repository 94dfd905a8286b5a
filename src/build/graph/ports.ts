const PORT = /^(\d{1,5})(?:-(\d{1,5}))?(?:\/([a-z]+))?$/;
const MAX_PORT = 65_535;

/**
 * The ports that one word of EXPOSE names, as `80/tcp`; `undefined` when it names none. A host part (`8080:80`) means
 * nothing here and is passed over, as in Docker.
 */
export function parseExposedPorts(word: string): string[] | undefined {
  const match = PORT.exec(word.slice(word.lastIndexOf(":") + 1).toLowerCase());
  if (match === null) return undefined;
  const first = Number(match[1]);
  const last = Number(match[2] ?? first);
  const protocol = match[3] ?? "tcp";
  if (!["tcp", "udp", "sctp"].includes(protocol)) return undefined;
  if (first < 1 || last > MAX_PORT || last < first) return undefined;
  return Array.from({ length: last - first + 1 }, (_, index) => `${first + index}/${protocol}`);
}
