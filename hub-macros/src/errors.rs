//! Collects the errors of one expansion, so that all errors are reported together.

use std::{cell::RefCell, fmt::Display};

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::Error;

/// Collects the errors of an expansion. Only [`collect`] creates a sink, so no error is lost.
pub(crate) struct Sink {
    errors: RefCell<Vec<Error>>,
}

impl Sink {
    /// Reports an error at `tokens`.
    pub(crate) fn report(&self, tokens: impl ToTokens, message: impl Display) {
        self.push(Error::new_spanned(tokens, message));
    }

    /// Reports an error of syn.
    pub(crate) fn push(&self, error: Error) {
        self.errors.borrow_mut().push(error);
    }

    /// Runs `work`. Returns its value, and whether it reported no error.
    pub(crate) fn is_sound<T>(&self, work: impl FnOnce() -> T) -> (T, bool) {
        let before = self.errors.borrow().len();
        let value = work();
        (value, self.errors.borrow().len() == before)
    }
}

/// Runs `work` and returns its value and one `compile_error!` for each reported error.
pub(crate) fn collect<T>(work: impl FnOnce(&Sink) -> T) -> (T, TokenStream) {
    let sink = Sink { errors: RefCell::default() };
    let value = work(&sink);
    (value, sink.errors.into_inner().iter().map(Error::to_compile_error).collect())
}
