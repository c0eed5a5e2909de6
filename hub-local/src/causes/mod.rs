//! The causes of failures: for each the text of the log and what to check. The log, the texts for clients and the page
//! `docs/reference/causes.md` have them from here.

mod table;

pub(crate) use self::table::Cause;

/// A request that is refused, with the cause and the text for the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) cause: Cause,
    pub(crate) text: String,
}

impl Refusal {
    pub(crate) fn new(cause: Cause, text: impl Into<String>) -> Self {
        Self { cause, text: text.into() }
    }
}

impl Cause {
    /// Text and advice in one sentence, for peers that get no other field.
    pub(crate) fn sentence(self) -> String {
        format!("{}: check {}", self.text(), self.check())
    }
}

#[cfg(test)]
mod tests;
