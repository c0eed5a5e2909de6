//! Walks the `key = value` lists in attributes.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use syn::{
    Error, LitStr, Path, Token,
    ext::IdentExt,
    parse::{ParseStream, Parser},
};

use crate::errors::Sink;

/// The keys that stand alone.
const FLAGS: [&str; 3] = ["fallback", "arguments", "body"];
/// The keys that may stand alone.
const OPTIONAL: [&str; 1] = ["register"];

/// Walks `key = value, …`; `read` gets each known key once, with the stream standing at its value, if
/// the key has one.
pub(crate) fn for_each_key(
    tokens: TokenStream,
    known: &[&str],
    sink: &Sink,
    mut read: impl FnMut(&Ident, ParseStream<'_>) -> syn::Result<()>,
) {
    let expected = || known.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ");
    let mut seen = Vec::new();
    let walk = |input: ParseStream<'_>| {
        while !input.is_empty() {
            if !input.peek(Ident::peek_any) {
                return Err(
                    input.error(format!("expected `key = value`; the keys are {}", expected()))
                );
            }
            let key = input.call(Ident::parse_any)?;
            let name = key.to_string();
            if !known.contains(&name.as_str()) {
                sink.report(&key, format!("unknown key `{name}`; the keys are {}", expected()));
                skip_value(input)?;
            } else if seen.contains(&name) {
                sink.report(&key, format!("`{name}` is given twice; remove this one"));
                skip_value(input)?;
            } else if FLAGS.contains(&name.as_str()) {
                if input.peek(Token![=]) {
                    sink.report(&key, format!("`{name}` has no value; write it alone"));
                    skip_value(input)?;
                }
                if let Err(error) = read(&key, input) {
                    sink.push(error);
                }
                seen.push(name);
            } else if !(input.peek(Token![=]) || optional(&name) && ends(input)) {
                sink.report(&key, format!("`{name}` needs a value: `{name} = …`"));
                skip_value(input)?;
            } else {
                input.parse::<Option<Token![=]>>()?;
                if let Err(error) = read(&key, input) {
                    sink.push(error);
                    skip_value(input)?;
                }
                seen.push(name);
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

fn optional(key: &str) -> bool {
    OPTIONAL.contains(&key)
}

/// Whether a key ends here.
pub(crate) fn ends(input: ParseStream<'_>) -> bool {
    input.is_empty() || input.peek(Token![,])
}

/// Goes to the next comma, so that one mistake does not hide the next.
fn skip_value(input: ParseStream<'_>) -> syn::Result<()> {
    while !ends(input) {
        input.parse::<TokenTree>()?;
    }
    Ok(())
}

pub(crate) fn path_value(key: &str, input: ParseStream<'_>) -> syn::Result<Path> {
    if input.peek(LitStr) {
        let text = input.parse::<LitStr>()?;
        let message = format!("a path stands without quotes: `{key} = {}`", text.value());
        return Err(Error::new_spanned(text, message));
    }
    if input.peek(Token![dyn]) {
        let keyword = input.parse::<Token![dyn]>()?;
        return Err(Error::new_spanned(
            keyword,
            format!("name the trait alone: `{key} = ChatClient`"),
        ));
    }
    input.parse()
}

pub(crate) fn string_value(key: &str, input: ParseStream<'_>) -> syn::Result<LitStr> {
    if input.peek(LitStr) {
        return input.parse();
    }
    let message = format!("the name stands in quotes: `{key} = \"…\"`");
    let span = if input.is_empty() { Span::call_site() } else { input.span() };
    Err(Error::new(span, message))
}
