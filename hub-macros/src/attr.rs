//! Removes our attributes from items and reads filters, names and conditions.

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::{
    Attribute, Error, Expr, ExprLit, Lit, LitStr, Meta, Token,
    ext::IdentExt,
    parse::{ParseStream, Parser},
};

use crate::{case::RenameRule, case::name_problem, errors::Sink, paths::Root};

/// The attributes that the macros consume.
const OWN: [&str; 3] = ["filter", "hub", "from_context"];

/// Removes and returns our attributes with this name.
pub(crate) fn take(attrs: &mut Vec<Attribute>, name: &str, root: &Root) -> Vec<Attribute> {
    let all = std::mem::take(attrs);
    let (taken, kept) = all.into_iter().partition(|attr| root.is_own(attr.path(), name));
    *attrs = kept;
    taken
}

/// Removes and reports our attributes in places where they have no effect.
pub(crate) fn refuse_own(attrs: &mut Vec<Attribute>, why: &str, root: &Root, sink: &Sink) {
    refuse_conditional(attrs, sink);
    for name in OWN {
        for attr in take(attrs, name, root) {
            sink.report(&attr, format!("`#[{name}]` has no effect here: {why}"));
        }
    }
}

/// Removes and reports our attributes inside `#[cfg_attr(…)]`. If such a condition were false, the method
/// would lose its filter.
pub(crate) fn refuse_conditional(attrs: &mut Vec<Attribute>, sink: &Sink) {
    attrs.retain(|attr| {
        let Some(name) = own_in_condition(attr) else {
            return true;
        };
        let without = match name {
            "filter" => UNGUARDED,
            _ => "write it without a condition, or write two versions under `#[cfg(…)]`",
        };
        sink.report(attr, format!("`#[{name}]` cannot depend on `cfg_attr`: {without}"));
        false
    });
}

const UNGUARDED: &str = "without the filter, methods would run unguarded; write `#[filter(…)]` without a condition, or write \
                         two versions under `#[cfg(…)]`";

/// Reports filters of a block that the compiler expanded from a `cfg_attr` before the macro ran.
///
/// If the condition is false, the macro cannot see the filter. If the condition is true, the build fails. The
/// macro recognises such a filter by its source text, which is still the whole `cfg_attr`.
pub(crate) fn refuse_applied_condition(filters: &[Attribute], sink: &Sink) {
    for attr in filters {
        let source = attr.bracket_token.span.join().source_text();
        let written = source.as_deref().map(|text| text.trim_start_matches(['[', ' ']));
        if written.is_some_and(|text| text.starts_with("cfg_attr")) {
            sink.report(attr, format!("`#[filter]` cannot depend on `cfg_attr`: {UNGUARDED}"));
        }
    }
}

/// The `cfg` conditions of an item, as attributes for the code that is generated from it.
pub(crate) fn conditions(attrs: &[Attribute]) -> Vec<TokenStream> {
    attrs.iter().filter_map(condition).collect()
}

fn condition(attr: &Attribute) -> Option<TokenStream> {
    if attr.path().is_ident("cfg") {
        return Some(attr.to_token_stream());
    }
    let mut parts = conditional_parts(attr).into_iter();
    let predicate = parts.next()?;
    let cfgs: Vec<_> = parts.filter(|part| path_end(part).as_deref() == Some("cfg")).collect();
    (!cfgs.is_empty()).then(|| quote!(#[cfg_attr(#predicate, #(#cfgs),*)]))
}

/// The doc comment of an item: its lines without their leading blank.
pub(crate) fn docs(attrs: &[Attribute]) -> String {
    let lines = attrs.iter().filter_map(|attr| match &attr.meta {
        Meta::NameValue(meta) if meta.path.is_ident("doc") => match &meta.value {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.value()),
            _ => None,
        },
        _ => None,
    });
    let lines = lines.map(|line| line.strip_prefix(' ').unwrap_or(&line).trim_end().to_owned());
    lines.collect::<Vec<_>>().join("\n").trim().to_owned()
}

/// Our attribute inside a `cfg_attr`.
fn own_in_condition(attr: &Attribute) -> Option<&'static str> {
    let names = conditional_names(attr);
    OWN.into_iter().find(|own| names.iter().any(|name| name == own))
}

