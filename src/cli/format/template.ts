import { EngineError } from "#base/errors.ts";
import { isStruct, isTrue, printValue } from "./go-value.ts";
import { FUNCTIONS } from "./template-functions.ts";
import {
  type Block,
  type CommandNode,
  type Node,
  type Operand,
  parseTemplate,
  type Pipeline,
} from "./template-parser.ts";

interface Scope {
  readonly dot: unknown;
  readonly variables: ReadonlyMap<string, { value: unknown }>;
}

/** Keys that Docker's structs have and its JSON leaves out when empty: reading them is no mistake. */
const OPTIONAL_KEYS: ReadonlySet<string> = new Set(
  `Health Healthcheck Mounts ExposedPorts StopSignal StopTimeout Shell OnBuild ArgsEscaped Tmpfs Sysctls StorageOpt Init
   Annotations SizeRw SizeRootFs GraphDriver Storage Comment Author Variant OsVersion Parent DockerVersion Manifests
   Descriptor ImageManifestDescriptor NetworkDisabled Name Driver Error`.split(/\s+/),
);

/**
 * A Go template as `--format` takes it: fields, methods, pipelines, variables, if/with/range, and the functions of
 * `template-functions.ts`. Values are those of JSON; a function in them is a method.
 */
export class Template {
  readonly #nodes: readonly Node[];

  /** @throws {EngineError} invalid when it does not parse */
  constructor(source: string) {
    this.#nodes = parseTemplate(source);
  }

