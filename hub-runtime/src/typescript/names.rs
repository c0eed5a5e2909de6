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
    "Symbol",
    "TypeError",
    "Uint8Array",
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
    let words = name.split(|letter: char| !is_part(letter));
    let words = words.map(|word| {
        let mut letters = word.chars();
        let first = letters.next().map(|first| first.to_uppercase().to_string());
        format!("{}{}", first.unwrap_or_default(), letters.as_str())
    });
    let name: String = words.collect();
    if !name.starts_with(is_letter) {
        return format!("_{name}");
    }
    name
}

/// Whether a letter may be inside an identifier. Letters in circles and squares may not.
fn is_part(letter: char) -> bool {
    let is_framed = matches!(letter, '\u{24b6}'..='\u{24e9}' | '\u{1f130}'..='\u{1f189}');
    letter.is_ascii_digit() || letter.is_alphabetic() && !is_framed
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

/// The name of a method in an interface. Without quotes, `new(…)` would be a construct signature.
pub(super) fn method(name: &str) -> String {
    if name == "new" { text(name) } else { member(name) }
}

/// Whether a client finds this name, in lower case, in an object without members.
pub(super) fn is_inherited(name: &str) -> bool {
    matches!(&*name.to_lowercase(), "constructor" | "__proto__")
}

/// Whether an identifier may begin with a letter, for the most frequent alphabets.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_types_have_only_letters_of_identifiers() {
        for (name, wanted) in [
            ("m²", "M"),
            ("½", "_"),
            ("aⓐb", "AB"),
            ("größe-é", "GrößeÉ"),
            ("2d", "_2d"),
            ("\u{e31}x", "_\u{e31}x"),
        ] {
            assert_eq!(pascal(name), wanted);
        }
    }
}
