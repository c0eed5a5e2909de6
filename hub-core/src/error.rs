//! What a hub method may fail with, and who may read it.

use std::{error::Error, fmt};

/// The result of a hub method, a filter or an extractor.
pub type HubResult<T = ()> = Result<T, HubError>;

/// A failure of a hub method, sorted by who may read its text.
///
/// `HubError` is not a [`std::error::Error`] itself. That is what lets `?` turn *any* standard error
/// into an internal one, which is logged for the operator and never shown to a client.
///
/// ```
/// use hub_core::{HubError, HubResult};
///
/// fn parse(text: &str) -> HubResult<u8> {
///     if text.is_empty() {
///         return Err(HubError::rejected("Say a number")); // the client reads this
///     }
///     Ok(text.parse()?) // the client reads one fixed sentence and an error id
/// }
/// # assert!(parse("").is_err());
/// ```
pub struct HubError {
    kind: ErrorKind,
    text: String,
    source: Option<Box<dyn Error + Send + Sync>>,
    /// The filter that refused the call.
    filter: Option<&'static str>,
}

/// Who caused a [`HubError`], which decides what is answered, shown and logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The request made no sense; the caller reads the text.
    Rejected,
    /// The caller is known and may not do this; the caller reads the text.
    Denied,
    /// The caller is not known; the caller reads the text.
    Unauthenticated,
    /// Our own failure; only the operator reads the text.
    Internal,
    /// A method panicked; only the operator reads the text.
    Panicked,
}

impl HubError {
    /// The call cannot be done as asked. The client reads `text`.
    #[must_use]
    pub fn rejected(text: impl fmt::Display) -> Self {
        Self::shown(ErrorKind::Rejected, &text)
    }

    /// The caller may not do this. The client reads `403 Forbidden: text`.
    #[must_use]
    pub fn denied(text: impl fmt::Display) -> Self {
        Self::shown(ErrorKind::Denied, &text)
    }

    /// The caller is not signed in. A refused negotiate answers 401 with `text`.
    #[must_use]
    pub fn unauthenticated(text: impl fmt::Display) -> Self {
        Self::shown(ErrorKind::Unauthenticated, &text)
    }

    /// Something of ours failed. The source is logged and never shown; `?` does the same.
    #[must_use]
    pub fn internal(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let source = source.into();
        Self {
            kind: ErrorKind::Internal,
            text: source.to_string(),
            source: Some(source),
            filter: None,
        }
    }

    /// A method panicked with this message.
    #[doc(hidden)]
    #[must_use]
    pub fn panicked(message: String) -> Self {
        Self { kind: ErrorKind::Panicked, text: message, source: None, filter: None }
    }

    /// Keeps the cause of a visible error for the log.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The same, from a filter of this type.
    pub(crate) fn by_filter(mut self, filter: &'static str) -> Self {
        self.filter = Some(filter);
        self
    }

    /// The type of the filter that refused the call, without its path; `None` when the method did.
    #[must_use]
    pub fn refused_by(&self) -> Option<&'static str> {
        self.filter
    }

    /// Who caused it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The text: for the client unless [`Self::is_internal`], then for the operator only.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether the text must stay with the operator.
    #[must_use]
    pub fn is_internal(&self) -> bool {
        matches!(self.kind, ErrorKind::Internal | ErrorKind::Panicked)
    }

    /// The text and every cause below it, for the log.
    #[must_use]
    pub fn chain(&self) -> String {
        let mut text = self.text.clone();
        let mut cause: Option<&dyn Error> = self.source.as_deref().map(|source| source as _);
        while let Some(error) = cause {
            let next = error.to_string();
            if !text.ends_with(&next) {
                text.push_str(": ");
                text.push_str(&next);
            }
            cause = error.source();
        }
        text
    }

    fn shown(kind: ErrorKind, text: &dyn fmt::Display) -> Self {
        Self { kind, text: text.to_string(), source: None, filter: None }
    }
}

impl fmt::Debug for HubError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HubError").field(&self.kind).field(&self.chain()).finish()
    }
}

impl<E: Error + Send + Sync + 'static> From<E> for HubError {
    fn from(source: E) -> Self {
        Self::internal(source)
    }
}

/// An application's own error type, and what of it a client may read.
///
/// ```
/// use hub_core::{HubError, IntoHubError};
///
/// enum ShopError { SoldOut, Database(std::io::Error) }
///
/// impl IntoHubError for ShopError {
///     fn into_hub_error(self) -> HubError {
///         match self {
///             Self::SoldOut => HubError::rejected("Sold out"),
///             Self::Database(source) => HubError::internal(source),
///         }
///     }
/// }
/// # assert_eq!(ShopError::SoldOut.into_hub_error().text(), "Sold out");
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be reported to a SignalR client",
    label = "this error type does not say what a client may read of it",
    note = "return `HubResult<…>` and use `?` (logged, the client sees an error id), or an error type of your own that implements `IntoHubError`"
)]
pub trait IntoHubError {
    /// Sorts the error by who may read it.
    fn into_hub_error(self) -> HubError;
}

impl IntoHubError for HubError {
    fn into_hub_error(self) -> HubError {
        self
    }
}

/// Turns a missing value or a failure into an error that the client reads.
pub trait OrReject<T> {
    /// The value, else [`HubError::rejected`] with `text`.
    ///
    /// # Errors
    /// When there is no value; a failure's own text is kept for the log.
    fn or_reject(self, text: impl fmt::Display) -> HubResult<T>;
}

impl<T> OrReject<T> for Option<T> {
    fn or_reject(self, text: impl fmt::Display) -> HubResult<T> {
        self.ok_or_else(|| HubError::rejected(text))
    }
}

impl<T, E: Into<Box<dyn Error + Send + Sync>>> OrReject<T> for Result<T, E> {
    fn or_reject(self, text: impl fmt::Display) -> HubResult<T> {
        self.map_err(|source| HubError::rejected(text).with_source(source))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_mark_makes_any_error_internal() {
        fn fails() -> HubResult<u8> {
            Ok("x".parse::<u8>()?)
        }

        let error = fails().unwrap_err();

        assert!(error.is_internal());
        assert_eq!(error.text(), "invalid digit found in string");
    }

    #[test]
    fn a_rejection_shows_its_text_and_keeps_the_cause_for_the_log() {
        let error = "x".parse::<u8>().or_reject("Say a number").unwrap_err();

        assert_eq!(error.kind(), ErrorKind::Rejected);
        assert_eq!(error.text(), "Say a number");
        assert_eq!(error.chain(), "Say a number: invalid digit found in string");
    }
}
