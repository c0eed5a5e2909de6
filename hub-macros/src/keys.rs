//! The keys of our attributes: the table of keys, and the parser for `key = value` lists.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use syn::{
    Error, LitStr, Path, Token,
    ext::IdentExt,
    parse::{ParseStream, Parser},
};

use crate::errors::Sink;

/// A key of one of our attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    Name,
    Connection,
    Client,
    RenameAll,
    Register,
    Crate,
    Rename,
    Fallback,
    Arguments,
    Body,
    ExactNames,
}

/// The keys of `#[serverless_hub(…)]`.
pub(crate) const HUB: &[Key] = &[
    Key::Name,
    Key::Connection,
    Key::Client,
    Key::RenameAll,
    Key::ExactNames,
    Key::Register,
    Key::Crate,
];
/// The keys of `#[hub_client(…)]`.
pub(crate) const CLIENT: &[Key] = &[Key::RenameAll, Key::Crate];
/// The keys of `#[hub(…)]` on a hub method.
pub(crate) const METHOD: &[Key] = &[Key::Rename, Key::Fallback, Key::ExactNames];
/// The keys of `#[hub(…)]` on a client method.
pub(crate) const CLIENT_METHOD: &[Key] = &[Key::Rename];
/// The keys of `#[hub(…)]` on a parameter.
pub(crate) const PARAM: &[Key] = &[Key::Arguments, Key::Body];

/// Whether a value follows a key.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Value {
    Required,
    Optional,
    None,
}

impl Key {
    fn spec(self) -> (&'static str, Value) {
        match self {
            Self::Name => ("name", Value::Required),
            Self::Connection => ("connection", Value::Required),
            Self::Client => ("client", Value::Required),
            Self::RenameAll => ("rename_all", Value::Required),
            Self::Register => ("register", Value::Optional),
            Self::Crate => ("crate", Value::Required),
            Self::Rename => ("rename", Value::Required),
            Self::Fallback => ("fallback", Value::None),
            Self::Arguments => ("arguments", Value::None),
            Self::Body => ("body", Value::None),
            Self::ExactNames => ("exact_names", Value::None),
        }
    }

    fn name(self) -> &'static str {
        self.spec().0
    }
}

/// A key as written, with the stream positioned at its value.
pub(crate) struct Entry<'a> {
    pub(crate) key: Key,
    pub(crate) ident: &'a Ident,
    input: ParseStream<'a>,
}

/// Parses `key = value, …` and calls `read` once for each key in `known`. Unknown and repeated keys are
/// reported, and parsing continues.
pub(crate) fn for_each_key(
    tokens: TokenStream,
    known: &[Key],
    sink: &Sink,
    mut read: impl FnMut(Entry<'_>) -> syn::Result<()>,
) {
    let expected =
        || known.iter().map(|key| format!("`{}`", key.name())).collect::<Vec<_>>().join(", ");
    let mut seen = Vec::new();
    let walk = |input: ParseStream<'_>| {
        while !input.is_empty() {
            if !input.peek(Ident::peek_any) {
                return Err(
                    input.error(format!("expected `key = value`; the keys are {}", expected()))
                );
            }
            let ident = input.call(Ident::parse_any)?;
            let name = ident.to_string();
            let outcome = match known.iter().copied().find(|key| key.name() == name) {
                None => {
                    let message = format!("unknown key `{name}`; the keys are {}", expected());
                    Err(Error::new_spanned(&ident, message))
                }
                Some(key) if seen.contains(&key) => {
                    let message = format!("duplicate key `{name}`; remove this one");
                    Err(Error::new_spanned(&ident, message))
                }
                Some(key) => {
                    seen.push(key);
                    entry(key, &ident, input, &mut read)
                }
            };
            if let Err(error) = outcome {
                sink.push(error);
                skip_value(input)?;
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(())
    };
    if let Err(error) = walk.parse2(tokens) {
        sink.push(error);
    }
}

fn entry(
    key: Key,
    ident: &Ident,
    input: ParseStream<'_>,
    read: &mut impl FnMut(Entry<'_>) -> syn::Result<()>,
) -> syn::Result<()> {
    let (name, value) = key.spec();
    let has_value = input.peek(Token![=]);
    let misused = match value {
        Value::Required => !has_value,
        Value::Optional => !has_value && !ends(input),
        Value::None => false,
    };
    if misused {
        return Err(Error::new_spanned(ident, format!("`{name}` needs a value: `{name} = …`")));
    }
    if value != Value::None {
        input.parse::<Option<Token![=]>>()?;
    }
    read(Entry { key, ident, input })?;
    if value == Value::None && has_value {
        return Err(Error::new_spanned(ident, format!("`{name}` takes no value; write it alone")));
    }
    Ok(())
}

/// Whether the stream is at the end of a key.
fn ends(input: ParseStream<'_>) -> bool {
    input.is_empty() || input.peek(Token![,])
}

/// Skips to the next comma, so that one mistake does not hide the next mistake.
fn skip_value(input: ParseStream<'_>) -> syn::Result<()> {
    while !ends(input) {
        input.parse::<TokenTree>()?;
    }
    Ok(())
}

impl Entry<'_> {
    /// The path after a key. `None` if the key has no value.
    pub(crate) fn optional_path(&self) -> syn::Result<Option<Path>> {
        if ends(self.input) { Ok(None) } else { self.path().map(Some) }
    }

    pub(crate) fn path(&self) -> syn::Result<Path> {
        let (input, key) = (self.input, self.key.name());
        if input.peek(LitStr) {
            let text = input.parse::<LitStr>()?;
            let message = format!("write the path without quotes: `{key} = {}`", text.value());
            return Err(Error::new_spanned(text, message));
        }
        if input.peek(Token![dyn]) {
            let keyword = input.parse::<Token![dyn]>()?;
            let message = format!("write the trait without `dyn`: `{key} = ChatClient`");
            return Err(Error::new_spanned(keyword, message));
        }
        input.parse()
    }

    pub(crate) fn string(&self) -> syn::Result<LitStr> {
        if self.input.peek(LitStr) {
            return self.input.parse();
        }
        let message = format!("write the value in quotes: `{} = \"…\"`", self.key.name());
        let span = if self.input.is_empty() { Span::call_site() } else { self.input.span() };
        Err(Error::new(span, message))
    }
}
