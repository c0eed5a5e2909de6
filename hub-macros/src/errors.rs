//! Collects every mistake of one expansion, so that all are reported together.

use std::{cell::RefCell, fmt::Display};

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::Error;

/// Where an expansion reports mistakes. Only [`collect`] makes one, so none can be dropped unread.
pub(crate) struct Sink {
    errors: RefCell<Vec<Error>>,
}

impl Sink {
    /// Reports a mistake that covers all of `tokens`.
    pub(crate) fn report(&self, tokens: impl ToTokens, message: impl Display) {
        self.push(Error::new_spanned(tokens, message));
    }

    /// Reports a mistake that syn found.
    pub(crate) fn push(&self, error: Error) {
        self.errors.borrow_mut().push(error);
    }
}

/// Runs `work` and gives its value with the mistakes it reported.
pub(crate) fn collect<T>(work: impl FnOnce(&Sink) -> T) -> (T, Mistakes) {
    let sink = Sink { errors: RefCell::default() };
    let value = work(&sink);
    (value, Mistakes(sink.errors.into_inner()))
}

/// The mistakes of one expansion, in the order in which they were found.
#[must_use]
pub(crate) struct Mistakes(Vec<Error>);

impl Mistakes {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One `compile_error!` a mistake.
    pub(crate) fn into_tokens(self) -> TokenStream {
        self.0.iter().map(Error::to_compile_error).collect()
    }
}
