//! Refuses `#[filter]`, `#[hub]` and `#[from_context]` where no `#[serverless_hub]` consumes them.
//!
//! An ignored filter would leave a method unprotected. Therefore each attribute is a macro that expands to
//! the unchanged item and an error.

use proc_macro2::{Group, Span, TokenStream, TokenTree};
use quote::quote;
use syn::Error;

pub(crate) fn filter(item: &TokenStream) -> TokenStream {
    if stands_above_hub(item.clone()) {
        return refuse(
            item,
            "`#[filter]` is above `#[serverless_hub]`, which does not see it there: without the filter, \
             methods would run unguarded; move it below `#[serverless_hub]`",
        );
    }
    refuse(
        item,
        "`#[filter]` works only in a `#[serverless_hub]` block: without the filter, methods would run \
         unguarded; put it on an `async fn` of such a block, or on the block below `#[serverless_hub]`",
    )
}

pub(crate) fn hub(item: &TokenStream) -> TokenStream {
    refuse(
        item,
        "`#[hub]` works only on a method of a `#[serverless_hub]` block or a `#[hub_client]` trait; \
         write it there",
    )
}

pub(crate) fn from_context(item: &TokenStream) -> TokenStream {
    refuse(
        item,
        "`#[from_context]` works only on a parameter of a `#[serverless_hub]` method; \
         write it before the parameter's name",
    )
}

/// Moves each `#[from_context]` or `#[hub(…)]` that is written before the type of a parameter to before its
/// name. Returns the item and an error, or `None` if there is no such attribute.
pub(crate) fn before_names(item: &TokenStream) -> Option<(TokenStream, Error)> {
    let mut found = None;
    let moved = moved(item.clone(), &mut found);
    found.map(|error| (moved, error))
}

fn moved(tokens: TokenStream, found: &mut Option<Error>) -> TokenStream {
    let mut out: Vec<TokenTree> = Vec::new();
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        let after_colon = matches!(out.last(), Some(TokenTree::Punct(p)) if p.as_char() == ':');
        match (token, tokens.peek()) {
            (TokenTree::Punct(pound), Some(TokenTree::Group(attribute)))
                if pound.as_char() == '#' && after_colon =>
            {
                let attribute = attribute.clone();
                tokens.next();
                let start = out.iter().rposition(is_comma).map_or(0, |comma| comma + 1);
                let is_name =
                    |it: &&TokenTree| !matches!(it, TokenTree::Punct(p) if p.as_char() == ':');
                let name: TokenStream =
                    out.iter().skip(start).take_while(is_name).cloned().collect();
                let message = format!(
                    "attributes belong before the name; write `#[{}] {name}: …`",
                    attribute.stream()
                );
                found.get_or_insert_with(|| Error::new_spanned(&attribute, message));
                out.splice(start..start, [pound.into(), attribute.into()]);
            }
            (TokenTree::Group(group), _) => {
                let mut inner = Group::new(group.delimiter(), moved(group.stream(), found));
                inner.set_span(group.span());
                out.push(inner.into());
            }
            (token, _) => out.push(token),
        }
    }
    out.into_iter().collect()
}

fn is_comma(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == ',')
}

/// The unchanged item, and the error at the attribute.
fn refuse(item: &TokenStream, message: &str) -> TokenStream {
    let error = Error::new(Span::call_site(), message).into_compile_error();
    quote!(#item #error)
}

/// Whether the item has the attribute `#[serverless_hub]`.
fn stands_above_hub(item: TokenStream) -> bool {
    let mut tokens = item.into_iter();
    while let (Some(TokenTree::Punct(pound)), Some(TokenTree::Group(attribute))) =
        (tokens.next(), tokens.next())
    {
        if pound.as_char() != '#' {
            return false;
        }
        // The path of the attribute ends at the group with its arguments, if any.
        let path = attribute.stream().into_iter().take_while(|token| match token {
            TokenTree::Ident(_) => true,
            TokenTree::Punct(punct) => punct.as_char() == ':',
            TokenTree::Group(_) | TokenTree::Literal(_) => false,
        });
        if path.last().is_some_and(|name| name.to_string() == "serverless_hub") {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hub_attribute_below_on_the_same_item_is_detected() {
        assert!(stands_above_hub(quote!(
            #[serverless_hub(client = A)]
            impl Chat {}
        )));
        assert!(stands_above_hub(quote!(
            #[doc = "x"]
            #[hub_runtime::serverless_hub]
            impl Chat {}
        )));
        assert!(!stands_above_hub(quote!(
            #[inline]
            async fn a(&self) {}
        )));
        assert!(!stands_above_hub(quote!(impl Chat { #[serverless_hub] fn a() {} })));
    }

    #[test]
    fn an_attribute_before_a_type_moves_before_the_name() {
        let wrong = quote!(impl Chat { async fn a(&self, ctx: &C, user: #[from_context] a::User, n: u8) {} });

        let (moved, error) = before_names(&wrong).unwrap();

        let right = quote!(impl Chat { async fn a(&self, ctx: &C, #[from_context] user: a::User, n: u8) {} });
        assert_eq!(moved.to_string(), right.to_string());
        assert!(error.to_string().ends_with("write `#[from_context] user: …`"), "{error}");
        assert!(before_names(&right).is_none());
    }

    #[test]
    fn the_item_is_emitted_with_the_error() {
        let text = filter(&quote!(
            async fn a(&self) {}
        ))
        .to_string();

        assert!(text.starts_with("async fn a (& self) { }"));
        assert!(text.contains("would run unguarded"));
    }
}
