import { EngineError } from "#base/errors.ts";
import { isTrue, printValue } from "./go-value.ts";

type TemplateFunction = (...args: readonly unknown[]) => unknown;

/** The functions of text/template and those Docker adds (docker/cli `templates/templates.go`). */
export const FUNCTIONS: ReadonlyMap<string, TemplateFunction> = new Map<string, TemplateFunction>([
  ["json", (value) => JSON.stringify(value ?? null)],
  ["split", (text, separator) => word(text).split(word(separator))],
  ["join", (list, separator) => elements(list).map(printValue).join(word(separator))],
  ["title", (text) => word(text).replace(/\b[a-z]/g, (letter) => letter.toUpperCase())],
  ["lower", (text) => word(text).toLowerCase()],
  ["upper", (text) => word(text).toUpperCase()],
  ["pad", pad],
  ["truncate", (text, length) => word(text).slice(0, number(length))],
  ["println", (...args) => `${args.map(printValue).join(" ")}\n`],
  ["print", (...args) => args.map(printValue).join("")],
  ["printf", (format, ...args) => printf(word(format), args)],
  ["len", (value) => (typeof value === "string" ? Buffer.byteLength(value) : elements(value).length)],
  ["index", (value, ...keys) => keys.reduce(index, value)],
  ["slice", slice],
  ["not", (value) => !isTrue(value)],
  ["and", (...args) => args.find((value) => !isTrue(value)) ?? args.at(-1)],
  ["or", (...args) => args.find(isTrue) ?? args.at(-1)],
  ["eq", (left, ...rest) => rest.some((right) => left === right)],
  ["ne", (left, right) => left !== right],
  ["lt", (left, right) => compare(left, right) < 0],
  ["le", (left, right) => compare(left, right) <= 0],
  ["gt", (left, right) => compare(left, right) > 0],
  ["ge", (left, right) => compare(left, right) >= 0],
]);

function pad(text: unknown, before: unknown, after: unknown): string {
  const value = word(text);
  return value === "" ? value : " ".repeat(number(before)) + value + " ".repeat(number(after));
}

function index(value: unknown, key: unknown): unknown {
  if (Array.isArray(value)) {
    const at = number(key);
    if (at < 0 || at >= value.length) throw failure("index", `index out of range: ${at}`);
    return value[at];
  }
  if (typeof value === "string") return value.charCodeAt(number(key));
  if (typeof value === "object" && value !== null)
    return Object.hasOwn(value, word(key)) ? Reflect.get(value, word(key)) : "";
  throw failure("index", "index of untyped nil");
}

function slice(value: unknown, from: unknown = 0, to?: unknown): unknown {
  if (typeof value !== "string" && !Array.isArray(value)) throw failure("slice", "can't slice item");
  const end = to === undefined ? value.length : number(to);
  if (number(from) > end || end > value.length) throw failure("slice", `index out of range: ${end}`);
  return value.slice(number(from), end);
}

/** The verbs people use in `--format`: s v d q t x f and `%%`, with width and `-`. */
function printf(format: string, args: readonly unknown[]): string {
  let at = 0;
  return format.replace(
    /%(-?)(0?)(\d{0,3})(?:\.(\d{1,2}))?([svdqtxf%])/g,
    (_, left, zero, width, places, verb) => {
      if (verb === "%") return "%";
      const value = args[at++];
      let text = printValue(value);
      if (verb === "q") text = JSON.stringify(text);
      else if (verb === "x")
        text = typeof value === "number" ? value.toString(16) : Buffer.from(text).toString("hex");
      else if (verb === "f") text = Number(value).toFixed(places === undefined ? 6 : Number(places));
      if (left === "-") return text.padEnd(Number(width));
      return text.padStart(Number(width), zero === "0" ? "0" : " ");
    },
  );
}

function compare(left: unknown, right: unknown): number {
  if (typeof left === "number" && typeof right === "number") return left - right;
  if (typeof left === "string" && typeof right === "string") return left < right ? -1 : left > right ? 1 : 0;
  throw failure("lt", "incompatible types for comparison");
}

function elements(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  if (typeof value === "object" && value !== null) return Object.values(value);
  if (value === null || value === undefined) return [];
  throw failure("len", `${printValue(value)} is not a list`);
}

function word(value: unknown): string {
  return typeof value === "string" ? value : printValue(value ?? "");
}

function number(value: unknown): number {
  if (typeof value === "number" && Number.isInteger(value) && Math.abs(value) < 1e6) return value;
  throw failure("index", `cannot use ${printValue(value)} as a number`);
}

function failure(name: string, text: string): EngineError {
  return new EngineError("invalid", `template parsing error: error calling ${name}: ${text}`);
}
