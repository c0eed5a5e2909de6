//! `#[hub_client]`: parse, check, expand, in that order.

mod expand;
mod model;
mod parse;

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Error, ItemTrait, parse2};

use crate::errors::collect;

/// The trait of what clients implement, its implementation for proxies, and any mistakes.
///
/// Beside mistakes the trait keeps all its methods, so that no call of one is a second error.
pub(crate) fn expand(args: TokenStream, item: &TokenStream) -> TokenStream {
    let definition = match parse2::<ItemTrait>(item.clone()) {
        Ok(definition) => definition,
        Err(error) => return refuse(item, &error),
    };
    let (client, mistakes) = collect(|sink| {
        let client = parse::definition(args, definition, sink);
        client.check(sink);
        client
    });
    let generated = expand::client(&client);
    let mistakes = mistakes.into_tokens();
    quote!(#generated #mistakes)
}

/// What is not a trait stays as it is, beside the error.
fn refuse(item: &TokenStream, error: &Error) -> TokenStream {
    let message = format!("`#[hub_client]` goes on a trait: `trait ChatClient {{ … }}` ({error})");
    let error = Error::new(proc_macro2::Span::call_site(), message).into_compile_error();
    quote!(#item #error)
}

#[cfg(test)]
mod tests;
