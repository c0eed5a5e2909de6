//! `Debug` for errors that `main` returns. A program prints them with `Debug`, but users need the text.

/// Implements `Debug` with the text of `Display`.
macro_rules! debug_as_display {
    ($($error:ty),+ $(,)?) => {$(
        impl std::fmt::Debug for $error {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(self, f)
            }
        }
    )+};
}

debug_as_display!(
    crate::build::BuildError,
    crate::build::BuildProblem,
    crate::config::ConfigError,
    crate::config::ConnectionStringError,
    crate::config::SettingProblem,
);

#[cfg(test)]
mod tests {
    use std::{error::Error, io};

    use crate::{
        BuildError, BuildProblem, HubApp, SignalR,
        config::{ConnectionStringError, SettingProblem},
    };

    #[test]
    fn main_prints_the_text_of_a_start_up_error() {
        let invalid = SignalR::from_connection_string("Endpoint=https://x.net").unwrap_err();
        let errors: [Box<dyn Error>; 6] = [
            Box::new(HubApp::builder().upstream_path("hooks").build().unwrap_err()),
            Box::new(BuildError::Listen(io::Error::other("no descriptors"))),
            Box::new(BuildProblem::NoHub),
            Box::new(invalid),
            Box::new(SettingProblem::invalid("HUB_LOCAL_PORT", "is not a port")),
            Box::new(ConnectionStringError::NoAccessKey),
        ];

        for error in errors {
            assert_eq!(format!("{error:?}"), error.to_string());
        }
    }

    #[test]
    fn the_text_of_a_failed_listener_contains_the_cause() {
        let error = BuildError::Listen(io::Error::other("no descriptors"));

        assert_eq!(
            error.to_string(),
            "cannot open a listener for the embedded service: no descriptors"
        );
    }
}
