import { expect, test } from "bun:test";
import fc from "fast-check";
import { addressBytes, addressText, macBytes, macText } from "./ip-address.ts";

const TEXTS: [string, string][] = [
  ["192.0.2.1", "c0000201"],
  ["::", "00".repeat(16)],
  ["::1", `${"00".repeat(15)}01`],
  ["fe80::1:2", "fe80000000000000000000000001" + "0002"],
  ["2001:db8:0:1:1:1:1:1", "20010db8000000010001000100010001"],
  ["::ffff:192.0.2.1", `${"00".repeat(10)}ffffc0000201`],
];

for (const [text, expected] of TEXTS) {
  test(`the bytes of ${text}`, () => expect(Buffer.from(addressBytes(text)).toString("hex")).toBe(expected));
}

for (const text of [
  "",
  "1.2.3",
  "1.2.3.256",
  "1.2.3.4.5",
  "01.2.3.4x",
  "::1::",
  "1:2:3",
  "12345::",
  "1:2:3:4:5:6:7:8:9",
  "1.2.3.4::",
]) {
  test(`${JSON.stringify(text)} is not an address`, () => {
    expect(() => addressBytes(text)).toThrow("not an IP address");
  });
}

test("every address comes back from its text", () => {
  const size = fc.constantFrom(4, 16);
  const address = size.chain((length) => fc.uint8Array({ minLength: length, maxLength: length }));
  fc.assert(fc.property(address, (bytes) => expect(addressBytes(addressText(bytes))).toEqual(bytes)));
});

test("a MAC address comes back from its bytes", () => {
  expect(macText(macBytes("02:AA-bb:cc:dd:0f"))).toBe("02:aa:bb:cc:dd:0f");
});

for (const text of ["", "02:aa:bb:cc:dd", "02:aa:bb:cc:dd:0g", "02aabbccdd0f"]) {
  test(`${JSON.stringify(text)} is not a MAC address`, () => {
    expect(() => macBytes(text)).toThrow("not a MAC address");
  });
}
