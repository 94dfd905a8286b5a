import { expect, test } from "bun:test";
import { errorMessage } from "#base/errors.ts";
import { digestOf, parseDigest, type Digest } from "#oci/digest.ts";
import { canonicalReference } from "#oci/reference.ts";
import {
  danglingReference,
  findImage,
  type Identified,
  isDangling,
  noSuchImage,
  taggableReference,
} from "./identity.ts";

const hex = (start: string): Digest => parseDigest(`sha256:${start.padEnd(64, "0")}`);

function image(id: Digest, names: readonly string[], more: Partial<Identified> = {}): Identified {
  return {
    id,
    references: names.map(canonicalReference),
    manifestDigests: [id],
    configDigests: [digestOf(id)],
    taggedAt: 1,
    ...more,
  };
}

const debian = image(hex("abcd1"), ["debian", "debian:12", "mirror.example/debian:12"]);
const busybox = image(hex("abcd2"), ["busybox:1.36"], { configDigests: [hex("c0f1")], taggedAt: 1 });
const again = image(hex("7777"), ["again"], { configDigests: [hex("c0f1")], taggedAt: 2 });
const index = image(hex("1d"), ["many"], { manifestDigests: [hex("aa11"), hex("aa22")] });
const cafe = image(hex("99"), ["cafe"]);
const dangling = image(hex("cafe"), []);
const images = [debian, busybox, again, index, cafe, dangling];

const found: readonly (readonly [text: string, wanted: Identified | undefined])[] = [
  ["debian", debian],
  ["debian:latest", debian],
  ["docker.io/library/debian", debian],
  ["library/debian:12", debian],
  ["mirror.example/debian:12", debian],
  ["debian:11", undefined],
  ["mirror.example/debian", undefined],
  ["busybox", undefined],
  [hex("abcd1"), debian],
  [hex("abcd1").slice(7), debian],
  ["abcd1", debian],
  ["sha256:abcd2", busybox],
  ["abcd10000000", debian],
  ["abc", undefined],
  ["sha256:abcd3", undefined],
  ["sha256:aa", undefined],
  ["c0f1", again],
  [hex("c0f1"), again],
  ["aa11", index],
  ["cafe", cafe],
  ["sha256:cafe", dangling],
  [`debian@${hex("abcd1")}`, debian],
  [`debian:nope@${hex("abcd1")}`, debian],
  [`mirror.example/debian@${hex("abcd1")}`, debian],
  [`busybox@${hex("abcd1")}`, undefined],
  [`other.example/debian@${hex("abcd1")}`, undefined],
];
for (const [text, wanted] of found) {
  test(`${text} finds ${wanted ? (wanted.references[0] ?? "the dangling image") : "nothing"}`, () => {
    expect(findImage(text, images)?.image).toBe(wanted as Identified);
  });
}

const refused: readonly (readonly [text: string, words: string])[] = [
  [
    "abcd",
    'Cannot resolve image "abcd": the prefix is ambiguous, 2 ids begin with it (abcd10000000, abcd20000000)',
  ],
  ["Debian", "invalid reference format: repository name (library/Debian) must be lowercase"],
  ["", "invalid reference format"],
  ["a b", "invalid reference format"],
];
for (const [text, words] of refused) {
  test(`"${text}" is refused: ${words}`, () => {
    expect(() => findImage(text, images)).toThrow(words);
  });
}

const missing: readonly (readonly [text: string, words: string])[] = [
  ["debian", "No such image: debian:latest"],
  ["docker.io/library/debian:12", "No such image: debian:12"],
  [hex("abcd1"), `No such image: ${hex("abcd1")}`],
  ["abcd1", "No such image: abcd1:latest"],
];
for (const [text, words] of missing) {
  test(`a missing ${text} is "${words}"`, () => {
    expect(errorMessage(noSuchImage(text))).toBe(words);
  });
}

const tags: readonly (readonly [text: string, wanted: string])[] = [
  ["app", "docker.io/library/app:latest"],
  ["localhost:5000/a/b:1", "localhost:5000/a/b:1"],
  ["sha256:abc", "refusing to create an ambiguous tag using digest algorithm as name"],
  [`app@${hex("ab")}`, "refusing to create a tag with a digest reference"],
  ["App", "invalid reference format"],
];
for (const [text, wanted] of tags) {
  test(`tagging ${text} gives ${wanted}`, () => {
    if (wanted.includes("/")) expect(String(taggableReference(text))).toBe(wanted);
    else expect(() => taggableReference(text)).toThrow(wanted);
  });
}

test("the name of a dangling image is one that nobody can write", () => {
  const reference = danglingReference(hex("ab"));
  expect(isDangling(reference)).toBe(true);
  expect(isDangling(canonicalReference(reference))).toBe(false);
});
