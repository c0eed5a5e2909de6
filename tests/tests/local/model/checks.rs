//! Compares the observed behaviour with the reference and adds it to the history.

use http::Method as Verb;

use super::{
    client_model::{ClientModel, Expected, Stage},
    driver::{Driver, Failure},
    operations::{Transport, Version},
    reference::KEEP_ALIVE,
    rest,
};

/// Received bytes after which a client sends an acknowledgement.
const ACKNOWLEDGE: usize = 10_000;

/// Milliseconds within which the service must acknowledge a message.
const ACKNOWLEDGED: u64 = 1_050;

impl Driver {
    /// Waits until all tasks are idle, and compares. `since` is the start time of the operation.
    pub(super) async fn compare(&mut self, since: u64) -> Result<(), Failure> {
        self.pass(1).await;
        while self.acknowledge_much().await {
            self.pass(1).await;
        }
        self.find_slow_clients(since).await?;
        self.compare_heard()?;
        self.compare_upstream()?;
        self.compare_asks().await?;
        self.compare_pings()?;
        self.compare_acknowledgements()?;
        self.compare_counters()?;
        for client in &mut self.clients {
            if client.inbox.lock().unwrap().closed {
                client.hang_up();
            }
        }
        Ok(())
    }

    /// Acknowledges for every client with more than [`ACKNOWLEDGE`] unacknowledged bytes. Without
    /// acknowledgements the resume buffer fills up and the service stops sending.
    async fn acknowledge_much(&mut self) -> bool {
        let mut any = false;
        for it in 0..self.clients.len() {
            let much = self.clients[it].inbox.lock().unwrap().unacknowledged > ACKNOWLEDGE;
            any |= much && self.acknowledge(it).await;
        }
        any
    }

    /// Finds the clients that the service has closed because they do not read. The exact moment of the
    /// close depends on the bytes in flight. The reference has a lower and an upper bound.
    pub(super) async fn find_slow_clients(&mut self, since: u64) -> Result<(), Failure> {
        for it in 0..self.clients.len() {
            let model = &self.reference.models[it];
            if !model.may_be_slow() {
                continue;
            }
            let path = format!("connections/{}", self.ids[it]);
            let path = rest::path(Version::V2024, model.hub, &path, &[]);
            let body = String::new();
            let answer = rest::call(&self.service, &Verb::HEAD, &path, rest::GOOD, body).await;
            match answer.status {
                404 => {
                    self.note(&format!("c{it} is slow"));
                    self.reference.is_slow(it, since);
                }
                _ if model.must_be_slow() => return Err(format!("c{it} is too slow and lives")),
                _ => {}
            }
        }
        Ok(())
    }

    fn compare_heard(&mut self) -> Result<(), Failure> {
        for it in 0..self.clients.len() {
            let lines = self.clients[it].inbox.lock().unwrap().take();
            for line in &lines {
                self.note(&format!("c{it} hears {line}"));
                hear(&mut self.reference.models[it], line)
                    .map_err(|what| format!("c{it} hears {line:?} {what}"))?;
            }
            let model = &self.reference.models[it];
            if model.deaf || !model.listens() {
                continue;
            }
            if model.loose && self.reference.now < model.over_by {
                continue;
            }
            if model.loose {
                return Err(format!(
                    "c{it} keeps reading and does not receive the end of its connection"
                ));
            }
            if let Some(next) = model.hears.front() {
                return Err(format!("c{it} does not hear {next:?}"));
            }
        }
        Ok(())
    }

    fn compare_upstream(&mut self) -> Result<(), Failure> {
        let number = |id: &str| self.ids.iter().position(|known| known == id);
        let mut calls: Vec<_> =
            self.app.take().into_iter().map(|seen| (number(&seen.connection), seen)).collect();
        // Upstream calls of different connections have no defined order.
        calls.sort_by_key(|(it, _)| *it);
        for (it, seen) in calls {
            let at = seen.at.duration_since(self.began).as_millis() as u64;
            let Some(it) = it else { return Err(format!("of whom is {}?", seen.text)) };
            self.note(&format!("c{it} upstream {}", seen.text));
            let due = self.reference.models[it].upstream.pop_front();
            let fits = due
                .as_ref()
                .is_some_and(|due| due.text == seen.text && (due.from..=due.until).contains(&at));
            if !fits {
                let text = &seen.text;
                return Err(format!("c{it}: upstream {text:?} at {at} instead of {due:?}"));
            }
        }
        let now = self.reference.now;
        for (it, model) in self.reference.models.iter().enumerate() {
            if let Some(due) = model.upstream.front().filter(|due| due.until < now) {
                return Err(format!("c{it}: no upstream call at {now}, but {due:?}"));
            }
        }
        Ok(())
    }

