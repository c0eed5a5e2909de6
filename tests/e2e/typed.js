// Programs in TypeScript, and values compared with their types.

import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import ts from "typescript";

/** A new folder, which is removed at the end of the process. */
export function folder() {
  const path = mkdtempSync(join(tmpdir(), "typed-"));
  process.on("exit", () => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** The options of strict projects, with those that generated code often violates. */
export const strict = {
  exactOptionalPropertyTypes: true,
  isolatedModules: true,
  lib: ["lib.es2022.d.ts", "lib.dom.d.ts"],
  module: ts.ModuleKind.ESNext,
  moduleResolution: ts.ModuleResolutionKind.Bundler,
  noEmit: true,
  noImplicitReturns: true,
  noPropertyAccessFromIndexSignature: true,
  noUncheckedIndexedAccess: true,
  noUnusedLocals: true,
  noUnusedParameters: true,
  strict: true,
  target: ts.ScriptTarget.ES2022,
  types: [],
  verbatimModuleSyntax: true,
};

/** The errors of a program, as `file:line: text`. */
export function errors(files, options) {
  const program = ts.createProgram(files, options);
  return ts.getPreEmitDiagnostics(program).map(({ file, start, messageText }) => {
    const text = ts.flattenDiagnosticMessageText(messageText, " ");
    if (!file) {
      return text;
    }
    const { line } = file.getLineAndCharacterOfPosition(start);
    return `${file.fileName.split("/").pop()}:${line + 1}: ${text}`;
  });
}

/** The types of the interfaces of a file, and a check of values against them. */
export class Types {
  constructor(file) {
    const program = ts.createProgram([file], strict);
    this.source = program.getSourceFile(file);
    this.checker = program.getTypeChecker();
  }

  /** The methods of an interface: parameters and awaited result by name. */
  methods(name) {
    const { checker } = this;
    const declared = this.source.statements.find((each) => ts.isInterfaceDeclaration(each) && each.name.text === name);
    const properties = checker.getPropertiesOfType(checker.getTypeAtLocation(declared));
    return new Map(
      properties.map((property) => {
        const [signature] = checker.getTypeOfSymbol(property).getCallSignatures();
        const parameters = signature.getParameters().map((each) => checker.getTypeOfSymbol(each));
        return [property.name, { parameters, result: checker.getAwaitedType(signature.getReturnType()) }];
      }),
    );
  }

  /** Why a value is not of a type. `undefined` if it is. */
  mismatch(type, value, path = "value") {
    const { checker } = this;
    const wrong = (fits) => (fits ? undefined : `${path} is ${JSON.stringify(value)}, not ${checker.typeToString(type)}`);
    const { flags } = type;
    if (flags & (ts.TypeFlags.Any | ts.TypeFlags.Unknown)) {
      return undefined;
    }
    if (flags & (ts.TypeFlags.Void | ts.TypeFlags.Undefined)) {
      return wrong(value === undefined || value === null);
    }
    if (flags & ts.TypeFlags.Null) {
      return wrong(value === null);
    }
    if (type.isUnion()) {
      return wrong(type.types.some((each) => this.mismatch(each, value) === undefined));
    }
    if (type.isStringLiteral() || type.isNumberLiteral()) {
      return wrong(value === type.value);
    }
    if (flags & ts.TypeFlags.BooleanLiteral) {
      return wrong(String(value) === checker.typeToString(type) && typeof value === "boolean");
    }
    for (const [flag, name] of [["String", "string"], ["Number", "number"], ["Boolean", "boolean"]]) {
      if (flags & ts.TypeFlags[flag]) {
        return wrong(typeof value === name);
      }
    }
    if (["Date", "Uint8Array"].includes(type.symbol?.name)) {
      return wrong(value instanceof globalThis[type.symbol.name]);
    }
    if (checker.isArrayType(type) || checker.isTupleType(type)) {
      const items = checker.getTypeArguments(type);
      const of = (at) => items[checker.isTupleType(type) ? at : 0];
      if (!Array.isArray(value) || (checker.isTupleType(type) && value.length !== items.length)) {
        return wrong(false);
      }
      return value.map((each, at) => this.mismatch(of(at), each, `${path}[${at}]`)).find(Boolean);
    }
    if (checker.typeToString(type) === "{}") {
      return wrong(value !== undefined && value !== null);
    }
    if (Object.prototype.toString.call(value) !== "[object Object]") {
      return wrong(false);
    }
    return this.#members(type, value, path);
  }

  /** Every required member must be there, and no member that the type does not have. */
  #members(type, value, path) {
    const { checker } = this;
    const known = new Map(checker.getPropertiesOfType(type).map((each) => [each.name, each]));
    for (const [name, property] of known) {
      if (!Object.hasOwn(value, name) && !(property.flags & ts.SymbolFlags.Optional)) {
        return `${path}.${name} is missing`;
      }
    }
    const indexes = checker.getIndexInfosOfType(type);
    for (const [name, member] of Object.entries(value)) {
      const isNumber = ({ keyType }) => Boolean(keyType.flags & ts.TypeFlags.Number);
      const index = indexes.find((each) => !isNumber(each) || /^-?\d+$/.test(name));
      const of = known.has(name) ? checker.getTypeOfSymbol(known.get(name)) : index?.type;
      const mismatch = of ? this.mismatch(of, member, `${path}.${name}`) : `${path}.${name} is not in the type`;
      if (mismatch) {
        return mismatch;
      }
    }
    return undefined;
  }
}

/** Runs a program of this repository that writes a file and ends. Returns its output. */
export function run(program, args, env = {}) {
  const { PATH, HOME } = process.env;
  return execFileSync(program, args, { env: { PATH, HOME, ...env }, encoding: "utf8" });
}
