//! Errors of hub methods: the text for the client and the text for the log.

use std::{borrow::Cow, error::Error, fmt, time::Duration};

use crate::panics::caught;

/// The result of a hub method, a filter or an extractor.
pub type HubResult<T = ()> = Result<T, HubError>;

/// An error of a hub method. Its kind determines whether the client receives the text.
///
/// `HubError` does not implement [`std::error::Error`], so that `?` converts *any* standard error into
/// an internal error, which is logged and never sent to a client.
///
/// [`Display`](fmt::Display) writes only the text that a client may read, which is `internal error` for
/// an internal error. [`Debug`](fmt::Debug) and [`Self::chain`] contain all causes: to log them from a method, write
/// `#[instrument(err(Debug))]`.
///
/// ```
/// use hub_core::{HubError, HubResult};
///
/// fn parse(text: &str) -> HubResult<u8> {
///     if text.is_empty() {
///         return Err(HubError::rejected("Say a number")); // the client receives this
///     }
///     Ok(text.parse()?) // the client receives a fixed text and an error id
/// }
/// # assert!(parse("").is_err());
/// ```
pub struct HubError {
    kind: ErrorKind,
    /// After how many seconds a throttled caller may try again. Fits into the padding of the struct.
    wait_seconds: u32,
    text: String,
    source: Option<Box<dyn Error + Send + Sync>>,
    /// The filter that refused the call.
    filter: Option<&'static str>,
    /// The position of the argument that was not bound, counted from 1. 0 if the error is not about an argument.
    argument: u16,
}

/// The position in [`HubError::brief`] of a value that contains all arguments.
const ALL_ARGUMENTS: u16 = u16::MAX;

/// The kind of a [`HubError`]. It determines the response, the text for the client, and the log level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The request is invalid. The client receives the text.
    Rejected,
    /// The caller lacks permission. The client receives the text.
    Denied,
    /// The caller is not authenticated. The client receives the text.
    Unauthenticated,
    /// The caller exceeds a rate limit. The client receives the text.
    Throttled,
    /// The app failed. The text is only logged.
    Internal,
    /// A method panicked. The text is only logged.
    Panicked,
}

impl HubError {
    /// The request is invalid. The client receives `text`.
    #[must_use]
    pub fn rejected(text: impl fmt::Display) -> Self {
        Self::shown(ErrorKind::Rejected, &text)
    }

    /// The caller lacks permission. The client receives `403 Forbidden: text`.
    #[must_use]
    pub fn denied(text: impl fmt::Display) -> Self {
        Self::shown(ErrorKind::Denied, &text)
    }

    /// The caller is not authenticated. A refused negotiate responds with 401 and `text`.
    #[must_use]
    pub fn unauthenticated(text: impl fmt::Display) -> Self {
        Self::shown(ErrorKind::Unauthenticated, &text)
    }

    /// The caller exceeds a rate limit. The client receives `429 Too Many Requests: ` and how long to wait. A
    /// refused negotiate responds with 429 and `Retry-After`.
    #[must_use]
    pub fn throttled(wait: Duration) -> Self {
        // Round up, so that a call after this time is allowed.
        let seconds = wait.as_nanos().div_ceil(1_000_000_000).max(1);
        let unit = if seconds == 1 { "second" } else { "seconds" };
        let wait_seconds = u32::try_from(seconds).unwrap_or(u32::MAX);
        let text = format_args!("try again in {seconds} {unit}");
        Self { wait_seconds, ..Self::shown(ErrorKind::Throttled, &text) }
    }

    /// The app failed. The source is logged and never sent to the client. The `?` operator converts any
    /// standard error into such an error.
    #[must_use]
    pub fn internal(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let source = source.into();
        Self {
            kind: ErrorKind::Internal,
            wait_seconds: 0,
            text: source.to_string(),
            source: Some(source),
            filter: None,
            argument: 0,
        }
    }

    /// Creates an error for a method that panicked with this message.
    #[doc(hidden)]
    #[must_use]
    pub fn panicked(message: String) -> Self {
        Self { text: message, ..Self::shown(ErrorKind::Panicked, &"") }
    }

    /// Adds a cause for the log.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Sets the type of the filter that refused the call. The rejection of a filter is a denial: the filter
    /// decides about the caller, not about the content of the request.
    pub(crate) fn by_filter(mut self, filter: &'static str) -> Self {
        self.filter = Some(filter);
        if self.kind == ErrorKind::Rejected {
            self.kind = ErrorKind::Denied;
        }
        self
    }

    /// An argument was not bound. `position` counts from 1; without a position, all arguments are meant.
    pub(crate) fn argument(position: Option<usize>, text: impl fmt::Display) -> Self {
        let position = position.and_then(|position| u16::try_from(position).ok());
        Self { argument: position.unwrap_or(ALL_ARGUMENTS), ..Self::rejected(text) }
    }

