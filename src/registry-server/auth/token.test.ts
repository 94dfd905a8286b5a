import { execFileSync } from "node:child_process";
import { createHmac, createPrivateKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "bun:test";
import { needs } from "../../../test/needs.ts";
import { Fault } from "../fault.ts";
import { findRepositoryName, type RepositoryName } from "../names.ts";
import { mayRead, repositoryAccess } from "./guard.ts";
import { TokenGuard } from "./token.ts";
import { libtrustId, TrustedKeys } from "./trusted-keys.ts";

const NOW = Date.parse("2026-06-01T00:00:00Z");
const SECONDS = NOW / 1000;
const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
const ec = generateKeyPairSync("ec", { namedCurve: "P-256" });
const ed = generateKeyPairSync("ed25519");
const stranger = generateKeyPairSync("ec", { namedCurve: "P-256" });

const name = (text: string): RepositoryName => {
  const found = findRepositoryName(text);
  if (found === undefined) throw new Error(text);
  return found;
};
const APP = name("team/app");
const PULL = repositoryAccess(APP, "pull");

const jwk = (key: KeyObject, kid: string): object => ({ ...key.export({ format: "jwk" }), kid, use: "sig" });
const keySet = JSON.stringify({
  keys: [
    jwk(rsa.publicKey, "rsa"),
    jwk(ec.publicKey, "ec"),
    jwk(ed.publicKey, "ed"),
    { kty: "oct", k: "c2VjcmV0" },
  ],
});

function guardWith(keys: TrustedKeys): TokenGuard {
  return new TokenGuard({
    realm: "https://auth.test/token",
    service: "registry.test",
    issuer: "auth.test",
    keys,
    now: () => NOW,
  });
}
const guard = guardWith(TrustedKeys.read({ jwks: keySet }));

const CLAIMS = {
  iss: "auth.test",
  aud: "registry.test",
  sub: "ann",
  exp: SECONDS + 300,
  nbf: SECONDS,
  access: [
    { type: "repository", name: "team/app", actions: ["pull", "push"] },
    { type: "repository", name: "team/base", actions: ["pull"] },
    { type: "repository", name: "team/sink", actions: ["push"] },
  ],
};

const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");

interface Making {
  readonly header?: object;
  readonly claims?: object;
  readonly key?: KeyObject;
  readonly hash?: string | undefined;
}

function token({
  header = { alg: "ES256", kid: "ec" },
  claims = CLAIMS,
  key = ec.privateKey,
  hash = "sha256",
}: Making): string {
  const text = `${part(header)}.${part(claims)}`;
  const signature = sign(hash === "none" ? undefined : hash, Buffer.from(text), {
    key,
    dsaEncoding: "ieee-p1363",
  });
  return `${text}.${signature.toString("base64url")}`;
}

async function refusal(header: string | undefined, wanted = PULL, by = guard): Promise<Fault> {
  try {
    await by.check(header, wanted);
  } catch (error) {
    if (error instanceof Fault) return error;
    throw error;
  }
  throw new Error("it was allowed");
}

for (const [algorithm, making] of [
  ["RS256", { key: rsa.privateKey, header: { alg: "RS256", kid: "rsa" } }],
  ["RS512", { key: rsa.privateKey, header: { alg: "RS512", kid: "rsa" }, hash: "sha512" }],
  ["ES256", {}],
  ["ES256 named by Docker's id", { header: { alg: "ES256", kid: libtrustId(ec.publicKey) } }],
  ["ES256 without a key's name", { header: { alg: "ES256" } }],
  ["EdDSA", { key: ed.privateKey, header: { alg: "EdDSA", kid: "ed" }, hash: "none" }],
  ["a list of audiences", { claims: { ...CLAIMS, aud: ["other", "registry.test"] } }],
] as readonly (readonly [string, Making])[]) {
  test(`a token with ${algorithm} is taken`, async () => {
    const permission = await guard.check(`Bearer ${token(making)}`, PULL);
    expect(permission.user).toBe("ann");
    expect(permission.readable).toEqual([APP, name("team/base")]);
    expect(mayRead(permission, name("team/sink"))).toBe(false);
  });
}

const hmac = (secret: string | Buffer): string => {
  const text = `${part({ alg: "HS256", kid: "rsa" })}.${part(CLAIMS)}`;
  return `${text}.${createHmac("sha256", secret).update(text).digest("base64url")}`;
};

// the token key-confusion set of case 32, CVE-2025-24976 among it
const bad: readonly (readonly [name: string, token: string])[] = [
  ["signed by a stranger", token({ key: stranger.privateKey })],
  [
    "that brings its own key",
    token({ key: stranger.privateKey, header: { alg: "ES256", jwk: jwk(stranger.publicKey, "own") } }),
  ],
  [
    "that brings its own key under a trusted name",
    token({
      key: stranger.privateKey,
      header: { alg: "ES256", kid: "ec", jwk: jwk(stranger.publicKey, "ec") },
    }),
  ],
  [
    "that brings an address of keys",
    token({ key: stranger.privateKey, header: { alg: "ES256", jku: "https://evil.test/keys" } }),
  ],
  ["with an empty chain", token({ header: { alg: "ES256", x5c: [] } })],
  ["with a chain of nonsense", token({ header: { alg: "ES256", x5c: ["AAAA"] } })],
  ["of algorithm none", `${part({ alg: "none" })}.${part(CLAIMS)}.`],
  ["of algorithm None", `${part({ alg: "None" })}.${part(CLAIMS)}.`],
  ["with the public key as shared secret", hmac(rsa.publicKey.export({ type: "spki", format: "pem" }))],
  ["with the shared secret of the key set", hmac("secret")],
  ["that calls an EC key RSA", token({ header: { alg: "RS256", kid: "ec" } })],
  ["that names another key", token({ header: { alg: "ES256", kid: "rsa" } })],
  ["that names an unknown key", token({ header: { alg: "ES256", kid: "nobody" } })],
  ["with critical extensions", token({ header: { alg: "ES256", kid: "ec", crit: ["x"], x: 1 } })],
  ["whose claims were changed", token({}).replace(/\.[^.]+\./, `.${part({ ...CLAIMS, sub: "eve" })}.`)],
  ["that has run out", token({ claims: { ...CLAIMS, exp: SECONDS - 61 } })],
  ["that never runs out", token({ claims: { ...CLAIMS, exp: undefined } })],
  ["that runs out in words", token({ claims: { ...CLAIMS, exp: "tomorrow" } })],
  ["that is not valid yet", token({ claims: { ...CLAIMS, nbf: SECONDS + 61 } })],
  ["of another issuer", token({ claims: { ...CLAIMS, iss: "evil.test" } })],
  ["for another registry", token({ claims: { ...CLAIMS, aud: "other.test" } })],
  ["for nobody", token({ claims: { ...CLAIMS, aud: undefined } })],
  ["of two parts", "a.b"],
  ["of four parts", `${token({})}.x`],
  ["that is no JSON", "e30.e30x.e30"],
];
for (const [title, text] of bad) {
  test(`a token ${title} is not valid`, async () => {
    const fault = await refusal(`Bearer ${text}`);
    expect(fault.status).toBe(401);
    expect(fault.headers["WWW-Authenticate"]).toContain('error="invalid_token"');
  });
}

test("who has no token is told where to get which", async () => {
  const fault = await refusal(undefined, [...PULL, ...repositoryAccess(name("b"), "pull", "push")]);
  expect(fault.headers["WWW-Authenticate"]).toBe(
    'Bearer realm="https://auth.test/token",service="registry.test",scope="repository:team/app:pull repository:b:pull,push"',
  );
});

test("a token allows what it says and no more", async () => {
  const header = `Bearer ${token({})}`;
  await guard.check(header, []);
  await guard.check(header, repositoryAccess(APP, "pull", "push"));
  for (const wanted of [
    repositoryAccess(APP, "delete"),
    repositoryAccess(name("team/base"), "push"),
    repositoryAccess(name("team"), "pull"),
    [{ type: "registry", name: "catalog", actions: ["*"] }] as const,
  ]) {
    const fault = await refusal(header, [...wanted]);
    expect(fault.headers["WWW-Authenticate"]).toContain('error="insufficient_scope"');
  }
});

test("a token for every action allows each", async () => {
  const access = [{ type: "repository", name: "team/app", actions: ["*"] }];
  await guard.check(
    `Bearer ${token({ claims: { ...CLAIMS, access } })}`,
    repositoryAccess(APP, "pull", "push", "delete"),
  );
});

test("keys of no use are refused when they are read", () => {
  for (const jwks of [
    "{",
    "{}",
    '{"keys":[]}',
    '{"keys":[{"kty":"EC","crv":"P-256"}]}',
    '{"keys":[{"kty":"oct","k":"AA"}]}',
  ]) {
    expect(() => TrustedKeys.read({ jwks })).toThrow();
  }
  expect(() => TrustedKeys.read({ roots: "no certificate" })).toThrow("no certificate");
});

/** Certificates of a root, of one that it signed, and of one that a stranger signed, by OpenSSL. */
function certificates() {
  const folder = mkdtempSync(join(tmpdir(), "darse-keys-"));
  const openssl = (...args: string[]): void =>
    void execFileSync("openssl", args, { cwd: folder, stdio: "ignore" });
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  for (const root of ["root", "evil"]) {
    openssl(
      "req",
      "-x509",
      ...key,
      "-keyout",
      `${root}.key`,
      "-out",
      `${root}.pem`,
      "-days",
      "3650",
      "-subj",
      `/CN=${root}`,
    );
    openssl("req", ...key, "-keyout", `leaf-${root}.key`, "-out", `${root}.csr`, "-subj", "/CN=signer");
    writeFileSync(join(folder, "leaf.ext"), "basicConstraints=CA:FALSE");
    openssl(
      "x509",
      "-req",
      "-in",
      `${root}.csr`,
      "-CA",
      `${root}.pem`,
      "-CAkey",
      `${root}.key`,
      "-CAcreateserial",
      "-extfile",
      "leaf.ext",
      "-out",
      `leaf-${root}.pem`,
      "-days",
      "3650",
    );
  }
  const read = (file: string): string => readFileSync(join(folder, file), "utf8");
  return {
    pem: read,
    der: (file: string) => read(file).replace(/-----[^-]+-----|\s/g, ""),
    key: (file: string) => createPrivateKey(read(file)),
    [Symbol.dispose]: () => rmSync(folder, { recursive: true }),
  };
}

needs("openssl")(
  "a token signed by a certificate of the bundle, or by one that it signed, is taken",
  async () => {
    using made = certificates();
    const now = Date.now() / 1000;
    const claims = { ...CLAIMS, exp: now + 300, nbf: now - 1 };
    const keys = TrustedKeys.read({ roots: made.pem("root.pem") });
    const trusting = new TokenGuard({ realm: "r", service: "registry.test", issuer: "auth.test", keys });
    const header = (x5c: string[]): object => ({ alg: "ES256", x5c });
    for (const making of [
      { key: made.key("root.key"), header: { alg: "ES256" } },
      { key: made.key("root.key"), header: header([made.der("root.pem")]) },
      { key: made.key("leaf-root.key"), header: header([made.der("leaf-root.pem")]) },
      { key: made.key("leaf-root.key"), header: header([made.der("leaf-root.pem"), made.der("root.pem")]) },
    ]) {
      expect((await trusting.check(`Bearer ${token({ ...making, claims })}`, PULL)).user).toBe("ann");
    }
    for (const making of [
      { key: made.key("leaf-evil.key"), header: header([made.der("leaf-evil.pem"), made.der("evil.pem")]) },
      { key: made.key("leaf-evil.key"), header: header([made.der("leaf-evil.pem"), made.der("root.pem")]) },
      { key: made.key("evil.key"), header: header([made.der("root.pem")]) },
      { key: made.key("evil.key"), header: header([made.der("evil.pem")]) },
      { key: made.key("leaf-root.key"), header: { alg: "ES256" } },
    ]) {
      await refusal(`Bearer ${token({ ...making, claims })}`, PULL, trusting);
    }
  },
);
