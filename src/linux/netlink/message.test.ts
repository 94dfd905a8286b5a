import { expect, test } from "bun:test";
import {
  attribute,
  decodeAcknowledgement,
  decodeAttributes,
  decodeMessages,
  decodeText,
  encodeMessage,
  nested,
  textAttribute,
  u32Attribute,
  u8Attribute,
} from "./message.ts";

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text.replaceAll(" ", ""), "hex"));

const ATTRIBUTES: [string, Uint8Array, string][] = [
  ["a value of 4 bytes needs no padding", u32Attribute(4, 1400), "0800 0400 78050000"],
  ["a byte is padded to 4, and the length does not say so", u8Attribute(4, 1), "0500 0400 01000000"],
  ["text ends with a zero byte", textAttribute(3, "eth0"), "0900 0300 6574683000 000000"],
  ["no value is a header alone", attribute(1), "0400 0100"],
  ["nested attributes carry bit 15", nested(18, u8Attribute(1, 2)), "0c00 1280 0500 0100 02000000"],
];

for (const [name, encoded, expected] of ATTRIBUTES) {
  test(`attribute: ${name}`, () => expect(hex(encoded)).toBe(expected.replaceAll(" ", "")));
}

test("a message is its header and its payload, padded", () => {
  const message = { type: 16, flags: 0x605, sequence: 7, payload: bytes("0102030405") };
  expect(hex(encodeMessage(message))).toBe(
    "15000000 1000 0506 07000000 00000000 0102030405 000000".replaceAll(" ", ""),
  );
});

test("decodeMessages() gives every message of a datagram", () => {
  const first = { type: 16, flags: 2, sequence: 7, payload: bytes("0102030405") };
  const second = { type: 3, flags: 2, sequence: 7, payload: bytes("00000000") };
  const datagram = bytes(hex(encodeMessage(first)) + hex(encodeMessage(second)));
  expect(decodeMessages(datagram)).toEqual([first, second]);
});

const CUT: [string, string][] = [
  ["a length beyond the datagram", "20000000 1000 0000 00000000 00000000"],
  ["a length below the header's", "0f000000 1000 0000 00000000 00000000"],
];

for (const [name, datagram] of CUT) {
  test(`decodeMessages() refuses ${name}`, () => {
    expect(() => decodeMessages(bytes(datagram))).toThrow("netlink message is cut short");
  });
}

test("decodeAttributes() removes the flags of types", () => {
  const attributes = decodeAttributes(nested(18, textAttribute(1, "veth")));
  const inner = decodeAttributes(attributes.get(18) ?? new Uint8Array());
  expect(decodeText(inner.get(1) ?? new Uint8Array())).toBe("veth");
});

for (const [name, text] of [
  ["beyond the message", "0900 0100 00000000"],
  ["below the header's", "0300 0100 00000000"],
] as const) {
  test(`decodeAttributes() refuses a length ${name}`, () => {
    expect(() => decodeAttributes(bytes(text))).toThrow("netlink attribute is cut short");
  });
}

const REQUEST_HEADER = "24000000 1000 0506 07000000 00000000";
const ACKNOWLEDGEMENTS: [string, number, string, { errno: number; text?: string }][] = [
  ["success", 0x100, `00000000 ${REQUEST_HEADER}`, { errno: 0 }],
  ["an errno", 0x100, `efffffff ${REQUEST_HEADER}`, { errno: 17 }],
  [
    "an errno and the kernel's text, after a capped request",
    0x300,
    `eaffffff ${REQUEST_HEADER} 0800 0100 6e6f2100`,
    { errno: 22, text: "no!" },
  ],
  [
    "an errno and the kernel's text, after a whole request",
    0x200,
    `eaffffff 18000000 1000 0506 07000000 00000000 aaaaaaaaaaaaaaaa 0800 0100 6e6f2100`,
    { errno: 22, text: "no!" },
  ],
];

for (const [name, flags, payload, expected] of ACKNOWLEDGEMENTS) {
  test(`an acknowledgement holds ${name}`, () => {
    expect(decodeAcknowledgement({ type: 2, flags, sequence: 7, payload: bytes(payload) })).toEqual(expected);
  });
}
