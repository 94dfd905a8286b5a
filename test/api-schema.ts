import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Ajv2019, type ErrorObject, type ValidateFunction } from "ajv/dist/2019.js";
import { parse } from "yaml";

/** Any JSON object of the description. */
type Json = { readonly [key: string]: unknown };

const FILE = join(import.meta.dir, "data/engine-api-v1.55.swagger.yaml");

let description: Json | undefined;
const validators = new Map<string, ValidateFunction>();
const ajv = new Ajv2019({ strict: false, allErrors: true, validateFormats: false });

/**
 * What is wrong with `body` as the answer of an endpoint, one line a fault; empty when it is what the API description
 * says. Fields that the description does not know are faults too. A field that is null counts as absent: Docker writes its
 * empty lists and maps so, and the description does not say where.
 *
 * @param path as in the description: `/containers/{id}/json`
 */
export function responseFaults(method: string, path: string, status: number, body: unknown): string[] {
  const operation = at(load(), "paths", path, method.toLowerCase());
  if (operation === undefined) return [`the description has no ${method} ${path}`];
  const response = at(operation, "responses", String(status));
  const schema = response && at(response, "schema");
  if (!response) return [`the description has no answer ${status} for ${method} ${path}`];
  if (!schema) return [];
  const key = `${method} ${path} ${status}`;
  const validate =
    validators.get(key) ?? ajv.compile({ ...translate(schema, true), definitions: definitions() });
  validators.set(key, validate);
  if (validate(withoutNulls(body))) return [];
  return (validate.errors ?? [])
    .filter((error) => !isNullIn(body, error))
    .map((error) => `${error.instancePath || "/"} ${error.message} ${JSON.stringify(error.params)}`);
}

/** True for a required field that is there, but null. */
function isNullIn(body: unknown, { keyword, instancePath, params }: ErrorObject): boolean {
  if (keyword !== "required") return false;
  let found: unknown = body;
  for (const key of instancePath.split("/").slice(1)) found = asJson(found)[key];
  return asJson(found)[String(asJson(params)["missingProperty"])] === null;
}

function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, entry]) => entry !== null)
      .map(([key, entry]) => [key, withoutNulls(entry)]),
  );
}

function load(): Json {
  description ??= asJson(parse(readFileSync(FILE, "utf8")));
  return description;
}

let translated: Json | undefined;

function definitions(): Json {
  translated ??= Object.fromEntries(
    Object.entries(at(load(), "definitions") ?? {}).map(([name, schema]) => [
      name,
      translate(asJson(schema), true),
    ]),
  );
  return translated;
}

/** Swagger 2.0 to JSON Schema: `x-nullable` becomes a choice, and named objects know only their own properties. */
function translate(schema: Json, isWhole: boolean): Json {
  const { "x-nullable": isNullable, example: _example, ...rest } = schema;
  const out: Record<string, unknown> = { ...rest };
  if (rest["properties"] !== undefined) out["properties"] = mapValues(asJson(rest["properties"]));
  if (rest["items"] !== undefined) out["items"] = translate(asJson(rest["items"]), true);
  if (typeof rest["additionalProperties"] === "object" && rest["additionalProperties"] !== null) {
    out["additionalProperties"] = translate(asJson(rest["additionalProperties"]), true);
  }
  if (Array.isArray(rest["allOf"])) {
    // parts of a whole may not forbid each other's properties
    out["allOf"] = rest["allOf"].map((part) => inlined(asJson(part)));
  }
  const isClosed = isWhole && (out["properties"] !== undefined || out["allOf"] !== undefined);
  if (isClosed && out["additionalProperties"] === undefined) out["unevaluatedProperties"] = false;
  return isNullable === true ? { anyOf: [{ type: "null" }, out] } : out;
}

function inlined(part: Json): Json {
  const name = typeof part["$ref"] === "string" ? part["$ref"].replace("#/definitions/", "") : undefined;
  return translate(name === undefined ? part : asJson(at(load(), "definitions", name)), false);
}

function mapValues(properties: Json): Json {
  return Object.fromEntries(
    Object.entries(properties).map(([name, schema]) => [name, translate(asJson(schema), true)]),
  );
}

function at(value: Json, ...path: string[]): Json | undefined {
  let found: unknown = value;
  for (const key of path) found = asJson(found)[key];
  return found === undefined ? undefined : asJson(found);
}

function asJson(value: unknown): Json {
  return typeof value === "object" && value !== null ? (value as Json) : {};
}
