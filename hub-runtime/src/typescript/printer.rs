//! Types as text, in the layout of Prettier.

use std::collections::BTreeSet;

use super::{
    jsdoc,
    layout::{
        Doc::{self, Group, HardLine, IfBroken, Indent, Line, SoftLine},
        print,
    },
    names,
    types::{Field, Key, Object, Type},
};

/// What contains a type. Unions depend on it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Within {
    /// A declaration, a field, a parameter or a result.
    Annotation,
    /// Type arguments, as in `Array<…>`.
    Arguments,
    /// A tuple with more than one type.
    Tuple,
    /// An array or a union.
    Parentheses,
}

fn word(text: &str) -> Doc {
    Doc::text(text)
}

pub(super) fn of(each: &Type, within: Within) -> Doc {
    match each {
        Type::Unknown => word("unknown"),
        Type::Never => word("never"),
        Type::Null => word("null"),
        Type::Boolean => word("boolean"),
        Type::Number { .. } => word("number"),
        Type::Text(_) => word("string"),
        Type::Date => word("Date"),
        Type::Bytes => word("Uint8Array"),
        Type::Literal(value) => {
            Doc::text(value.as_str().map_or_else(|| value.to_string(), names::text))
        }
        Type::Named(name) => Doc::text(name),
        Type::Array(of_items) => {
            let items = of(of_items, Within::Parentheses);
            Doc::All(vec![items, word("[]")])
        }
        Type::Tuple(types) => tuple(types),
        Type::Object(object) => members(object),
        Type::Partial(keys, values) => {
            let record =
                generic("Record", &[of(keys, Within::Arguments), of(values, Within::Arguments)]);
            generic("Partial", &[record])
        }
        Type::Union(types) => match &distinct(types)[..] {
            [only] => of(only, within),
            types => union(types, within),
        },
        Type::Intersection(types) => {
            let doc = intersection(types);
            match within {
                Within::Parentheses => Doc::All(vec![word("("), doc, word(")")]),
                _ => doc,
            }
        }
    }
}

/// A type with type arguments, which begin on a new line if they do not fit.
fn generic(name: &str, arguments: &[Doc]) -> Doc {
    let arguments = Doc::join(arguments.iter().cloned(), &[word(","), Line]);
    let inner = vec![word("<"), Indent(vec![SoftLine, arguments]), SoftLine, word(">")];
    Doc::All(vec![Doc::text(name), Group(inner)])
}

/// A type with one type argument.
pub(super) fn wrapped(name: &str, argument: &Type) -> Doc {
    let doc = of(argument, Within::Arguments);
    if hugs(argument) {
        return Doc::All(vec![Doc::text(name), word("<"), doc, word(">")]);
    }
    generic(name, &[doc])
}

/// Whether Prettier puts no line break around the type.
fn hugs(each: &Type) -> bool {
    match each {
        Type::Union(types) => match &distinct(types)[..] {
            [only] => hugs(only),
            types => is_nullable_object(types),
        },
        Type::Array(_)
        | Type::Tuple(_)
        | Type::Partial(..)
        | Type::Intersection(_)
        | Type::Literal(_) => false,
        _ => true,
    }
}

fn is_object(each: &Type) -> bool {
    matches!(each, Type::Object(object) if !object.is_empty())
}

/// Whether a union is an object or null.
fn is_nullable_object(types: &[&Type]) -> bool {
    let nulls = types.iter().filter(|each| ***each == Type::Null).count();
    nulls + 1 == types.len() && types.iter().any(|each| is_object(each))
}

/// The types with different texts. A date in JSON and a plain text are both `string`.
fn distinct(types: &[Type]) -> Vec<&Type> {
    let mut known = BTreeSet::new();
    let text = |each: &&Type| print(&of(each, Within::Parentheses));
    types.iter().filter(|each| known.insert(text(each))).collect()
}

fn tuple(types: &[Type]) -> Doc {
    let within = if types.len() > 1 { Within::Tuple } else { Within::Arguments };
    let types = types.iter().map(|each| of(each, within));
    let types = Doc::join(types, &[word(","), Line]);
    let end = IfBroken(vec![word(",")], "");
    Group(vec![word("["), Indent(vec![SoftLine, types, end]), SoftLine, word("]")])
}

