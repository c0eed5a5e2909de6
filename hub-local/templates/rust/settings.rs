//! The settings for development, and the log.

use std::{
    env, fs,
    io::{self, IsTerminal},
};

use tracing_subscriber::{
    filter::{LevelFilter, Targets},
    fmt,
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

const FILE: &str = ".env";

/// Sets the variables of the file `.env`, if there is one. A line can hold a key, so an error has
/// its number only.
pub fn read() -> Result<(), String> {
    match dotenvy::from_path(FILE) {
        Err(dotenvy::Error::LineParse(part, _)) => {
            let place = place(&part).map_or("a line".to_owned(), |number| format!("line {number}"));
            Err(format!(
                "{FILE}: {place} cannot be read; put values with spaces in quotes"
            ))
        }
        Err(error) if !error.not_found() => Err(format!("{FILE}: {error}")),
        _ => Ok(()),
    }
}

/// The number of the line with this text, which is a line or its value.
fn place(part: &str) -> Option<usize> {
    let text = fs::read_to_string(FILE).ok()?;
    let start = part.lines().next()?;
    let mut lines = text.lines();
    let index = lines.position(|it| !it.trim_start().starts_with('#') && it.contains(start))?;
    Some(index + 1)
}

/// Writes the log to standard error, as `RUST_LOG` selects it.
pub fn log() -> Result<(), String> {
    let filter = match env::var("RUST_LOG") {
        Ok(log) if !log.trim().is_empty() => log
            .parse()
            .map_err(|error| format!("RUST_LOG cannot be read: {error}"))?,
        Err(error @ env::VarError::NotUnicode(_)) => {
            return Err(format!("RUST_LOG cannot be read: {error}"));
        }
        _ => Targets::new().with_default(LevelFilter::INFO),
    };
    let mut lines = fmt::layer().with_writer(io::stderr);
    if !io::stderr().is_terminal() {
        lines.set_ansi(false);
    }
    tracing_subscriber::registry()
        .with(lines)
        .with(filter)
        .init();
    Ok(())
}
