import { Fields } from "#base/decode.ts";

/**
 * How one field of a JSON document is read and written. A table of them describes a whole document once, for both
 * directions and for the type: container records on disk keep Docker's own spelling, so that the bodies of the Engine
 * API are read and written by the same tables.
 */
export interface Field<T> {
  readonly key: string;
  decode(fields: Fields): T;
  /** `undefined` leaves the key out. */
  encode(value: T): unknown;
}

export type FieldTable = Readonly<Record<string, Field<unknown>>>;

/** The type that a table describes: every name present, `undefined` where the document says nothing. */
export type Decoded<T extends FieldTable> = {
  readonly [K in keyof T]: T[K] extends Field<infer V> ? V : never;
};

/** @throws {EngineError} invalid, naming the field */
export function decodeTable<T extends FieldTable>(table: T, fields: Fields): Decoded<T> {
  const entries = Object.entries(table).map(([name, field]) => [name, field.decode(fields)]);
  // The entries were made from the very table that the type is made from.
  return Object.fromEntries(entries) as Decoded<T>;
}

export function encodeTable<T extends FieldTable>(table: T, value: Decoded<T>): Record<string, unknown> {
  const source: Readonly<Record<string, unknown>> = value;
  const entries = Object.entries(table).map(([name, field]) => [field.key, field.encode(source[name])]);
  return Object.fromEntries(entries.filter(([, encoded]) => encoded !== undefined));
}

interface Absent {
  /** What the wire shows where there is no value; `undefined` leaves the key out. */
  readonly absent: unknown;
}

/** Text; `""` is absent. */
export function text(key: string, options: Absent = { absent: "" }): Field<string | undefined> {
  return {
    key,
    decode: (fields) => fields.string(key) || undefined,
    encode: (value) => value ?? options.absent,
  };
}

/** Text that is left out when absent. */
export function shortText(key: string): Field<string | undefined> {
  return text(key, { absent: undefined });
}

export function flag(key: string): Field<boolean> {
  return { key, decode: (fields) => fields.boolean(key) ?? false, encode: (value) => value };
}

/** A flag whose absence means something: `null` on the wire. */
export function optionalFlag(key: string): Field<boolean | undefined> {
  return { key, decode: (fields) => fields.boolean(key), encode: (value) => value ?? null };
}

/** A whole number for which 0 means "not set". */
export function amount(key: string): Field<number | undefined> {
  return { key, decode: (fields) => fields.integer(key) || undefined, encode: (value) => value ?? 0 };
}

/** A whole number for which 0 is a value; `null` on the wire when absent. */
export function optionalInteger(key: string, options: Absent = { absent: null }): Field<number | undefined> {
  return { key, decode: (fields) => fields.integer(key), encode: (value) => value ?? options.absent };
}

/** A list whose absence (`null`) differs from an empty one. */
export function texts(key: string, options: Absent = { absent: null }): Field<readonly string[] | undefined> {
  return { key, decode: (fields) => fields.strings(key), encode: (value) => value ?? options.absent };
}

/** An object of texts; empty and absent are the same. */
export function textMap(key: string, options: Absent = { absent: {} }): Field<ReadonlyMap<string, string>> {
  return {
    key,
    decode: (fields) => fields.stringMap(key) ?? new Map<string, string>(),
    encode: (value) => (value.size > 0 ? Object.fromEntries(value) : options.absent),
  };
}

/** An object whose values are empty objects: a set of keys, in Go's habit. */
export function keySet(key: string, options: Absent = { absent: null }): Field<readonly string[]> {
  return {
    key,
    decode: (fields) => [...(fields.map(key, () => undefined)?.keys() ?? [])],
    encode: (value) =>
      value.length > 0 ? Object.fromEntries(value.map((name) => [name, {}] as const)) : options.absent,
  };
}

/** A list of documents; empty and absent are the same. */
export function documents<T extends FieldTable>(
  key: string,
  table: T,
  options: Absent = { absent: null },
): Field<readonly Decoded<T>[]> {
  return {
    key,
    decode: (fields) => fields.list(key, (value, path) => decodeTable(table, new Fields(value, path))) ?? [],
    encode: (value) => (value.length > 0 ? value.map((one) => encodeTable(table, one)) : options.absent),
  };
}

/** A nested document that is always there; its fields are absent when it is. */
export function nested<T extends FieldTable>(key: string, table: T): Field<Decoded<T>> {
  return {
    key,
    decode: (fields) => decodeTable(table, fields.object(key)),
    encode: (value) => encodeTable(table, value),
  };
}

/** A nested document that may be absent, and is then left out. */
export function optionalNested<T extends FieldTable>(key: string, table: T): Field<Decoded<T> | undefined> {
  return {
    key,
    decode: (fields) => (fields.has(key) ? decodeTable(table, fields.object(key)) : undefined),
    encode: (value) => value && encodeTable(table, value),
  };
}
