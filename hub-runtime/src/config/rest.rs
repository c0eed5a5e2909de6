//! Timeout and retries of REST calls in the settings.

use std::time::Duration;

use super::{endpoint::Reader, env, values};
use crate::{config::Retries, rest::RestOptions};

/// The maximum number of retries in a setting.
const MAX_RETRIES: u32 = 100;

/// The values of the settings. `None` means the default of the client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RestSettings {
    pub(crate) timeout: Option<Duration>,
    pub(crate) max_retries: Option<u32>,
    pub(crate) delay: Option<Duration>,
    pub(crate) max_delay: Option<Duration>,
    pub(crate) mode: Option<RetryMode>,
}

/// How the delay between attempts grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RetryMode {
    Fixed,
    Exponential,
}

impl RestSettings {
    /// Values of the app take precedence over settings, and settings over defaults.
    pub(crate) fn options(
        &self,
        timeout: Option<Duration>,
        retries: Option<Retries>,
        trace_messages: bool,
    ) -> RestOptions {
        let defaults = RestOptions::default();
        RestOptions {
            timeout: timeout.or(self.timeout).unwrap_or(defaults.timeout),
            retries: retries.unwrap_or_else(|| self.retries()),
            trace_messages,
            ..defaults
        }
    }

    fn retries(&self) -> Retries {
        let mut retries = Retries::default();
        if let Some(times) = self.max_retries {
            retries = retries.times(times);
        }
        if let Some(delay) = self.delay {
            retries = retries.delay(delay);
        }
        if let Some(longest) = self.max_delay {
            retries = retries.max_delay(longest);
        }
        match self.mode {
            Some(RetryMode::Fixed) => retries.fixed(),
            Some(RetryMode::Exponential) | None => retries,
        }
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Self {
        let mut retry =
            |key: &str| reader.parsed(&format!("{}:{key}", env::RETRY), values::time_span);
        let (delay, max_delay) = (retry("Delay"), retry("MaxDelay"));
        Self {
            timeout: reader.parsed(env::HTTP_TIMEOUT, values::time_span),
            max_retries: reader.parsed(&format!("{}:MaxRetries", env::RETRY), |text| {
                values::count(text, MAX_RETRIES)
            }),
            delay,
            max_delay,
            mode: reader.parsed(&format!("{}:Mode", env::RETRY), |text| {
                match text.to_ascii_lowercase().as_str() {
                    "fixed" => Ok(RetryMode::Fixed),
                    "exponential" => Ok(RetryMode::Exponential),
                    _ => Err("is not a mode: use Fixed or Exponential"),
                }
            }),
        }
    }
}
