//! `#[serverless_hub]`: parse, check, expand, in that order.

mod dummy;
mod expand;
mod model;
mod params;
mod parse;

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Error, ItemImpl, parse2};

use crate::errors::collect;

/// The user's block without our attributes, and beside it the table, or an empty one and the
/// mistakes.
pub(crate) fn expand(args: TokenStream, item: &TokenStream) -> TokenStream {
    let mut block = match parse2::<ItemImpl>(item.clone()) {
        Ok(block) => block,
        Err(error) => return refuse(item, &error),
    };
    let (hub, mistakes) = collect(|sink| {
        let hub = parse::block(args, &mut block, sink)?;
        hub.check(sink);
        Some(hub)
    });
    let table = if mistakes.is_empty() { expand::table } else { dummy::table };
    let generated = hub.as_ref().map(table);
    let mistakes = mistakes.into_tokens();
    quote!(#block #generated #mistakes)
}

/// What is not an `impl` block stays as it is, beside the error.
fn refuse(item: &TokenStream, error: &Error) -> TokenStream {
    let message =
        format!("`#[serverless_hub]` goes on the hub's block: `impl Chat {{ … }}` ({error})");
    let error = Error::new(proc_macro2::Span::call_site(), message).into_compile_error();
    quote!(#item #error)
}

#[cfg(test)]
mod tests;