    /// The text without names of parameters and types, and without texts of other crates. Only errors about
    /// arguments contain these.
    #[doc(hidden)]
    #[must_use]
    pub fn brief(&self) -> Cow<'_, str> {
        match self.argument {
            0 => Cow::Borrowed(&self.text),
            ALL_ARGUMENTS => Cow::Borrowed("the arguments are not valid"),
            position => Cow::Owned(format!("argument {position} is missing or not valid")),
        }
    }

    /// The type of the filter that refused the call, without its path. `None` if no filter refused the call.
    #[must_use]
    pub fn refused_by(&self) -> Option<&'static str> {
        self.filter
    }

    /// The kind of the error.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The text. If [`Self::is_internal`], it is only for the log, otherwise also for the client.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether the text is only logged.
    #[must_use]
    pub fn is_internal(&self) -> bool {
        matches!(self.kind, ErrorKind::Internal | ErrorKind::Panicked)
    }

    /// Whether the caller was refused, as opposed to a failure or a rejection of the request's content.
    #[doc(hidden)]
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        use ErrorKind::{Denied, Throttled, Unauthenticated};
        matches!(self.kind, Denied | Throttled | Unauthenticated)
    }

    /// After how many seconds a throttled caller may try again. 0 for errors of other kinds.
    #[doc(hidden)]
    #[must_use]
    pub fn wait_seconds(&self) -> u32 {
        self.wait_seconds
    }

    /// The text and all causes, for the log. If the `Display` of a cause panics, the message of the panic replaces
    /// the causes.
    #[must_use]
    pub fn chain(&self) -> String {
        caught(|| self.text_and_causes()).unwrap_or_else(|panicked| {
            format!("{}: the text of a cause panicked: {}", self.text, panicked.text)
        })
    }

    fn text_and_causes(&self) -> String {
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
        Self {
            kind,
            wait_seconds: 0,
            text: text.to_string(),
            source: None,
            filter: None,
            argument: 0,
        }
    }
}

impl fmt::Debug for HubError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HubError").field(&self.kind).field(&self.chain()).finish()
    }
}

impl fmt::Display for HubError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_internal() { "internal error" } else { &self.text })
    }
}

impl<E: Error + Send + Sync + 'static> From<E> for HubError {
    fn from(source: E) -> Self {
        Self::internal(source)
    }
}

/// An application's own error type, convertible to a [`HubError`].
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
    message = "`{Self}` cannot be reported to a SignalR client; return `HubResult<…>`, or implement `IntoHubError` for a type of your own",
    label = "this error type has no conversion to `HubError`",
    note = "`?` converts every standard error to an internal `HubError`, which is logged; the client receives an error id. For `anyhow::Error` write `.map_err(HubError::internal)?`"
)]
pub trait IntoHubError {
    /// Converts the error.
    fn into_hub_error(self) -> HubError;
}

impl IntoHubError for HubError {
    fn into_hub_error(self) -> HubError {
        self
    }
}

/// Converts a missing value or an error into a [`HubError::rejected`].
pub trait OrReject<T> {
    /// Returns the value.
    ///
    /// # Errors
    /// [`HubError::rejected`] with `text` when there is no value. The source error is logged.
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
    fn the_question_mark_operator_makes_any_error_internal() {
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

    #[test]
    fn a_throttled_caller_is_told_whole_seconds_rounded_up() {
        let text = |wait| HubError::throttled(Duration::from_millis(wait)).to_string();

        assert_eq!(text(0), "try again in 1 second");
        assert_eq!(text(1000), "try again in 1 second");
        assert_eq!(text(1001), "try again in 2 seconds");
    }

    #[test]
    fn the_brief_text_of_an_argument_has_only_its_position() {
        let detailed = "argument 2 (`room`): unknown variant `x`, expected `Red`";

        let second = HubError::argument(Some(2), detailed);
        let all = HubError::argument(None, "the message: missing field `secret`");

        assert_eq!(second.text(), detailed);
        assert_eq!(second.brief(), "argument 2 is missing or not valid");
        assert_eq!(all.brief(), "the arguments are not valid");
        assert_eq!(HubError::rejected("Sold out").brief(), "Sold out");
    }

    #[test]
    fn display_shows_the_text_of_a_rejection_and_hides_that_of_an_internal_error() {
        let rejected = "x".parse::<u8>().or_reject("Say a number").unwrap_err();
        let internal = HubError::internal("password=hunter2");

        assert_eq!(rejected.to_string(), "Say a number");
        assert_eq!(internal.to_string(), "internal error");
        assert_eq!(HubError::panicked("password=hunter2".to_owned()).to_string(), "internal error");
    }
}