    async fn compare_asks(&mut self) -> Result<(), Failure> {
        for number in 0..self.asking.len() {
            let Some(asking) = self.asking[number].take_if(|it| it.is_finished()) else {
                let ask = &self.reference.asks[number];
                if let (Some(status), true) = (ask.status, self.asking[number].is_some()) {
                    let it = ask.connection;
                    return Err(format!("question {number} to c{it} waits instead of {status}"));
                }
                continue;
            };
            let answer = asking.await.map_err(|error| error.to_string())?;
            let ask = &self.reference.asks[number];
            let (status, body) = (ask.status.unwrap_or_default(), ask.body);
            self.answered(&format!("question {number}"), answer.status, status)?;
            if status == 200 && answer.body != body {
                return Err(format!("question {number}: {:?} instead of {body}", answer.body));
            }
        }
        Ok(())
    }

    /// Checks that each client received one ping per keep-alive interval. Long polling has no pings because
    /// the polls keep the connection alive.
    fn compare_pings(&self) -> Result<(), Failure> {
        for (it, model) in self.reference.models.iter().enumerate() {
            if !model.is_live() || !model.steady {
                continue;
            }
            let pings = self.clients[it].inbox.lock().unwrap().pings;
            let times = (self.reference.now - model.live_since) / KEEP_ALIVE;
            let most = if model.transport == Transport::Polling { 0 } else { times };
            // The service skips a ping while another write is in progress.
            if pings > most || pings + 1 < most {
                return Err(format!("c{it} has {pings} pings instead of {most}"));
            }
        }
        Ok(())
    }

    /// Checks that the service acknowledges a message of a resumable client within a second.
    fn compare_acknowledgements(&mut self) -> Result<(), Failure> {
        let now = self.reference.now;
        for (it, model) in self.reference.models.iter().enumerate() {
            let client = &mut self.clients[it];
            if !model.resumes || !model.is_live() || !model.listens() || !client.is_owed() {
                client.owed_since = None;
            } else if now > *client.owed_since.get_or_insert(now) + ACKNOWLEDGED {
                return Err(format!("c{it} gets no acknowledgement"));
            }
        }
        Ok(())
    }

    fn compare_counters(&self) -> Result<(), Failure> {
        let counters = self.service.counters();
        let live = || self.reference.models.iter().filter(|model| model.is_live());
        let waits = live().filter(|model| !model.listens()).count();
        if counters.connections != live().count() || counters.waiting_clients > waits {
            return Err(format!(
                "{} live, {waits} of them do not read: {counters:?}",
                live().count()
            ));
        }
        Ok(())
    }
}

/// Checks that the reference allows the client to receive this line now.
fn hear(model: &mut ClientModel, line: &str) -> Result<(), Failure> {
    match model.hears.front_mut() {
        Some(Expected::Line(expected)) if expected == line => {
            model.hears.pop_front();
            return Ok(());
        }
        Some(Expected::AnyOrder(lines)) => {
            if let Some(at) = lines.iter().position(|expected| expected == line) {
                lines.remove(at);
                if lines.is_empty() {
                    model.hears.pop_front();
                }
                return Ok(());
            }
        }
        Some(Expected::Line(_)) | None => {}
    }
    // A client that does not read may lose its last messages, including the close message.
    if model.loose && model.stage == Stage::Closed {
        let farewell = |it: &Expected| matches!(it, Expected::Line(said) if said == line);
        if line.starts_with("close ") && model.hears.back().is_some_and(farewell) {
            model.hears.clear();
            return Ok(());
        }
        if ["closed 1000", "over", "cut"].contains(&line) {
            model.hears.clear();
            model.deaf = true;
            return Ok(());
        }
    }
    Err(format!("instead of {:?}", model.hears.front()))
}
