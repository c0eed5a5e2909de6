//! A scanner of Bicep that finds what the compiler and its linter report: unbalanced brackets, undeclared and unused names.

use std::collections::{BTreeMap, BTreeSet};

/// The functions that the templates call.
const FUNCTIONS: [&str; 14] = [
    "concat",
    "empty",
    "guid",
    "items",
    "json",
    "listKeys",
    "loadJsonContent",
    "map",
    "replace",
    "resourceGroup",
    "subscription",
    "subscriptionResourceId",
    "uniqueString",
    "uriComponent",
];
const WORDS: [&str; 8] = ["true", "false", "for", "in", "if", "array", "string", "object"];

/// A word or a character outside of strings. The parts of an interpolated string are tokens, too.
#[derive(Clone, Debug, PartialEq)]
enum Token {
    Word(String),
    Mark(char),
    /// The text of a string, with `…` in place of each interpolation.
    Text(String),
}

/// What a template declares, and its problems.
#[derive(Debug)]
pub(super) struct Template {
    /// `param`, `var`, `resource` or `output`, by name.
    pub(super) declared: BTreeMap<String, String>,
    /// The parameters with `@secure()`.
    pub(super) secure: BTreeSet<String>,
    /// The parameters without a default.
    pub(super) required: BTreeSet<String>,
    /// The types and versions of the resources.
    pub(super) types: Vec<String>,
    pub(super) problems: Vec<String>,
}

impl Template {
    pub(super) fn parse(text: &str) -> Self {
        let mut problems = Vec::new();
        let tokens = Scanner { text: text.chars().collect(), at: 0 }.all(&mut problems);
        let mut template = Self {
            declared: BTreeMap::new(),
            secure: BTreeSet::new(),
            required: BTreeSet::new(),
            types: Vec::new(),
            problems,
        };
        template.declare(&tokens);
        template.check_uses(&tokens);
        template
    }

    fn declare(&mut self, tokens: &[Token]) {
        let mut secure = false;
        for (index, token) in tokens.iter().enumerate() {
            let Token::Word(word) = token else { continue };
            let is_decorator = index > 0 && tokens[index - 1] == Token::Mark('@');
            secure |= is_decorator && word == "secure";
            if !matches!(word.as_str(), "param" | "var" | "resource" | "output") {
                continue;
            }
            let Some(Token::Word(name)) = tokens.get(index + 1) else { continue };
            let known = self.declared.insert(name.clone(), word.clone());
            if known.is_some() && word != "output" {
                self.problems.push(format!("{name} is declared twice"));
            }
            match (word.as_str(), tokens.get(index + 2), tokens.get(index + 3)) {
                ("param", _, after) => {
                    if after != Some(&Token::Mark('=')) {
                        self.required.insert(name.clone());
                    }
                    if std::mem::take(&mut secure) {
                        self.secure.insert(name.clone());
                    }
                }
                ("resource", Some(Token::Text(kind)), _) => self.types.push(kind.clone()),
                _ => {}
            }
        }
    }

    fn check_uses(&mut self, tokens: &[Token]) {
        let mut local = BTreeSet::new();
        let mut uses = BTreeSet::new();
        for (index, token) in tokens.iter().enumerate() {
            let Token::Word(word) = token else { continue };
            let mark = |offset: usize| match tokens.get(index + offset) {
                Some(Token::Mark(mark)) => *mark,
                _ => ' ',
            };
            let before = index.checked_sub(1).map(|before| &tokens[before]);
            let is_after = |text: &str| before == Some(&Token::Word(text.to_owned()));
            let is_after_mark = |mark: char| before == Some(&Token::Mark(mark));
            let is_lambda = |from: usize| {
                let arrow = [Token::Mark('='), Token::Mark('>')];
                tokens.get(index + from..index + from + 2) == Some(&arrow[..])
            };
            if is_after("for") || is_lambda(1) {
                local.insert(word.clone());
            } else if mark(1) == ',' && is_lambda(4) {
                // `(a, b) => …`
                local.insert(word.clone());
            } else if mark(1) == ')' && is_lambda(2) {
                local.insert(word.clone());
            }
            let is_declaration =
                ["param", "var", "resource", "output"].iter().any(|it| is_after(it))
                    || (["param", "output"].iter().any(|it| {
                        index >= 2 && tokens[index - 2] == Token::Word((*it).to_owned())
                    }));
            let is_key = mark(1) == ':' && mark(2) != ':' && !is_after_mark('?') && !is_after("in");
            let is_keyword = matches!(word.as_str(), "param" | "var" | "resource" | "output")
                || WORDS.contains(&word.as_str());
            let is_number = word.starts_with(|c: char| c.is_ascii_digit());
            if is_declaration
                || is_key
                || is_keyword
                || is_number
                || is_after_mark('@')
                || is_after_mark('.')
            {
                continue;
            }
            if mark(1) == '(' && !self.declared.contains_key(word) {
                if !FUNCTIONS.contains(&word.as_str()) {
                    self.problems.push(format!("{word} is not a known function"));
                }
                continue;
            }
            uses.insert(word);
        }
        for word in &uses {
            if !self.declared.contains_key(*word) && !local.contains(*word) {
                self.problems.push(format!("{word} is not declared"));
            }
        }
        for (name, kind) in &self.declared {
            if matches!(kind.as_str(), "param" | "var") && !uses.contains(name) {
                self.problems.push(format!("{kind} {name} is not used"));
            }
        }
    }
}

fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

struct Scanner {
    text: Vec<char>,
    at: usize,
}

impl Scanner {
    fn all(mut self, problems: &mut Vec<String>) -> Vec<Token> {
        let mut tokens = Vec::new();
        self.until(None, &mut tokens, problems);
        tokens
    }

    /// Reads tokens up to the closing bracket.
    fn until(
        &mut self,
        closing: Option<char>,
        tokens: &mut Vec<Token>,
        problems: &mut Vec<String>,
    ) {
        while let Some(&next) = self.text.get(self.at) {
            self.at += 1;
            match next {
                '/' if self.text.get(self.at) == Some(&'/') => {
                    while self.text.get(self.at).is_some_and(|c| *c != '\n') {
                        self.at += 1;
                    }
                }
                '\'' => self.string(tokens, problems),
                '(' | '[' | '{' => {
                    tokens.push(Token::Mark(next));
                    let closing = match next {
                        '(' => ')',
                        '[' => ']',
                        _ => '}',
                    };
                    self.until(Some(closing), tokens, problems);
                    tokens.push(Token::Mark(closing));
                }
                ')' | ']' | '}' => {
                    if closing != Some(next) {
                        let line = self.text[..self.at].iter().filter(|c| **c == '\n').count() + 1;
                        problems.push(format!("line {line}: {next} closes {closing:?}"));
                    }
                    return;
                }
                c if is_of_word(c) => {
                    let mut word = String::from(c);
                    while let Some(c) = self.text.get(self.at).filter(|c| is_of_word(**c)) {
                        word.push(*c);
                        self.at += 1;
                    }
                    tokens.push(Token::Word(word));
                }
                c if c.is_whitespace() => {}
                mark => tokens.push(Token::Mark(mark)),
            }
        }
        if closing.is_some() {
            problems.push(format!("{closing:?} is missing"));
        }
    }

    fn string(&mut self, tokens: &mut Vec<Token>, problems: &mut Vec<String>) {
        let (mut text, mut parts) = (String::new(), Vec::new());
        while let Some(&next) = self.text.get(self.at) {
            self.at += 1;
            match next {
                '\'' => {
                    tokens.push(Token::Text(text));
                    // After the text, so that a resource type follows the name of its resource.
                    tokens.append(&mut parts);
                    return;
                }
                '\n' => break,
                '\\' => {
                    text.extend(self.text.get(self.at));
                    self.at += 1;
                }
                '$' if self.text.get(self.at) == Some(&'{') => {
                    self.at += 1;
                    text.push('…');
                    parts.push(Token::Mark('{'));
                    self.until(Some('}'), &mut parts, problems);
                    parts.push(Token::Mark('}'));
                }
                other => text.push(other),
            }
        }
        problems.push(format!("a string does not end: {text}"));
    }
}

#[test]
fn the_scanner_finds_what_the_compiler_refuses() {
    let problems = |text: &str| Template::parse(text).problems;

    assert_eq!(
        problems("param a string\noutput b string = '${a}-${toLower('x')}'"),
        ["toLower is not a known function"]
    );
    assert_eq!(
        problems("var a = 'x' // comment's\noutput b string = '${c}'"),
        ["c is not declared", "var a is not used"]
    );
    assert_eq!(
        problems("var a = [for x in y: {k: x}]\noutput b object = a"),
        ["y is not declared"]
    );
    assert_eq!(
        problems(
            "param p object\nvar a = map(items(p), (k, i) => {v: k.x, w: i})\noutput b array = a"
        ),
        [""; 0]
    );
    assert_eq!(
        problems("output b object = {a: ['x'}"),
        ["line 1: } closes Some(']')", "Some('}') is missing"]
    );
    assert_eq!(problems("output b string = 'x"), ["a string does not end: x"]);
}
