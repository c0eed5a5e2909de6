//! `#[serverless_hub]`: parse, check, expand, in that order.

mod borrowed;
mod expand;
mod model;
mod params;
mod parse;
mod typed;

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Error, ItemImpl, parse2};

use crate::{errors::collect, misplaced};

/// The user's block without our attributes, the table of its methods, and the errors.
///
/// If there are errors, the table is generated without the methods that have an error. Without a table, the
/// compiler would also report that the type is not a hub.
pub(crate) fn expand(args: TokenStream, item: &TokenStream) -> TokenStream {
    let mut block = match parse2::<ItemImpl>(item.clone()) {
        Ok(block) => block,
        Err(error) => match misplaced::before_names(item) {
            Some((item, error)) => return with_error(&expand(args, &item), &error),
            None => return refuse(item, &error),
        },
    };
    let (hub, errors) = collect(|sink| {
        borrowed::owned(&mut block, sink);
        let hub = parse::block(args, &mut block, sink)?;
        hub.check(sink);
        Some(hub)
    });
    let table = hub.as_ref().map(expand::table);
    quote!(#block #table #errors)
}

/// Returns the unchanged item and an error, because the item is not an `impl` block.
fn refuse(item: &TokenStream, error: &Error) -> TokenStream {
    let message = format!(
        "`#[serverless_hub]` belongs on an inherent `impl` block: `impl Chat {{ … }}` ({error})"
    );
    with_error(item, &Error::new(proc_macro2::Span::call_site(), message))
}

fn with_error(item: &TokenStream, error: &Error) -> TokenStream {
    let error = error.to_compile_error();
    quote!(#item #error)
}

#[cfg(test)]
mod tests;
