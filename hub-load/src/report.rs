//! What a run found, as a table for people and as JSON for machines.

use std::{fmt, time::Duration};

use serde::Serialize;

use crate::{LoadArgs, LoadProtocol, LoadTransport, Scenario, histogram::Histogram};

/// The result of a run.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Report {
    /// What the clients did.
    pub scenario: Scenario,
    /// What carried the messages.
    pub transport: LoadTransport,
    /// How messages were encoded.
    pub protocol: LoadProtocol,
    /// How many clients were connected.
    pub clients: usize,
    /// Of them: how many did not read.
    pub slow: usize,
    /// How long was measured, in seconds.
    pub seconds: f64,
    /// The length of a payload, in bytes.
    pub payload: usize,
    /// How many clients connected each second, negotiates included.
    pub connects_per_second: f64,
    /// How long a connect took.
    pub connect: Option<Latency>,
    /// How many clients came back after storms, or how many joins and leaves were done.
    pub operations: u64,
    /// The same for each second.
    pub operations_per_second: f64,
    /// How long each took: a return from the cut to the handshake, a join or leave as a REST call.
    pub operation: Option<Latency>,
    /// How many messages clients received: answers of echoes, deliveries of broadcasts.
    pub messages: u64,
    /// The same for each second.
    pub messages_per_second: f64,
    /// How long messages took.
    pub latency: Option<Latency>,
    /// Messages that clients did not get.
    pub lost: u64,
    /// Messages that clients got more than once.
    pub duplicated: u64,
    /// What failed.
    pub errors: u64,
    /// Some of the errors, each once.
    pub error_texts: Vec<String>,
    #[serde(skip)]
    json: bool,
}

/// How long something took, in microseconds.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Latency {
    /// Half of all were faster.
    pub p50: u64,
    /// Nine of ten were faster.
    pub p90: u64,
    /// All but one in a hundred were faster.
    pub p99: u64,
    /// The slowest.
    pub max: u64,
}

impl Latency {
    pub(crate) fn of(histogram: &Histogram) -> Option<Self> {
        let at = |fraction| histogram.quantile(fraction);
        (!histogram.is_empty()).then(|| Self {
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            max: histogram.max(),
        })
    }
}

impl Report {
    pub(crate) fn new(args: &LoadArgs) -> Self {
        Self {
            scenario: args.scenario,
            transport: args.transport,
            protocol: args.protocol,
            clients: 0,
            slow: 0,
            seconds: 0.0,
            payload: args.payload,
            connects_per_second: 0.0,
            connect: None,
            operations: 0,
            operations_per_second: 0.0,
            operation: None,
            messages: 0,
            messages_per_second: 0.0,
            latency: None,
            lost: 0,
            duplicated: 0,
            errors: 0,
            error_texts: Vec::new(),
            json: args.json,
        }
    }

    /// All of it took so long.
    pub(crate) fn spent(&mut self, time: Duration) {
        self.seconds = time.as_secs_f64();
        self.messages_per_second = self.messages as f64 / self.seconds;
        self.operations_per_second = self.operations as f64 / self.seconds;
    }

    /// Whether nothing failed and every message came once.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.errors == 0 && self.lost == 0 && self.duplicated == 0
    }
}

/// The table, or JSON where that was asked for.
impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.json {
            let json = serde_json::to_string(self).map_err(|_| fmt::Error)?;
            return formatter.write_str(&json);
        }
        let mut row = |name: &str, value: &str| writeln!(formatter, "{name:<14} {value:>14}");
        row("scenario", &self.scenario.to_string())?;
        row("transport", &self.transport.to_string())?;
        row("protocol", &self.protocol.to_string())?;
        row("clients", &grouped(self.clients as f64))?;
        if self.slow > 0 {
            row("of them slow", &grouped(self.slow as f64))?;
        }
        row("seconds", &format!("{:.1}", self.seconds))?;
        row("connects/s", &grouped(self.connects_per_second))?;
        if self.operations > 0 {
            row("operations", &grouped(self.operations as f64))?;
            row("operations/s", &grouped(self.operations_per_second))?;
        }
        if let Some(latency) = &self.operation {
            row("operation p50", &milliseconds(latency.p50))?;
            row("operation p99", &milliseconds(latency.p99))?;
            row("operation max", &milliseconds(latency.max))?;
        }
        row("messages/s", &grouped(self.messages_per_second))?;
        row("messages", &grouped(self.messages as f64))?;
        if let Some(latency) = &self.latency {
            for (name, value) in [
                ("p50", latency.p50),
                ("p90", latency.p90),
                ("p99", latency.p99),
                ("max", latency.max),
            ] {
                row(name, &milliseconds(value))?;
            }
        }
        row("lost", &grouped(self.lost as f64))?;
        row("duplicated", &grouped(self.duplicated as f64))?;
        row("errors", &grouped(self.errors as f64))?;
        for text in &self.error_texts {
            writeln!(formatter, "  {text}")?;
        }
        Ok(())
    }
}

fn milliseconds(microseconds: u64) -> String {
    format!("{:.3} ms", microseconds as f64 / 1000.0)
}

/// A whole number with commas between thousands.
pub(crate) fn grouped(number: f64) -> String {
    let digits = format!("{number:.0}");
    let first = digits.len() % 3;
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && index % 3 == first {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_have_commas() {
        for (number, text) in
            [(0.0, "0"), (999.4, "999"), (1000.0, "1,000"), (2_400_000.0, "2,400,000")]
        {
            assert_eq!(grouped(number), text);
        }
    }
}
