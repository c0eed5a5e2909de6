//! Names in generated code: the path of the crate, and identifiers that user code cannot see or shadow.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote_spanned};
use syn::Path;

/// The path of the runtime crate in expansions: `crate = …`, defaults to `::hub_runtime`.
#[derive(Default)]
pub(crate) struct Root(Option<Path>);

impl Root {
    pub(crate) fn new(path: Path) -> Self {
        Self(Some(path))
    }

    /// The path of the module for expansions. The compiler reports errors in it at `span`.
    pub(crate) fn private_at(&self, span: Span) -> TokenStream {
        match &self.0 {
            None => quote_spanned!(span=> ::hub_runtime::__private),
            Some(path) => quote_spanned!(span=> #path::__private),
        }
    }

    /// `use …::__private as __hub;`, the first line of every generated block.
    pub(crate) fn alias(&self) -> TokenStream {
        let site = Span::mixed_site();
        let private = self.private_at(site);
        quote_spanned!(site=> use #private as __hub;)
    }

    /// Whether `path` is the attribute `name` of this crate, written with or without the crate's path.
    ///
    /// An attribute in any other spelling stays in place and expands to the attribute macro, which reports an
    /// error.
    pub(crate) fn is_own(&self, path: &Path, name: &str) -> bool {
        if path.is_ident(name) {
            return true;
        }
        let written = spelling(path);
        let Some(prefix) = written.strip_suffix(name).and_then(|rest| rest.strip_suffix("::"))
        else {
            return false;
        };
        prefix == "hub_runtime" || self.0.as_ref().is_some_and(|root| prefix == spelling(root))
    }
}

/// The path as text without blanks and without leading `::`.
fn spelling(path: &Path) -> String {
    let text: String = path.to_token_stream().to_string().split_whitespace().collect();
    text.trim_start_matches("::").to_owned()
}

/// The span for generated code that may fail to compile: the location of the user's code, with the
/// hygiene of generated code, so that lints skip it.
pub(crate) fn at(span: Span) -> Span {
    span.resolved_at(Span::mixed_site())
}

/// A local of generated code. User code cannot see it, and it does not refer to names of user code.
pub(crate) fn local(name: &str) -> Ident {
    local_at(name, Span::mixed_site())
}

/// The same local as [`local`], but the compiler reports errors in its use at `span`.
pub(crate) fn local_at(name: &str, span: Span) -> Ident {
    format_ident!("__hub_{name}", span = at(span))
}

/// A local whose uses the compiler reports at `span` as if they were user code.
///
/// Only its prefix distinguishes the local from names of the user, so its scope must not contain user
/// expressions.
pub(crate) fn plain_local(name: &str, span: Span) -> Ident {
    format_ident!("__hub_{name}", span = span)
}

#[cfg(test)]
mod tests {
    use syn::parse_quote;

    use super::*;

    #[test]
    fn own_attributes_are_known_by_name_or_by_the_crates_path() {
        let root = Root::new(parse_quote!(crate::rt));

        for own in [
            parse_quote!(filter),
            parse_quote!(hub_runtime::filter),
            parse_quote!(::hub_runtime::filter),
            parse_quote!(crate::rt::filter),
        ] {
            assert!(root.is_own(&own, "filter"), "{}", spelling(&own));
        }
        for other in [parse_quote!(warp::filter), parse_quote!(filters), parse_quote!(my_filter)] {
            assert!(!root.is_own(&other, "filter"), "{}", spelling(&other));
        }
    }
}
