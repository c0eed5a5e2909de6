//! `#[hub_client]`: parse, check, expand, in that order.

mod expand;
mod model;
mod parse;

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Error, ItemTrait, parse2};

use crate::errors::collect;

/// The client trait, its implementation for proxies, and the errors.
///
/// The trait keeps methods with an error, so that the compiler does not also report calls of these methods.
pub(crate) fn expand(args: TokenStream, item: &TokenStream) -> TokenStream {
    let definition = match parse2::<ItemTrait>(item.clone()) {
        Ok(definition) => definition,
        Err(error) => return refuse(item, &error),
    };
    let (client, errors) = collect(|sink| {
        let client = parse::definition(args, definition, sink);
        client.check(sink);
        client
    });
    let generated = expand::client(&client);
    quote!(#generated #errors)
}

/// Returns the unchanged item and an error, because the item is not a trait.
fn refuse(item: &TokenStream, error: &Error) -> TokenStream {
    let message =
        format!("`#[hub_client]` belongs on a trait: `trait ChatClient {{ … }}` ({error})");
    let error = Error::new(proc_macro2::Span::call_site(), message).into_compile_error();
    quote!(#item #error)
}

#[cfg(test)]
mod tests;
