import { expect, test } from "bun:test";
import { EngineError } from "#base/errors.ts";
import { canonicalReference, familiarReference, parseReference, withDefaultTag } from "./reference.ts";

const DIGEST = `sha256:${"a".repeat(64)}`;

// typed, as stored, as shown
const names: [string, string, string][] = [
  ["debian", "docker.io/library/debian:latest", "debian:latest"],
  ["debian:12", "docker.io/library/debian:12", "debian:12"],
  ["docker.io/debian", "docker.io/library/debian:latest", "debian:latest"],
  ["index.docker.io/library/debian", "docker.io/library/debian:latest", "debian:latest"],
  ["me/app", "docker.io/me/app:latest", "me/app:latest"],
  ["docker.io/library/me/app", "docker.io/library/me/app:latest", "library/me/app:latest"],
  ["localhost/app", "localhost/app:latest", "localhost/app:latest"],
  ["localhost:5000/app:1", "localhost:5000/app:1", "localhost:5000/app:1"],
  ["127.0.0.1:5000/a/b/c", "127.0.0.1:5000/a/b/c:latest", "127.0.0.1:5000/a/b/c:latest"],
  ["[::1]:5000/app", "[::1]:5000/app:latest", "[::1]:5000/app:latest"],
  ["registry.example/app", "registry.example/app:latest", "registry.example/app:latest"],
  ["Upper/app", "Upper/app:latest", "Upper/app:latest"],
  ["a__b/c-d.e_f", "docker.io/a__b/c-d.e_f:latest", "a__b/c-d.e_f:latest"],
  [`debian@${DIGEST}`, `docker.io/library/debian@${DIGEST}`, `debian@${DIGEST}`],
  [`debian:12@${DIGEST}`, `docker.io/library/debian@${DIGEST}`, `debian@${DIGEST}`],
];

for (const [typed, stored, shown] of names) {
  test(`${typed} is stored as ${stored} and shown as ${shown}`, () => {
    expect<string>(canonicalReference(typed)).toBe(stored);
    expect(familiarReference(withDefaultTag(parseReference(typed)))).toBe(shown);
  });
}

const refused = [
  "",
  ":latest",
  "debian:",
  "debian:a b",
  "-debian",
  "debian-",
  "a//b",
  "/debian",
  "debian/",
  "DEBIAN",
  "debian@sha256:short",
  `debian:${"t".repeat(129)}`,
  "a".repeat(256),
  "f".repeat(64),
  "host:port/app",
  "a..b/c",
  "../etc",
];

for (const name of refused) {
  test(`"${name.slice(0, 40)}" is not a reference`, () => {
    expect(() => parseReference(name)).toThrow(EngineError);
  });
}