fn union(types: &[&Type], within: Within) -> Doc {
    let in_parentheses = |doc| Doc::All(vec![word("("), doc, word(")")]);
    if is_nullable_object(types) {
        let types = types.iter().map(|each| of(each, Within::Parentheses));
        let doc = Doc::join(types, &[word(" | ")]);
        return if within == Within::Parentheses { in_parentheses(doc) } else { doc };
    }
    let types = types.iter().map(|each| Indent(vec![of(each, Within::Parentheses)]));
    let types = Doc::join(types, &[Line, word("| ")]);
    let starts_line = matches!(within, Within::Annotation | Within::Parentheses);
    let start = if starts_line { vec![Line, word("| ")] } else { vec![word("| ")] };
    let code = vec![IfBroken(start, ""), types];
    match within {
        Within::Annotation => Group(vec![Indent(code)]),
        Within::Arguments => Group(code),
        Within::Parentheses => in_parentheses(Group(vec![Indent(code), SoftLine])),
        Within::Tuple => Group(vec![
            Indent([vec![IfBroken(vec![word("("), SoftLine], "")], code].concat()),
            SoftLine,
            IfBroken(vec![word(")")], ""),
        ]),
    }
}

/// Named types, then at most one object.
fn intersection(types: &[Type]) -> Doc {
    let mut docs = Vec::new();
    for (at, each) in types.iter().enumerate() {
        let doc = of(each, Within::Parentheses);
        match at {
            0 => docs.push(doc),
            1 if is_object(each) => docs.extend([word(" & "), doc]),
            _ if is_object(each) => docs.extend([word(" & "), Indent(vec![doc])]),
            _ => docs.push(Indent(vec![word(" &"), Line, doc])),
        }
    }
    Group(docs)
}

fn members(object: &Object) -> Doc {
    if object.is_empty() {
        return Doc::All(vec![word("Record<string, never>")]);
    }
    let has_docs = object.fields.iter().any(|field| !documentation(field).is_empty());
    let line = if has_docs { HardLine } else { Line };
    let rows = Doc::join(rows(object), &[word(";"), line.clone()]);
    let end = IfBroken(vec![word(";")], "");
    Group(vec![word("{"), Indent(vec![line.clone(), rows, end]), line, word("}")])
}

/// The members of an object, each with its doc comment.
pub(super) fn rows(object: &Object) -> Vec<Doc> {
    let mut rows: Vec<_> = object.fields.iter().map(field).collect();
    if let Some((key, values)) = &object.index {
        let key = match key {
            Key::Text => "[key: string]: ",
            Key::Number => "[key: number]: ",
        };
        rows.push(Doc::All(vec![word(key), of(values, Within::Annotation)]));
    }
    rows
}

/// The docs of a field and the notes about its type.
fn documentation(field: &Field) -> String {
    jsdoc::with_notes(&field.docs, &field.of.notes())
}

fn field(field: &Field) -> Doc {
    let mark = if field.optional { "?: " } else { ": " };
    let mut docs = jsdoc::comment(&documentation(field));
    docs.push(Doc::text(format!("{}{mark}", names::member(&field.name))));
    docs.push(of(&field.of, Within::Annotation));
    Doc::All(docs)
}

/// One parameter of a function.
pub(super) struct Parameter {
    pub(super) name: String,
    pub(super) optional: bool,
    pub(super) rest: bool,
    pub(super) of: Type,
}

/// The signature of a method in an interface. `name` may be empty.
pub(super) fn signature(name: &str, parameters: &[Parameter], result: Doc) -> Doc {
    let is_hugged = |parameter: &Parameter| !parameter.rest && is_object(&parameter.of);
    let docs: Vec<_> = parameters.iter().map(parameter).collect();
    let list = match parameters {
        [] => word("()"),
        [only] if is_hugged(only) => Doc::All(vec![word("("), docs[0].clone(), word(")")]),
        [.., last] => {
            let end = if last.rest { vec![] } else { vec![IfBroken(vec![word(",")], "")] };
            let list = Doc::join(docs, &[word(","), Line]);
            Doc::All(vec![
                word("("),
                Indent(vec![SoftLine, list]),
                Doc::All(end),
                SoftLine,
                word(")"),
            ])
        }
    };
    let list = if parameters.len() == 1 && result.breaks() { Group(vec![list]) } else { list };
    Group(vec![Doc::text(name), list, Group(vec![word(": "), result])])
}

fn parameter(parameter: &Parameter) -> Doc {
    let before = if parameter.rest { "..." } else { "" };
    let mark = if parameter.optional { "?: " } else { ": " };
    let name = format!("{before}{}{mark}", parameter.name);
    Doc::All(vec![Doc::text(name), of(&parameter.of, Within::Annotation)])
}
