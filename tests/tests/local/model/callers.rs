//! The REST calls of the driver, and their effect on the reference.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use http::Method as Verb;
use serde_json::{Value, json};

use super::{
    client_model::Expected,
    driver::{Driver, Failure},
    operations::{Membership, Operation, Question, Sending, To, Version},
    reference::{Ask, close},
    rest,
};

impl Driver {
    pub(super) async fn perform_rest(&mut self, operation: &Operation) -> Result<(), Failure> {
        match operation {
            Operation::Ask(slot) => self.ask(*slot),
            Operation::Send(sendings) => self.send(sendings).await?,
            Operation::Flood { slot, messages, padding } => {
                let slot = self.next(*slot, |_, model| model.is_live() && !model.listens());
                let Some(it) = self.slots[slot] else { return Ok(()) };
                let messages = if *padding > 100 { messages / 2 } else { *messages };
                for _ in 0..messages {
                    self.send_to(it, *padding).await?;
                    self.pass(1).await;
                }
            }
            Operation::Close { hub, to, excluded, version, reason } => {
                let reason = reason.map(|number| format!("r{number}"));
                self.close(*hub, *to, excluded, *version, reason.as_deref()).await?;
            }
            Operation::Change { hub, change, version } => {
                self.change(*hub, *change, *version).await?;
            }
            Operation::Look { hub, question, version } => {
                self.look(*hub, *question, *version).await?;
            }
            Operation::Stale(hub) => {
                let path = rest::path(Version::V2024, *hub, ":send", &[]);
                let body = r#"{"target":"m","arguments":[0]}"#.to_owned();
                let answer = rest::call(&self.service, &Verb::POST, &path, rest::STALE, body).await;
                self.answered("stale", answer.status, 401)?;
            }
            other => unreachable!("{other:?}"),
        }
        Ok(())
    }

    /// The connection id of the client in this slot, or the id of no connection.
    fn id(&self, slot: usize) -> &str {
        self.slots[slot].map_or("absent", |it| &self.ids[it])
    }

    fn id_of(&self, to: To) -> &str {
        slot_of(to).map_or("", |slot| self.id(slot))
    }

    /// The client in this slot, if it is connected to this hub.
    fn member(&self, hub: usize, slot: usize) -> Option<usize> {
        self.slots[slot].filter(|it| {
            let model = &self.reference.models[*it];
            model.is_live() && model.hub == hub
        })
    }

    fn audience(&self, hub: usize, to: To) -> BTreeSet<usize> {
        let present = self.reference.present(hub);
        match to {
            To::Everyone => present.into_iter().map(|(it, _)| it).collect(),
            To::Group(group) => self.reference.members[hub].of_group(group, &present),
            To::User(user) => {
                let of_user = present.into_iter().filter(|(_, of)| *of == Some(user));
                of_user.map(|(it, _)| it).collect()
            }
            To::Slot(slot) => self.member(hub, slot).into_iter().collect(),
        }
    }

    fn without(&self, audience: BTreeSet<usize>, excluded: &[usize]) -> Vec<usize> {
        let is_excluded = |it: &usize| excluded.iter().any(|slot| self.slots[*slot] == Some(*it));
        audience.into_iter().filter(|it| !is_excluded(it)).collect()
    }

    fn excluding(&self, excluded: &[usize]) -> Vec<String> {
        excluded.iter().map(|slot| format!("excluded={}", self.id(*slot))).collect()
    }

    fn ask(&mut self, slot: usize) {
        let Some(it) = self.slots[slot] else { return };
        // While a method runs that may ask for a result, the next calls of the client run too. The reference has
        // no such method, so the REST caller waits until no call runs.
        if self.reference.models[it].free_at > self.reference.now {
            return;
        }
        let (number, hub) = (self.number(), self.reference.models[it].hub);
        if self.reference.models[it].is_live() {
            self.reference.asks(it, number);
        } else {
            let (id, status) = (String::new(), Some(404));
            self.reference.asks.push(Ask { connection: it, id, status, body: "" });
        }
        let below = format!("connections/{}/:invoke", self.ids[it]);
        let path = rest::path(Version::V2024, hub, &below, &[]);
        let body = json!({ "target": "asked", "arguments": [number] }).to_string();
        let service = self.service.clone();
        self.asking.push(Some(tokio::spawn(async move {
            rest::call(&service, &Verb::POST, &path, rest::GOOD, body).await
        })));
    }

