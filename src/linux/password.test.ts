import { expect, test } from "bun:test";
import { verifyBcrypt } from "./password.ts";

// made by crypt(3) as Apache's htpasswd does; the prefixes name the same function
const HASH = "$2y$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW";

for (const prefix of ["$2y$", "$2b$", "$2a$"]) {
  test(`a bcrypt hash that begins with ${prefix} knows its password`, async () => {
    const hash = HASH.replace("$2y$", prefix);
    expect(await verifyBcrypt("secret", hash)).toBe(true);
    expect(await verifyBcrypt("Secret", hash)).toBe(false);
    expect(await verifyBcrypt("", hash)).toBe(false);
  });
}

test("what is behind 72 bytes does not count, as for htpasswd", async () => {
  const long = "x".repeat(72);
  const hash = await Bun.password.hash(long, { algorithm: "bcrypt", cost: 4 });
  expect(await verifyBcrypt(`${long}y`, hash)).toBe(true);
  expect(await verifyBcrypt(`${long.slice(1)}y`, hash)).toBe(false);
});
