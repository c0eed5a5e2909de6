//! Names of TypeScript.

use std::collections::BTreeSet;

/// Words that cannot be names of parameters.
const RESERVED: [&str; 51] = [
    "arguments",
    "await",
    "break",
    "case",
    "catch",
    "class",
    "const",
    "continue",
    "debugger",
    "default",
    "delete",
    "do",
    "else",
    "enum",
    "eval",
    "export",
    "extends",
    "false",
    "finally",
    "for",
    "function",
    "if",
    "implements",
    "import",
    "in",
    "instanceof",
    "interface",
    "let",
    "new",
    "null",
    "package",
    "private",
    "protected",
    "public",
    "return",
    "static",
    "super",
    "switch",
    "this",
    "throw",
    "true",
    "try",
    "typeof",
    "undefined",
    "var",
    "void",
    "while",
    "with",
    "yield",
    "async",
    "of",
];

/// Names of types that a file uses, or that TypeScript reserves.
const TYPES: [&str; 28] = [
    "HubAnswer",
    "Array",
    "Date",
    "Error",
    "Function",
    "HubCaller",
    "HubReceiver",
    "Object",
    "Partial",
    "Promise",
    "Proxy",
    "Record",
    "Reflect",
    "Set",
    "TypeError",
    "Uint8Array",
    "WeakSet",
    "any",
    "bigint",
    "boolean",
    "never",
    "number",
    "object",
    "string",
    "symbol",
    "undefined",
    "unknown",
    "void",
];

/// The name in `PascalCase`.
pub(super) fn pascal(name: &str) -> String {
    let words = name.split(|letter: char| !letter.is_alphanumeric());
    let words = words.map(|word| {
        let mut letters = word.chars();
        let first = letters.next().map(|first| first.to_uppercase().to_string());
        format!("{}{}", first.unwrap_or_default(), letters.as_str())
    });
    let name: String = words.collect();
    if name.starts_with(|first: char| !first.is_alphabetic()) || name.is_empty() {
        return format!("_{name}");
    }
    name
}

/// The name of a parameter in `camelCase`.
pub(super) fn parameter(name: &str) -> String {
    let pascal = pascal(name);
    let mut letters = pascal.chars();
    let first = letters.next().map(|first| first.to_lowercase().to_string());
    let name = format!("{}{}", first.unwrap_or_default(), letters.as_str());
    if RESERVED.contains(&&*name) { format!("{name}_") } else { name }
}

/// The name of a hub in the names of its functions and types.
pub(super) fn hub(name: &str) -> String {
    let name = pascal(name);
    match name.strip_suffix("Hub") {
        Some(stem) if !stem.is_empty() => stem.to_owned(),
        _ => name,
    }
}

/// A name of a member of an object, in quotes if it is no identifier.
pub(super) fn member(name: &str) -> String {
    let is_letter = |letter: char| matches!(letter, '_' | '$') || is_letter(letter);
    // In a literal, this name would set the prototype.
    if name == "__proto__" {
        return "[\"__proto__\"]".to_owned();
    }
    if name.starts_with(is_letter)
        && name.chars().all(|letter| is_letter(letter) || letter.is_ascii_digit())
    {
        return name.to_owned();
    }
    text(name)
}

/// Whether a letter may be part of an identifier without quotes. Of the alphabets of the world, only those that are
/// certain.
fn is_letter(letter: char) -> bool {
    let is_known = matches!(letter,
        'a'..='z' | 'A'..='Z' | 'À'..='ɏ' | 'Ͱ'..='ҁ' | 'א'..='ת' | 'ؠ'..='ي' | 'ぁ'..='ゖ' | 'ァ'..='ヺ' | '一'..='鿿' | '가'..='힣'
    );
    is_known && letter.is_alphabetic()
}

/// A text as a literal, in the quotes that need fewer escapes.
pub(super) fn text(value: &str) -> String {
    let quote = if value.matches('"').count() > value.matches('\'').count() { '\'' } else { '"' };
    let mut literal = String::from(quote);
    for letter in value.chars() {
        match letter {
            '\n' => literal.push_str("\\n"),
            '\r' => literal.push_str("\\r"),
            '\t' => literal.push_str("\\t"),
            '\\' => literal.push_str("\\\\"),
            letter if letter == quote => literal.extend(['\\', letter]),
            '\u{2028}' | '\u{2029}' => literal.push_str(&format!("\\u{:04x}", u32::from(letter))),
            letter if letter.is_control() => {
                literal.push_str(&format!("\\u{:04x}", u32::from(letter)));
            }
            letter => literal.push(letter),
        }
    }
    literal.push(quote);
    literal
}

/// The names of types in a file. Each name is given once.
#[derive(Debug)]
pub(super) struct Taken(BTreeSet<String>);

impl Taken {
    pub(super) fn new() -> Self {
        Self(TYPES.iter().map(|name| (*name).to_owned()).collect())
    }

    /// Takes this name, or the name with the first number that makes it new.
    pub(super) fn take(&mut self, name: &str) -> String {
        let numbered = (2_u32..).map(|number| format!("{name}{number}"));
        let mut names = std::iter::once(name.to_owned()).chain(numbered);
        names.find(|name| self.0.insert(name.clone())).unwrap_or_default()
    }

    /// Takes this name. Returns whether it was new.
    pub(super) fn take_exactly(&mut self, name: &str) -> bool {
        self.0.insert(name.to_owned())
    }
}