    /// Sends all messages concurrently.
    async fn send(&mut self, sendings: &[Sending]) -> Result<(), Failure> {
        let mut told: Vec<Vec<(String, usize)>> = vec![Vec::new(); self.clients.len()];
        let mut calls = Vec::new();
        for sending in sendings {
            let Sending { to, excluded, version, padding, .. } = sending;
            let hub = hub_of(self, sending.hub, slot_of(*to));
            let number = self.number();
            // The service ignores `excluded` for other targets.
            let left_out = match to {
                To::Everyone | To::Group(_) => &excluded[..],
                To::User(_) | To::Slot(_) => &[],
            };
            for it in self.without(self.audience(hub, *to), left_out) {
                told[it].push((format!("m {number}"), *padding));
            }
            let resource = rest::resource(*to, self.id_of(*to));
            let below = rest::verb(*version, &resource, ":send");
            let path = rest::path(*version, hub, &below, &self.excluding(excluded));
            calls.push((path, message(number, *padding)));
        }
        for (it, mut lines) in told.into_iter().enumerate().filter(|(_, lines)| !lines.is_empty()) {
            let bytes = lines.iter().map(|(_, padding)| padding).sum();
            let count = lines.len();
            let expected = if count == 1 {
                Expected::Line(lines.remove(0).0)
            } else {
                Expected::AnyOrder(lines.into_iter().map(|(line, _)| line).collect())
            };
            self.reference.models[it].tell(expected, count, bytes);
        }
        let service = self.service.clone();
        let calls = calls
            .iter()
            .map(|(path, body)| rest::call(&service, &Verb::POST, path, rest::GOOD, body.clone()));
        for answer in join_all(calls).await {
            self.answered("send", answer.status, 202)?;
        }
        Ok(())
    }

    /// Sends one message to a client by its id.
    pub(super) async fn send_to(&mut self, it: usize, padding: usize) -> Result<(), Failure> {
        let number = self.number();
        if self.reference.models[it].is_live() {
            let expected = Expected::Line(format!("m {number}"));
            self.reference.models[it].tell(expected, 1, padding);
        }
        let below = format!("connections/{}/:send", self.ids[it]);
        let path = rest::path(Version::V2024, self.reference.models[it].hub, &below, &[]);
        let body = message(number, padding);
        let answer = rest::call(&self.service, &Verb::POST, &path, rest::GOOD, body).await;
        self.answered("send", answer.status, 202)
    }

    async fn close(
        &mut self,
        hub: usize,
        to: To,
        excluded: &[usize],
        version: Version,
        reason: Option<&str>,
    ) -> Result<(), Failure> {
        let hub = hub_of(self, hub, slot_of(to));
        let excluded = if slot_of(to).is_some() { &[][..] } else { excluded };
        let mut query = self.excluding(excluded);
        query.extend(reason.map(|reason| format!("reason={reason}")));
        let audience = self.audience(hub, to);
        let resource = rest::resource(to, self.id_of(to));
        let (verb, below, must_be) = if slot_of(to).is_some() {
            let must_be = rest::closed_connection(version, !audience.is_empty());
            (Verb::DELETE, resource, must_be)
        } else {
            (Verb::POST, rest::verb(version, &resource, ":closeConnections"), 204)
        };
        let path = rest::path(version, hub, &below, &query);
        for it in self.without(audience, excluded) {
            self.reference.end(it, Some(close(reason, false)), reason);
        }
        let answer = rest::call(&self.service, &verb, &path, rest::GOOD, String::new()).await;
        self.answered("close", answer.status, must_be)
    }

