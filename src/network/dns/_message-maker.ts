import { encodeName } from "./domain-name.ts";

export interface QuestionOptions {
  readonly id?: number;
  readonly type?: number;
  readonly class?: number;
  readonly flags?: number;
  /** Adds an OPT record that takes datagrams of this size. */
  readonly edns?: number;
  readonly ednsVersion?: number;
}

/** For tests: the message that asks for `name`, which may have capital letters. */
export function questionFor(name: string, options: QuestionOptions = {}): Uint8Array {
  const { id = 0x1234, type = 1, class: of = 1, flags = 0x0100, edns, ednsVersion = 0 } = options;
  const header = [id, flags, 1, 0, 0, edns === undefined ? 0 : 1].flatMap(u16);
  const opt = edns === undefined ? [] : [0, ...u16(41), ...u16(edns), 0, ednsVersion, 0, 0, 0, 0];
  return Uint8Array.of(...header, ...encodeName(name), ...u16(type), ...u16(of), ...opt);
}

/** For tests: an upstream's answer to `question` with one A record, or as many bytes as `padding` says. */
export function answerTo(question: Uint8Array, address = [203, 0, 113, 7], code = 0): Uint8Array {
  const end = question.indexOf(0, 12) + 5;
  const record = [0xc0, 12, ...u16(1), ...u16(1), 0, 0, 0, 60, ...u16(4), ...address];
  const records = code === 0 ? record : [];
  return Uint8Array.of(
    ...question.subarray(0, 2),
    ...u16(0x8180 | code),
    ...u16(1),
    ...u16(records.length === 0 ? 0 : 1),
    ...u16(0),
    ...u16(0),
    ...question.subarray(12, end),
    ...records,
  );
}

/** What a reply says, for assertions. */
export function summary(reply: Uint8Array): {
  id: number;
  code: number;
  truncated: boolean;
  answers: string[];
  length: number;
} {
  const view = new DataView(reply.buffer, reply.byteOffset, reply.byteLength);
  const flags = view.getUint16(2);
  const answers: string[] = [];
  let at = reply.indexOf(0, 12) + 5;
  for (let i = 0; i < view.getUint16(6); i++) {
    const length = view.getUint16(at + 10);
    answers.push([...reply.subarray(at + 12, at + 12 + length)].join("."));
    at += 12 + length;
  }
  return {
    id: view.getUint16(0),
    code: flags & 0xf,
    truncated: (flags & 0x200) !== 0,
    answers,
    length: reply.length,
  };
}

function u16(value: number): number[] {
  return [value >> 8, value & 0xff];
}
