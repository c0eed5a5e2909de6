//! Result of a run, printed as a table or as JSON.

use std::{fmt, time::Duration};

use serde::Serialize;

use super::histogram::Histogram;
use crate::{LoadArgs, LoadProtocol, LoadTransport, Scenario};

/// Result of a run.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Report {
    /// Scenario.
    pub scenario: Scenario,
    /// Transport.
    pub transport: LoadTransport,
    /// Hub protocol.
    pub protocol: LoadProtocol,
    /// Number of connected clients.
    pub clients: usize,
    /// Number of clients that do not read before the end of the run, included in `clients`.
    pub slow: usize,
    /// Number of those clients whose connection the server had closed. The connections are read at the end of the run,
    /// for at most 30 s each.
    pub slow_closed: u64,
    /// Measured time in seconds.
    pub seconds: f64,
    /// Payload length in bytes.
    pub payload: usize,
    /// Connects per second, including negotiate.
    pub connects_per_second: f64,
    /// Time to connect.
    pub connect: Option<Latency>,
    /// Number of reconnects, or of joins and leaves.
    pub operations: u64,
    /// Operations per second.
    pub operations_per_second: f64,
    /// Time per operation: from the disconnect to the handshake for a reconnect, or the time of the REST call
    /// for a join or leave.
    pub operation: Option<Latency>,
    /// Number of received messages: completions of echo calls, or deliveries of broadcasts.
    pub messages: u64,
    /// Messages per second.
    pub messages_per_second: f64,
    /// Time from send to receipt.
    pub latency: Option<Latency>,
    /// Number of messages that were not received.
    pub lost: u64,
    /// Number of messages that were received more than once.
    pub duplicated: u64,
    /// Number of errors.
    pub errors: u64,
    /// The first distinct error texts.
    pub error_texts: Vec<String>,
    #[serde(skip)]
    json: bool,
}

/// Percentiles in microseconds, within 1 %.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Latency {
    /// Median.
    pub p50: u64,
    /// 90th percentile.
    pub p90: u64,
    /// 99th percentile.
    pub p99: u64,
    /// Maximum.
    pub max: u64,
}

impl Latency {
    pub(crate) fn of(histogram: &Histogram) -> Option<Self> {
        let at = |fraction| histogram.quantile(fraction);
        (histogram.count() > 0).then(|| Self {
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
            slow_closed: 0,
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

    /// Sets the measured time and the rates.
    pub(crate) fn set_duration(&mut self, time: Duration) {
        self.seconds = time.as_secs_f64();
        self.messages_per_second = self.messages as f64 / self.seconds;
        self.operations_per_second = self.operations as f64 / self.seconds;
    }
}

/// A table, or JSON with `--json`.
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
            row("slow clients", &grouped(self.slow as f64))?;
            row("slow closed", &grouped(self.slow_closed as f64))?;
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

/// Formats a whole number with thousands separators.
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