    async fn change(
        &mut self,
        hub: usize,
        change: Membership,
        version: Version,
    ) -> Result<(), Failure> {
        let slot = match change {
            Membership::Add { slot, .. }
            | Membership::Remove { slot, .. }
            | Membership::RemoveFromAll { slot } => Some(slot),
            Membership::AddUser { .. }
            | Membership::RemoveUser { .. }
            | Membership::RemoveUserFromAll { .. } => None,
        };
        let hub = hub_of(self, hub, slot);
        let connection = slot.and_then(|slot| self.member(hub, slot));
        let id = slot.map_or("", |slot| self.id(slot));
        let mut query = Vec::new();
        let (verb, below, must_be) = match change {
            Membership::Add { group, .. } => {
                let must_be = if connection.is_some() { 200 } else { 404 };
                (Verb::PUT, format!("groups/g{group}/connections/{id}"), must_be)
            }
            Membership::Remove { group, .. } => {
                (Verb::DELETE, format!("groups/g{group}/connections/{id}"), 200)
            }
            Membership::RemoveFromAll { .. } => {
                (Verb::DELETE, format!("connections/{id}/groups"), 200)
            }
            Membership::AddUser { user, group, ttl } => {
                query.extend(ttl.map(|seconds| format!("ttl={seconds}")));
                (Verb::PUT, format!("users/u{user}/groups/g{group}"), rest::added_user(version))
            }
            Membership::RemoveUser { user, group } => {
                let below = format!("users/u{user}/groups/g{group}");
                (Verb::DELETE, below, rest::removed_user(version))
            }
            Membership::RemoveUserFromAll { user } => {
                let must_be = rest::removed_user_from_all(version);
                (Verb::DELETE, format!("users/u{user}/groups"), must_be)
            }
        };
        let path = rest::path(version, hub, &below, &query);
        let (present, now) = (self.reference.present(hub), self.reference.now);
        let ends = self.reference.members[hub].change(change, connection, &present, now);
        if let Some(at) = ends {
            self.reference.passes(at);
        }
        let answer = rest::call(&self.service, &verb, &path, rest::GOOD, String::new()).await;
        self.answered("change", answer.status, must_be)
    }

    async fn look(
        &mut self,
        hub: usize,
        question: Question,
        version: Version,
    ) -> Result<(), Failure> {
        let slot = if let Question::Exists(to) = question { slot_of(to) } else { None };
        let hub = hub_of(self, hub, slot);
        let (present, now) = (self.reference.present(hub), self.reference.now);
        let status = |is_so: bool| if is_so { 200 } else { 404 };
        let (verb, below, must_be) = match question {
            // This API has no endpoint for the existence of a hub.
            Question::Exists(To::Everyone) => (Verb::HEAD, String::new(), 405),
            Question::Exists(to) => {
                let must_be = status(!self.audience(hub, to).is_empty());
                (Verb::HEAD, rest::resource(to, self.id_of(to)), must_be)
            }
            Question::IsUserInGroup { user, group } => {
                let members = &self.reference.members[hub];
                let must_be = status(members.has_user(user, group, &present, now));
                (Verb::GET, format!("groups/g{group}/users/u{user}"), must_be)
            }
            Question::List { group } => (Verb::GET, format!("groups/g{group}/connections"), 200),
        };
        let path = rest::path(version, hub, &below, &[]);
        let answer = rest::call(&self.service, &verb, &path, rest::GOOD, String::new()).await;
        self.answered("look", answer.status, must_be)?;
        if let Question::List { group } = question {
            let page: Value = serde_json::from_slice(&answer.body).unwrap();
            let id = |it: &Value| it["connectionId"].as_str().unwrap().to_owned();
            let listed: Vec<_> = page["value"].as_array().unwrap().iter().map(id).collect();
            let number = |id: &String| self.ids.iter().position(|known| known == id);
            let listed: BTreeSet<_> = listed.iter().map(number).collect();
            let must_be = self.audience(hub, To::Group(group));
            self.note(&format!("{listed:?}"));
            if listed != must_be.iter().copied().map(Some).collect() {
                return Err(format!("g{group} of h{hub} lists {listed:?} instead of {must_be:?}"));
            }
        }
        Ok(())
    }
}

fn message(number: usize, padding: usize) -> String {
    json!({ "target": "m", "arguments": [number, "x".repeat(padding)] }).to_string()
}

/// The hub of a REST call. Hub 0 stands for the hub of the slot's client.
fn hub_of(driver: &Driver, hub: usize, slot: Option<usize>) -> usize {
    let own = slot.and_then(|slot| driver.slots[slot]).map(|it| driver.reference.models[it].hub);
    own.filter(|_| hub == 0).unwrap_or(hub)
}

fn slot_of(to: To) -> Option<usize> {
    match to {
        To::Slot(slot) => Some(slot),
        To::Everyone | To::Group(_) | To::User(_) => None,
    }
}
