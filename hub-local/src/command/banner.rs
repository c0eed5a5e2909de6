//! Startup message on standard output.

use std::{
    fmt,
    io::{self, Write as _},
    path::Path,
};

use hub_local::{Limits, Template};

use super::descriptors::Descriptors;

/// Startup message of a running service.
#[derive(Debug)]
pub(super) struct Banner<'a> {
    pub(super) connection_string: &'a str,
    /// Whether the key is secret. The well-known key of the emulator is not secret.
    pub(super) is_key_secret: bool,
    /// The address of the inspector with its token.
    pub(super) inspector_url: Option<&'a str>,
    /// The file of the recording.
    pub(super) record: Option<&'a Path>,
    /// Whether the operator has given the token, which is secret then.
    pub(super) is_inspector_token_given: bool,
    pub(super) templates: &'a [Template],
    /// The settings file in use.
    pub(super) file: Option<&'a Path>,
    pub(super) descriptors: Option<Descriptors>,
}

impl Banner<'_> {
    /// Prints the message. Flushes, so that the message also appears in a pipe. A closed pipe is not an error.
    pub(super) fn print(&self) {
        let mut out = io::stdout().lock();
        let _ = writeln!(out, "{self}");
        let _ = out.flush();
    }

    fn upstream(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let label = "  Upstream           ";
        if self.templates.is_empty() {
            writeln!(formatter, "{label} none: events are not delivered. Use --upstream URL or a")?;
            writeln!(formatter, "{:21}settings.json (`hub-local upstream init` writes one)", "")?;
        }
        for (number, template) in self.templates.iter().enumerate() {
            let label = if number == 0 { label } else { "                     " };
            writeln!(formatter, "{label} {template}  ({})", template.rules())?;
        }
        if let Some(file) = self.file {
            writeln!(formatter, "{:22}from {}, reloaded when it changes", "", file.display())?;
        }
        Ok(())
    }
}

impl fmt::Display for Banner<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = env!("CARGO_PKG_VERSION");
        writeln!(formatter, "hub-local {version}: a SignalR service in serverless mode\n")?;
        let shown = if self.is_key_secret {
            without_key(self.connection_string)
        } else {
            self.connection_string.to_owned()
        };
        writeln!(formatter, "  Connection string   {shown}")?;
        if let Some(url) = self.inspector_url {
            let (page, token) = url.split_once('#').unwrap_or((url, ""));
            let token = if self.is_inspector_token_given { "<your token>" } else { token };
            writeln!(formatter, "  Inspect             {page}#{token}")?;
        }
        if let Some(file) = self.record {
            writeln!(formatter, "  Recording           {}", file.display())?;
        }
        self.upstream(formatter)?;
        if let Some(Descriptors { before, now }) = self.descriptors {
            let raised =
                if now > before { format!(" (raised from {before})") } else { String::new() };
            let reserved = Limits::reserved_descriptors(now);
            let clients = now - reserved;
            writeln!(
                formatter,
                "  File descriptors    {now}{raised}; new clients get 503 if {clients} are in use"
            )?;
        }
        write!(
            formatter,
            "\nSet the connection string in the app as AzureSignalRConnectionString. Ctrl+C stops."
        )
    }
}

/// A configured key is not printed: it is secret, and standard output is often stored in logs.
fn without_key(connection_string: &str) -> String {
    let parts = connection_string.split(';').map(|part| match part.split_once('=') {
        Some(("AccessKey", _)) => "AccessKey=<your key>",
        _ => part,
    });
    parts.collect::<Vec<_>>().join(";")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "Endpoint=http://localhost;Port=8888;AccessKey=k=;Version=1.0;";

    fn banner(is_key_secret: bool, templates: &[Template]) -> String {
        let descriptors = Some(Descriptors { before: 1024, now: 4096 });
        let banner = Banner {
            connection_string: TEXT,
            is_key_secret,
            inspector_url: Some("http://localhost:8888/inspector#t0k3n"),
            record: Some(Path::new("run.jsonl")),
            is_inspector_token_given: is_key_secret,
            templates,
            file: None,
            descriptors,
        };
        banner.to_string()
    }

    #[test]
    fn the_connection_string_can_be_pasted_unless_its_key_is_secret() {
        assert!(banner(false, &[]).contains(TEXT));
        let hidden = "Endpoint=http://localhost;Port=8888;AccessKey=<your key>;Version=1.0;";
        assert!(banner(true, &[]).contains(hidden));
        assert!(!banner(true, &[]).contains("k=;"));
    }

    #[test]
    fn the_token_of_the_inspector_is_shown_unless_the_operator_gave_it() {
        assert!(
            banner(false, &[])
                .contains("  Inspect             http://localhost:8888/inspector#t0k3n")
        );
        let given = banner(true, &[]);
        assert!(given.contains("/inspector#<your token>") && !given.contains("t0k3n"));
    }

    #[test]
    fn upstreams_are_shown_with_their_rules_and_without_keys() {
        let template = Template::new("http://h/api?code=secret").unwrap().hubs("chat");

        let banner = banner(false, &[template]);

        assert!(banner.contains("http://h/api  (hub chat, any category, any event)"), "{banner}");
        assert!(!banner.contains("secret"));
    }

    #[test]
    fn the_banner_shows_advice_without_an_upstream_and_the_client_capacity() {
        let banner = banner(false, &[]);

        assert!(banner.contains("Use --upstream URL"));
        assert!(banner.contains("4096 (raised from 1024); new clients get 503 if 3072 are in use"));
    }
}
