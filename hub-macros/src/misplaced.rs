//! Refuses `#[filter]`, `#[hub]` and `#[from_context]` where no `#[serverless_hub]` consumes them.
//!
//! An ignored filter would leave a method unprotected. Therefore each attribute is a macro that expands to
//! the unchanged item and an error.

use proc_macro2::{Span, TokenStream, TokenTree};
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
    fn the_item_is_emitted_with_the_error() {
        let text = filter(&quote!(
            async fn a(&self) {}
        ))
        .to_string();

        assert!(text.starts_with("async fn a (& self) { }"));
        assert!(text.contains("would run unguarded"));
    }
}
