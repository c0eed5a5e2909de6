//! JSON Schemas as TypeScript types.

use serde_json::{Map, Value};

use super::{
    Protocol,
    types::{Definition, Field, Key, Object, Text, Type},
};

type Members = Map<String, Value>;

/// The formats of integers that can have more than 53 bits.
const WIDE: [&str; 6] = ["int64", "uint64", "int128", "uint128", "int", "uint"];

/// The definition of a schema with a name.
pub(super) fn definition(schema: &Value, protocol: Protocol) -> Definition {
    Definition { docs: docs(schema), of: of(schema, protocol) }
}

/// The type of a schema.
pub(super) fn of(schema: &Value, protocol: Protocol) -> Type {
    let members = match schema {
        Value::Object(members) => members,
        Value::Bool(false) => return Type::Never,
        _ => return Type::Unknown,
    };
    let read = |schema: &Value| of(schema, protocol);
    let all = |name: &str| {
        members.get(name).and_then(Value::as_array).map(|list| list.iter().map(read).collect())
    };
    let mut parts: Vec<Type> = Vec::new();
    let target = members.get("$ref").and_then(Value::as_str);
    parts.extend(target.and_then(|path| path.rsplit('/').next()).map(unescaped));
    parts.extend(all("oneOf").map(Type::union));
    parts.extend(all("anyOf").map(Type::union));
    parts.extend(all("allOf").map(Type::intersection));
    if let Some(value) = members.get("const") {
        parts.push(literal(value));
    } else if let Some(values) = members.get("enum").and_then(Value::as_array) {
        parts.push(Type::union(values.iter().map(literal).collect()));
    } else {
        // `"type": "object"` beside a `$ref` or an `oneOf` has no information of its own.
        let is_bare = !["properties", "additionalProperties", "patternProperties"]
            .iter()
            .any(|name| members.contains_key(*name))
            && matches!(members.get("unevaluatedProperties"), None | Some(Value::Bool(false)));
        let known = !parts.is_empty() && is_bare;
        let types = match members.get("type") {
            Some(Value::String(name)) => vec![name.as_str()],
            Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
            None if !is_bare => vec!["object"],
            _ => Vec::new(),
        };
        let types = types.into_iter().filter(|name| !(known && *name == "object"));
        let types: Vec<_> = types.map(|name| plain(name, members, protocol)).collect();
        if !types.is_empty() {
            parts.push(Type::union(types));
        }
    }
    Type::intersection(parts)
}

/// The doc comment of a schema, with those of the variants of an enum.
pub(super) fn docs(schema: &Value) -> String {
    let text = |schema: &Value| {
        schema.get("description").and_then(Value::as_str).unwrap_or_default().trim().to_owned()
    };
    let mut docs = text(schema);
    let variants = schema.get("oneOf").and_then(Value::as_array).into_iter().flatten();
    let variants: Vec<_> = variants
        .filter_map(|variant| Some((variant.get("const")?, text(variant))))
        .filter(|(_, docs)| !docs.is_empty())
        .collect();
    if !variants.is_empty() && !docs.is_empty() {
        docs.push_str("\n\n");
    }
    let variants = variants.iter().map(|(name, docs)| format!("- `{name}`: {docs}"));
    docs.push_str(&variants.collect::<Vec<_>>().join("\n"));
    if schema.get("deprecated") == Some(&Value::Bool(true)) {
        docs.push_str(if docs.is_empty() { "@deprecated" } else { "\n\n@deprecated" });
    }
    docs
}

/// The name at the end of a `$ref`, a JSON pointer in a URI.
fn unescaped(name: &str) -> Type {
    let name = percent_decoded(name).replace("~1", "/").replace("~0", "~");
    Type::Named(name)
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let code = after.get(..2).and_then(|code| std::str::from_utf8(code).ok());
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(byte) if *first == b'%' => (bytes.push(byte), rest = &after[2..]),
            _ => (bytes.push(*first), rest = after),
        };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn literal(value: &Value) -> Type {
    match value {
        Value::Null => Type::Null,
        Value::String(_) | Value::Bool(_) | Value::Number(_) => Type::Literal(value.clone()),
        Value::Array(_) | Value::Object(_) => Type::Unknown,
    }
}