/// The names of all attributes inside a `cfg_attr`, including those inside a nested `cfg_attr`.
fn conditional_names(attr: &Attribute) -> Vec<String> {
    fn names_of(parts: Vec<TokenStream>) -> Vec<String> {
        parts
            .into_iter()
            .skip(1)
            .flat_map(|part| match path_end(&part) {
                Some(name) if name == "cfg_attr" => {
                    let inner = part.into_iter().find_map(|token| match token {
                        TokenTree::Group(group) => Some(group.stream()),
                        _ => None,
                    });
                    names_of(split_commas(inner.unwrap_or_default()))
                }
                name => name.into_iter().collect(),
            })
            .collect()
    }
    names_of(conditional_parts(attr))
}

/// The predicate and the attributes of a `cfg_attr`. Empty for any other attribute.
fn conditional_parts(attr: &Attribute) -> Vec<TokenStream> {
    match &attr.meta {
        Meta::List(list) if list.path.is_ident("cfg_attr") => split_commas(list.tokens.clone()),
        _ => Vec::new(),
    }
}

/// The last identifier of the path that `tokens` begin with.
fn path_end(tokens: &TokenStream) -> Option<String> {
    let path = tokens.clone().into_iter().take_while(|token| match token {
        TokenTree::Ident(_) => true,
        TokenTree::Punct(punct) => punct.as_char() == ':',
        TokenTree::Group(_) | TokenTree::Literal(_) => false,
    });
    path.last().map(|name| name.to_string())
}

fn split_commas(tokens: TokenStream) -> Vec<TokenStream> {
    let mut parts = vec![TokenStream::new()];
    for token in tokens {
        match (&token, parts.last_mut()) {
            (TokenTree::Punct(punct), _) if punct.as_char() == ',' => {
                parts.push(TokenStream::new());
            }
            (_, Some(part)) => part.extend([token]),
            (_, None) => {}
        }
    }
    parts
}

/// The expressions of `#[filter(…)]` attributes, outer first.
pub(crate) fn filters(attrs: &[Attribute], sink: &Sink) -> Vec<Expr> {
    attrs.iter().filter_map(|attr| filter(attr).map_err(|error| sink.push(error)).ok()).collect()
}

fn filter(attr: &Attribute) -> syn::Result<Expr> {
    let needed = "`#[filter]` needs the filter: `#[filter(SignedIn)]`";
    let Meta::List(list) = &attr.meta else {
        return Err(Error::new_spanned(attr, needed));
    };
    if list.tokens.is_empty() {
        return Err(Error::new_spanned(attr, needed));
    }
    if let Some(token) = names_self(list.tokens.clone()) {
        let message = "a filter is created once, when the hub is mounted, so it cannot use `self`; its `before` \
                       gets the hub from `call.hub::<…>()`";
        return Err(Error::new_spanned(token, message));
    }
    let parser = |input: ParseStream<'_>| {
        let expression = input.parse()?;
        input.parse::<Option<Token![,]>>()?;
        if !input.is_empty() {
            let message =
                "one filter per attribute; write a second `#[filter(…)]` for the next one";
            return Err(Error::new_spanned(input.parse::<TokenStream>()?, message));
        }
        Ok(expression)
    };
    parser.parse2(list.tokens.clone())
}

/// The first `self` that refers to the hub and is not the start of a path.
fn names_self(tokens: TokenStream) -> Option<TokenTree> {
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match &token {
            TokenTree::Ident(ident) if ident == "self" => {
                let path = matches!(tokens.peek(), Some(TokenTree::Punct(p)) if p.as_char() == ':');
                if !path {
                    return Some(token);
                }
            }
            // Braces may contain items with a `self` of their own.
            TokenTree::Group(group) if group.delimiter() != proc_macro2::Delimiter::Brace => {
                if let Some(found) = names_self(group.stream()) {
                    return Some(found);
                }
            }
            _ => {}
        }
    }
    None
}

/// The client name of a method: `rename`, or by default the rule applied to the Rust name.
pub(crate) fn client_name(
    ident: &Ident,
    rename: Option<&LitStr>,
    rule: RenameRule,
    sink: &Sink,
) -> String {
    let name = match rename {
        Some(literal) => literal.value(),
        None => rule.apply(&ident.unraw().to_string()),
    };
    if let Some(problem) = name_problem(&name) {
        let message =
            format!("clients cannot call a method named {name:?}: {problem}; choose another name");
        match rename {
            Some(literal) => sink.report(literal, message),
            None => sink.report(ident, message),
        }
    }
    name
}
