//! The line of JSON on standard output with the addresses of the service, for programs.

use std::io::{self, Write as _};

use hub_core::Secret;
use hub_local::LocalService;
use serde::Serialize;

/// Addresses of a running service.
#[derive(Debug)]
pub(super) struct Ready {
    url: String,
    /// The port of the listener, which is not that of the URL with `--url`.
    port: u16,
    connection_string: Secret,
    inspector: Option<Secret>,
}

impl Ready {
    pub(super) fn of(service: &LocalService, port: u16) -> Self {
        Self {
            url: service.public_url(),
            port,
            connection_string: service.connection_string(),
            inspector: service.inspector_url(),
        }
    }

    /// Prints the line. A program waits for it, so a closed standard output is an error.
    pub(super) fn print(&self) -> io::Result<()> {
        let mut out = io::stdout().lock();
        writeln!(out, "{}", self.line()?)?;
        out.flush()
    }

    fn line(&self) -> io::Result<String> {
        let line = Line {
            url: &self.url,
            port: self.port,
            connection_string: self.connection_string.expose(),
            inspector: self.inspector.as_ref().map(Secret::expose),
        };
        Ok(serde_json::to_string(&line)?)
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    url: &'a str,
    port: u16,
    connection_string: &'a str,
    inspector: Option<&'a str>,
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn the_line_has_all_addresses_and_null_for_an_inspector_that_is_off() {
        let mut ready = Ready {
            url: "http://127.0.0.1:1".to_owned(),
            port: 1,
            connection_string: "Endpoint=http://127.0.0.1;AccessKey=\"k\";".into(),
            inspector: Some("http://127.0.0.1:1/inspector#t".into()),
        };
        let read = |ready: &Ready| serde_json::from_str::<Value>(&ready.line().unwrap()).unwrap();

        let line = read(&ready);
        assert_eq!((&line["url"], &line["port"]), (&"http://127.0.0.1:1".into(), &1.into()));
        assert_eq!(line["connectionString"], "Endpoint=http://127.0.0.1;AccessKey=\"k\";");
        assert_eq!(line["inspector"], "http://127.0.0.1:1/inspector#t");
        ready.inspector = None;
        assert_eq!(read(&ready).get("inspector"), Some(&Value::Null));
    }
}