fn plain(name: &str, members: &Members, protocol: Protocol) -> Type {
    let text = |name: &str| members.get(name).and_then(Value::as_str);
    match name {
        "null" => Type::Null,
        "boolean" => Type::Boolean,
        "number" => Type::Number { wide: false },
        "integer" => {
            Type::Number { wide: text("format").is_some_and(|format| WIDE.contains(&format)) }
        }
        "string" => match (text("x-hub"), protocol) {
            (Some("timestamp"), Protocol::Json) => Type::Text(Text::Date),
            (Some("timestamp"), Protocol::MessagePack) => Type::Date,
            (Some("binary"), Protocol::Json) => Type::Text(Text::Base64),
            (Some("binary"), Protocol::MessagePack) => Type::Bytes,
            _ if text("format") == Some("date-time") => Type::Text(Text::Date),
            _ => Type::Text(Text::Plain),
        },
        "array" => array(members, protocol),
        "object" => object(members, protocol),
        _ => Type::Unknown,
    }
}

fn array(members: &Members, protocol: Protocol) -> Type {
    if let Some(items) = members.get("prefixItems").and_then(Value::as_array) {
        return Type::Tuple(items.iter().map(|item| of(item, protocol)).collect());
    }
    let items = members.get("items").map_or(Type::Unknown, |items| of(items, protocol));
    Type::Array(Box::new(items))
}

fn object(members: &Members, protocol: Protocol) -> Type {
    let none = Members::new();
    let at = |name: &str| members.get(name).and_then(Value::as_object).unwrap_or(&none);
    let properties = at("properties");
    let required = members.get("required").and_then(Value::as_array);
    if let Some(of_keys) = keys_of_an_enum(members, properties, protocol) {
        return of_keys;
    }
    let fields = properties.iter().map(|(name, schema)| Field {
        name: name.clone(),
        docs: docs(schema),
        optional: !required.is_some_and(|names| names.iter().any(|known| known == name)),
        of: of(schema, protocol),
    });
    let mut fields: Vec<_> = fields.collect();
    fields.sort_by(|left, right| left.name.cmp(&right.name));
    let patterns = at("patternProperties");
    let numeric = patterns.keys().all(|pattern| matches!(&**pattern, r"^\d+$" | r"^-?\d+$"));
    let mut of_index: Vec<_> = patterns.values().map(|schema| of(schema, protocol)).collect();
    let key = if !of_index.is_empty() && numeric { Key::Number } else { Key::Text };
    // A map that is flattened beside an enum has `unevaluatedProperties`.
    let further =
        members.get("additionalProperties").or_else(|| members.get("unevaluatedProperties"));
    match further {
        Some(Value::Bool(true)) => of_index.push(Type::Unknown),
        Some(schema @ Value::Object(_)) => of_index.push(of(schema, protocol)),
        // An object without members is a map of any values.
        None if fields.is_empty() && of_index.is_empty() => of_index.push(Type::Unknown),
        _ => {}
    }
    let index = (!of_index.is_empty()).then(|| (key, Box::new(Type::union(of_index))));
    let mut object = Object { fields, index };
    object.widen_index();
    Type::Object(object)
}

/// A map whose keys are the variants of an enum.
fn keys_of_an_enum(members: &Members, properties: &Members, protocol: Protocol) -> Option<Type> {
    let mut values = properties.values();
    let first = values.next()?;
    let is_closed = members.get("additionalProperties") == Some(&Value::Bool(false));
    let is_map = !members.contains_key("required")
        && !members.contains_key("patternProperties")
        && first.get("description").is_none()
        && values.all(|value| value == first);
    if !is_closed || !is_map {
        return None;
    }
    let keys = properties.keys().map(|key| Type::Literal(Value::String(key.clone())));
    Some(Type::Partial(Box::new(Type::union(keys.collect())), Box::new(of(first, protocol))))
}