  /** @throws {EngineError} invalid when `data` has not what it asks for */
  render(data: unknown): string {
    const output: string[] = [];
    run(this.#nodes, { dot: data, variables: new Map([["$", { value: data }]]) }, output);
    return output.join("");
  }
}

type Signal = "break" | "continue" | undefined;

function run(nodes: readonly Node[], outer: Scope, output: string[]): Signal {
  let scope = outer;
  for (const node of nodes) {
    if (node.kind === "text") output.push(node.text);
    else if (isSignal(node)) return node.kind;
    else if (node.kind === "output") {
      const value = evaluate(node.pipeline, scope);
      const [name] = node.pipeline.variables;
      if (name === undefined) output.push(printValue(value));
      else if (node.pipeline.isAssignment) assign(scope, name, value);
      else scope = declare(scope, name, value);
    } else {
      const signal = runBlock(node, scope, output);
      if (signal) return signal;
    }
  }
  return undefined;
}

function isSignal(node: Node): node is Extract<Node, { readonly kind: "break" | "continue" }> {
  return node.kind === "break" || node.kind === "continue";
}

function runBlock(node: Block, scope: Scope, output: string[]): Signal {
  const value = evaluate(node.pipeline, scope);
  const [name] = node.pipeline.variables;
  if (node.kind === "range") return runRange(node, value, { scope, output });
  const inner = name === undefined ? scope : declare(scope, name, value);
  if (!isTrue(value)) return run(node.otherwise, inner, output);
  return run(node.body, node.kind === "with" ? { ...inner, dot: value } : inner, output);
}

function runRange(
  node: Block,
  value: unknown,
  { scope, output }: { scope: Scope; output: string[] },
): undefined {
  const entries = rangeEntries(value);
  if (entries.length === 0) {
    run(node.otherwise, scope, output);
    return;
  }
  const [first, second] = node.pipeline.variables;
  for (const [key, element] of entries) {
    let inner: Scope = { ...scope, dot: element };
    if (first !== undefined) inner = declare(inner, first, second === undefined ? element : key);
    if (second !== undefined) inner = declare(inner, second, element);
    if (run(node.body, inner, output) === "break") return;
  }
}

function rangeEntries(value: unknown): readonly (readonly [unknown, unknown])[] {
  if (Array.isArray(value)) return value.map((element: unknown, i) => [i, element] as const);
  if (typeof value === "number")
    return Array.from({ length: Math.min(value, 1e6) }, (_, i) => [i, i] as const);
  if (typeof value === "object" && value !== null) {
    return Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  }
  if (value === null || value === undefined) return [];
  throw failure(`range can't iterate over ${printValue(value)}`);
}

/** `$x := v`: a variable of this block and those inside it. */
function declare(scope: Scope, name: string, value: unknown): Scope {
  return { ...scope, variables: new Map([...scope.variables, [name, { value }]]) };
}

/** `$x = v`: changes the variable where it was made, so that it outlives the block. */
function assign(scope: Scope, name: string, value: unknown): void {
  const variable = scope.variables.get(name);
  if (!variable) throw failure(`undefined variable "${name}"`);
  variable.value = value;
}

function evaluate(pipeline: Pipeline, scope: Scope): unknown {
  let piped: readonly unknown[] = [];
  for (const command of pipeline.commands) piped = [runCommand(command, scope, piped)];
  return piped[0];
}

function runCommand(command: CommandNode, scope: Scope, piped: readonly unknown[]): unknown {
  const [head, ...rest] = command;
  if (!head) return undefined;
  const args = (): unknown[] => [...rest.map((operand) => operandValue(operand, scope)), ...piped];
  if (head.base.kind !== "function") {
    const callee = rawValue(head, scope);
    if (typeof callee === "function") return callMethod(callee, args());
    if (rest.length > 0 || piped.length > 0)
      throw failure(`can't give argument to non-function ${operandText(head)}`);
    return callee;
  }
  const work = FUNCTIONS.get(head.base.name);
  if (!work) throw failure(`function "${head.base.name}" not defined`);
  return head.fields.reduce<unknown>((value, name) => field(value, name), work(...args()));
}

function operandValue(operand: Operand, scope: Scope): unknown {
  if (operand.base.kind === "function") return runCommand([operand], scope, []);
  const value = rawValue(operand, scope);
  return typeof value === "function" ? callMethod(value, []) : value;
}

function callMethod(
  method: { call(self: undefined, ...args: unknown[]): unknown },
  args: unknown[],
): unknown {
  return method.call(undefined, ...args);
}

function rawValue(operand: Operand, scope: Scope): unknown {
  return operand.fields.reduce(field, baseValue(operand.base, scope));
}

function baseValue(base: Operand["base"], scope: Scope): unknown {
  switch (base.kind) {
    case "dot":
      return scope.dot;
    case "literal":
      return base.value;
    case "group":
      return evaluate(base.pipeline, scope);
    case "variable": {
      const variable = scope.variables.get(base.name);
      if (!variable) throw failure(`undefined variable "${base.name}"`);
      return variable.value;
    }
    case "function":
      return undefined;
  }
}

function field(value: unknown, name: string): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    const found =
      value === null || value === undefined ? "nil" : Array.isArray(value) ? "a list" : `a ${typeof value}`;
    throw failure(`at <.${name}>: can't evaluate field ${name} in ${found}`);
  }
  const key = Object.hasOwn(value, name) ? name : nearKey(value, name);
  const found: unknown = key === undefined ? undefined : Reflect.get(value, key);
  if (found === undefined && isStruct(value) && /^[A-Z]/.test(name) && !OPTIONAL_KEYS.has(name)) {
    throw failure(`at <.${name}>: map has no entry for key "${name}"`);
  }
  return found;
}

/** Go's structs say `ID` and `APIVersion` where the JSON has `Id` and `ApiVersion`; both are understood. */
function nearKey(value: object, name: string): string | undefined {
  const folded = name.toLowerCase();
  return isStruct(value) && /^[A-Z]/.test(name)
    ? Object.keys(value).find((key) => key.toLowerCase() === folded)
    : undefined;
}

function operandText(operand: Operand): string {
  const fields = operand.fields.map((name) => `.${name}`).join("");
  return operand.base.kind === "variable" ? operand.base.name + fields : fields;
}

function failure(text: string): EngineError {
  return new EngineError("invalid", `template parsing error: ${text}`);
}
