// Forms for arguments, made from JSON Schemas.

import { field, make } from "./dom.js";

const DEEPEST = 2;

/** A value that cannot be sent, with the name of its field. */
class FormError extends Error {}

/** The target of `#/schemas/received/Name` in the schemas of the contract. */
function target(schemas, reference) {
  const [, , ...path] = reference.split("/");
  const names = path.map((part) => decodeURIComponent(part).replaceAll("~1", "/").replaceAll("~0", "~"));
  return names.reduce((schema, name) => (schema && Object.hasOwn(schema, name) ? schema[name] : undefined), schemas);
}

/** The schema behind references, without its `null`. */
function plain(schema, schemas) {
  let nullable = false;
  let docs;
  let found = schema ?? true;
  for (let steps = 0; steps < 8 && typeof found === "object"; steps += 1) {
    docs ??= found.description;
    const some = found.anyOf ?? found.oneOf;
    const rest = some?.filter((it) => it.type !== "null");
    if (found.$ref) {
      found = target(schemas, found.$ref) ?? true;
    } else if (some && rest.length === 1) {
      nullable ||= rest.length < some.length;
      [found] = rest;
    } else if (Array.isArray(found.type) && found.type.includes("null") && found.type.length === 2) {
      nullable = true;
      found = { ...found, type: found.type.find((it) => it !== "null") };
    } else {
      break;
    }
  }
  return { schema: found, nullable, docs };
}

/** The fixed values of an enum, also as schemars writes documented ones. */
function fixed(schema) {
  const values = (it) => (it.const !== undefined ? [it.const] : it.enum);
  if (schema.oneOf?.every((it) => values(it))) {
    return schema.oneOf.flatMap(values);
  }
  return values(schema);
}

/** The type of a value in words. */
export function typeWords(schema, schemas, deep = 0) {
  const { schema: found, nullable } = plain(schema, schemas);
  if (typeof found !== "object") {
    return "any value";
  }
  const values = fixed(found);
  let words = found.title ?? found.type ?? "any value";
  if (values) {
    words = values.map((it) => JSON.stringify(it)).join(" | ");
  } else if (found.type === "array") {
    words = found.items && deep < 2 ? `list of ${typeWords(found.items, schemas, deep + 1)}` : "list";
  } else if (found.type === "object" && found.properties && deep < 1) {
    const required = found.required ?? [];
    const members = Object.entries(found.properties).map(
      ([name, it]) => `${name}${required.includes(name) ? "" : "?"}: ${typeWords(it, schemas, deep + 1)}`,
    );
    words = `{ ${members.join(", ")} }`;
  } else if (["int64", "uint64"].includes(found.format)) {
    words = "integer (64 bits)";
  } else if (found.type === "string" && found.format) {
    words = `string (${found.format})`;
  }
  return nullable ? `${words} or null` : String(words);
}

function json(name, text) {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new FormError(`${name} is not JSON: ${error.message}`);
  }
}

function jsonControl(name, schema, schemas, absent, value) {
  const input = make("textarea", { rows: 2, spellcheck: "false" });
  input.value = value === undefined ? "" : JSON.stringify(value, null, 1);
  const read = () => (input.value.trim() === "" ? absent(name) : json(name, input.value));
  return { element: field(name, input, { hint: `JSON: ${typeWords(schema, schemas)}`, wide: true }), read };
}

function number(name, text, whole) {
  const value = Number(text.trim());
  if (Number.isNaN(value) || (whole && !Number.isInteger(value))) {
    throw new FormError(`${name} must be ${whole ? "an integer" : "a number"}`);
  }
  if (whole && !Number.isSafeInteger(value)) {
    throw new FormError(`${name} is beyond 2^53: JavaScript would change it`);
  }
  return value;
}

/** The field of one value. `absent` returns what is sent for an empty field, or throws. */
function control(name, given, schemas, { optional = false, deep = 0, value } = {}) {
  const { schema, nullable, docs } = plain(given, schemas);
  const absent = (label) => {
    if (optional) {
      return undefined;
    }
    if (nullable) {
      return null;
    }
    throw new FormError(`${label} is missing`);
  };
  const empty = optional ? ", may be empty" : nullable ? ", empty for null" : "";
  const hint = `${docs ? `${docs} ` : ""}${typeWords(given, schemas)}${empty}`;
  const isTyped = typeof value === "object" && value !== null && schema.type !== "object"; // such as {"$int": "…"}
  if (typeof schema !== "object" || isTyped) {
    return jsonControl(name, given, schemas, absent, value);
  }
  const values = fixed(schema) ?? (schema.type === "boolean" ? [false, true] : undefined);
  if (values) {
    const input = make(
      "select",
      {},
      (optional || nullable) && make("option", { value: "" }, "—"),
      values.map((it, at) => make("option", { value: at }, String(it))),
    );
    const at = values.findIndex((it) => it === value);
    input.value = at >= 0 ? at : input.options[0].value;
    return {
      element: field(name, input, { hint }),
      read: () => (input.value === "" ? absent(name) : values[input.value]),
    };
  }
  if (["integer", "number", "string"].includes(schema.type)) {
    const isText = schema.type === "string";
    const input = make("input", { autocomplete: "off", inputmode: isText ? false : "decimal" });
    input.value = value ?? "";
    const read = () => {
      if (input.value === "") {
        return isText && !optional && !nullable ? "" : absent(name);
      }
      return isText ? input.value : number(name, input.value, schema.type === "integer");
    };
    return { element: field(name, input, { hint }), read };
  }
  if (schema.type === "object" && schema.properties && !optional && !nullable && deep < DEEPEST) {
    const required = schema.required ?? [];
    const members = Object.entries(schema.properties).map(([member, it]) => {
      const inner = control(member, it, schemas, {
        optional: !required.includes(member),
        deep: deep + 1,
        value: value?.[member],
      });
      return [member, inner];
    });
    const read = () =>
      Object.fromEntries(members.map(([member, it]) => [member, it.read()]).filter(([, it]) => it !== undefined));
    return {
      element: make(
        "fieldset",
        {},
        make("legend", {}, name),
        members.map(([, it]) => it.element),
      ),
      read,
    };
  }
  return jsonControl(name, given, schemas, absent, value);
}

/** A form for the arguments of a method; without a contract, one field for a JSON array. */
export function argumentForm(call, schemas, values) {
  const element = make("div", { class: "form" });
  if (!call) {
    const input = make("textarea", { rows: 3, spellcheck: "false" });
    input.value = JSON.stringify(values ?? [], null, 1);
    element.append(field("Arguments", input, { hint: 'A JSON array, for example ["lobby", "hi"]', wide: true }));
    const read = () => {
      const list = json("Arguments", input.value.trim() || "[]");
      if (!Array.isArray(list)) {
        throw new FormError("Arguments must be a JSON array, in square brackets");
      }
      return list;
    };
    return { element, read };
  }
  const fields = call.arguments.map((argument, at) => {
    const value = argument.rest ? values?.slice(at) : values?.[at];
    return {
      ...control(argument.name, argument.schema, schemas, { optional: argument.optional, value }),
      rest: argument.rest,
    };
  });
  element.append(...fields.map((it) => it.element));
  if (fields.length === 0) {
    element.append(make("p", { class: "soft" }, "This method has no arguments."));
  }
  const read = () => {
    const list = fields.flatMap((it) => {
      const value = it.read();
      return it.rest && Array.isArray(value) ? value : [value];
    });
    while (list.length > 0 && list.at(-1) === undefined) {
      list.pop();
    }
    return list.map((value) => (value === undefined ? null : value));
  };
  return { element, read };
}
