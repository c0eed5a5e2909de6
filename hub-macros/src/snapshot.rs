//! Formatted expansions for tests.

use proc_macro2::TokenStream;

/// The formatted source of an expansion.
pub(crate) fn formatted(expansion: &TokenStream) -> String {
    match syn::parse2(expansion.clone()) {
        Ok(file) => prettyplease::unparse(&file),
        Err(error) => panic!("the expansion does not parse: {error}\n{expansion}"),
    }
}

/// The texts of the errors in an expansion, in order.
pub(crate) fn messages(expansion: &TokenStream) -> Vec<String> {
    let source = formatted(expansion);
    let calls = source.split("compile_error! {").skip(1);
    calls
        .filter_map(|call| Some(call.split_once('}')?.0.trim().trim_matches('"').to_owned()))
        .collect()
}
