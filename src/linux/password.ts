/** What bcrypt looks at. Bun would hash longer passwords first, and no longer agree with other implementations. */
const MAX_BYTES = 72;

/**
 * True when `password` is the one that `hash` was made of; bcrypt in any of its spellings (`$2a$`, `$2b$`, `$2y$`). The
 * work is done on another thread.
 */
export async function verifyBcrypt(password: string, hash: string): Promise<boolean> {
  return await Bun.password.verify(Buffer.from(password).subarray(0, MAX_BYTES), hash, "bcrypt");
}
