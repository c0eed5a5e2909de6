//! The delivery guarantees, checked against a history.
//!
//! | Subject | Guarantee |
//! |---|---|
//! | a message | reaches each client at most once, and in its sender's order |
//! | an accepted message | reaches each client that was connected before it was sent and stayed connected |
//! | a refused message | reaches no client |
//! | a call | runs at most once, in the caller's order, between `connected` and `disconnected` |
//! | an invocation | is completed once, unless its client has left; a completion without an error means that the call ran |

use std::collections::{BTreeMap, BTreeSet};

use super::{Event, Fate};

/// The id of a client, and the number of one of its messages or calls.
type Numbered<'a> = (&'a str, u64);

/// Returns the violated guarantees; empty if there are none.
#[must_use]
pub fn check(events: &[Event]) -> Vec<String> {
    let mut faults = Vec::new();
    messages(events, &mut faults);
    calls(events, &mut faults);
    lives(events, &mut faults);
    faults
}

/// A message and its receivers.
#[derive(Default)]
struct Message<'a> {
    fate: Option<Fate>,
    /// The clients that were connected when it was sent.
    there: BTreeSet<&'a str>,
    receivers: BTreeSet<&'a str>,
}

fn messages(events: &[Event], faults: &mut Vec<String>) {
    let mut messages = BTreeMap::<Numbered<'_>, Message<'_>>::new();
    let (mut there, mut left) = (BTreeSet::new(), BTreeSet::new());
    let mut latest = BTreeMap::<(&str, &str), u64>::new();
    for event in events {
        match event {
            Event::Joined { client } => {
                there.insert(client.as_str());
            }
            Event::Left { client } => {
                there.remove(client.as_str());
                left.insert(client.as_str());
            }
            Event::Sending { sender, number } => {
                let message = Message { there: there.clone(), ..Message::default() };
                if messages.insert((sender, *number), message).is_some() {
                    faults.push(format!("{sender} sends {number} again"));
                }
            }
            Event::Sent { sender, number, fate } => {
                if let Some(message) = messages.get_mut(&(sender.as_str(), *number)) {
                    message.fate = Some(*fate);
                }
            }
            Event::Received { client, sender, number } => {
                let Some(message) = messages.get_mut(&(sender.as_str(), *number)) else {
                    faults.push(format!("{client} got {number} of {sender}, which was never sent"));
                    continue;
                };
                if !message.receivers.insert(client) {
                    faults.push(format!("{client} got {number} of {sender} twice"));
                }
                let latest = latest.entry((client, sender)).or_default();
                if *number < *latest {
                    faults.push(format!("{client} got {number} of {sender} after {latest}"));
                }
                *latest = (*latest).max(*number);
            }
            _ => {}
        }
    }
    for ((sender, number), message) in messages {
        match message.fate {
            Some(Fate::Accepted) => {
                let stayed = message.there.iter().filter(|client| !left.contains(*client));
                for client in stayed.filter(|client| !message.receivers.contains(*client)) {
                    faults.push(format!("{client} lost {number} of {sender}, which was accepted"));
                }
            }
            Some(Fate::NotSent) => {
                for client in message.receivers {
                    faults.push(format!("{client} got {number} of {sender}, which was not sent"));
                }
            }
            Some(Fate::Unknown) | None => {}
        }
    }
}

/// A call and its completions.
#[derive(Default)]
struct Call {
    ran: u32,
    answers: u32,
    succeeded: bool,
    wants_answer: bool,
}

fn calls(events: &[Event], faults: &mut Vec<String>) {
    let mut calls = BTreeMap::<Numbered<'_>, Call>::new();
    let mut left = BTreeSet::new();
    let mut latest = BTreeMap::<&str, u64>::new();
    for event in events {
        match event {
            Event::Left { client } => {
                left.insert(client.as_str());
            }
            Event::Invoked { client, number } => {
                calls.entry((client, *number)).or_default().wants_answer = true;
            }
            Event::Ran { client, number } => {
                calls.entry((client, *number)).or_default().ran += 1;
                let latest = latest.entry(client).or_default();
                if *number < *latest {
                    faults.push(format!("call {number} of {client} ran after {latest}"));
                }
                *latest = (*latest).max(*number);
            }
            Event::Completed { client, number, error } => {
                let call = calls.entry((client, *number)).or_default();
                call.answers += 1;
                call.succeeded |= error.is_none();
            }
            _ => {}
        }
    }
    for ((client, number), call) in calls {
        if call.ran > 1 {
            faults.push(format!("call {number} of {client} ran {} times", call.ran));
        }
        if call.succeeded && call.ran == 0 {
            faults.push(format!("call {number} of {client} was answered and never ran"));
        }
        if call.answers > 1 || (call.answers == 1 && !call.wants_answer) {
            faults.push(format!("call {number} of {client} had {} answers", call.answers));
        }
        if call.wants_answer && call.answers == 0 && !left.contains(client) {
            faults.push(format!("call {number} of {client} was never answered"));
        }
    }
}

/// Checks the order of `connected`, calls and `disconnected`.
fn lives(events: &[Event], faults: &mut Vec<String>) {
    let (mut connected, mut disconnected) = (BTreeSet::new(), BTreeSet::new());
    for event in events {
        match event {
            Event::Connected { client } => {
                if !connected.insert(client.as_str()) {
                    faults.push(format!("{client} connected twice"));
                }
                if disconnected.contains(client.as_str()) {
                    faults.push(format!("{client} connected after it had disconnected"));
                }
            }
            Event::Disconnected { client } if !disconnected.insert(client.as_str()) => {
                faults.push(format!("{client} disconnected twice"));
            }
            Event::Ran { client, number } if disconnected.contains(client.as_str()) => {
                faults.push(format!("call {number} of {client} ran after it had disconnected"));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(client: &str) -> Event {
        Event::Joined { client: client.to_owned() }
    }

    fn left(client: &str) -> Event {
        Event::Left { client: client.to_owned() }
    }

    fn sending(number: u64) -> Event {
        Event::Sending { sender: "app".to_owned(), number }
    }

    fn sent(number: u64, fate: Fate) -> Event {
        Event::Sent { sender: "app".to_owned(), number, fate }
    }

    fn received(client: &str, number: u64) -> Event {
        Event::Received { client: client.to_owned(), sender: "app".to_owned(), number }
    }

    fn invoked(number: u64) -> Event {
        Event::Invoked { client: "a".to_owned(), number }
    }

    fn ran(number: u64) -> Event {
        Event::Ran { client: "a".to_owned(), number }
    }

    fn completed(number: u64, error: Option<&str>) -> Event {
        Event::Completed { client: "a".to_owned(), number, error: error.map(str::to_owned) }
    }

    fn connected() -> Event {
        Event::Connected { client: "a".to_owned() }
    }

    fn disconnected() -> Event {
        Event::Disconnected { client: "a".to_owned() }
    }

    /// Returns the only violation.
    fn fault(events: &[Event]) -> String {
        let mut faults = check(events);
        assert_eq!(faults.len(), 1, "{faults:?}");
        faults.remove(0)
    }

    #[test]
    fn a_correct_history_has_no_faults() {
        let events = [
            connected(),
            joined("a"),
            joined("b"),
            invoked(1),
            ran(1),
            sending(1),
            received("b", 1),
            sent(1, Fate::Accepted),
            received("a", 1),
            completed(1, None),
            left("a"),
            disconnected(),
        ];

        assert_eq!(check(&events), [""; 0]);
    }

    #[test]
    fn losses_outside_the_guarantees_are_not_faults() {
        // Messages that may not have been sent, a client that connected too late, a client that
        // left before it received a message, a call that failed, and a call whose client did not
        // wait.
        let events = [
            joined("a"),
            sending(1),
            sent(1, Fate::Unknown),
            joined("b"),
            sending(2),
            received("b", 2),
            left("a"),
            sent(2, Fate::Accepted),
            invoked(1),
            completed(1, Some("status code 500")),
            invoked(2),
        ];

        assert_eq!(check(&events), [""; 0]);
    }

    #[test]
    fn an_accepted_message_that_a_connected_client_missed_is_a_loss() {
        let events = [joined("a"), sending(1), sent(1, Fate::Accepted)];

        assert_eq!(fault(&events), "a lost 1 of app, which was accepted");
    }

    #[test]
    fn a_message_received_twice_is_a_duplicate() {
        let events = [joined("a"), sending(1), received("a", 1), received("a", 1)];

        assert_eq!(fault(&events), "a got 1 of app twice");
    }

    #[test]
    fn reordered_messages_of_one_sender_are_a_fault() {
        let events = [sending(1), sending(2), received("a", 2), received("a", 1)];

        assert_eq!(fault(&events), "a got 1 of app after 2");
    }

    #[test]
    fn a_received_message_that_was_never_sent_is_a_fault() {
        let events = [sending(1), received("a", 1), sent(1, Fate::NotSent)];

        assert_eq!(fault(&events), "a got 1 of app, which was not sent");
        assert_eq!(fault(&[received("a", 1)]), "a got 1 of app, which was never sent");
        assert_eq!(fault(&[sending(1), sending(1)]), "app sends 1 again");
    }

    #[test]
    fn a_call_that_runs_twice_or_too_late_is_a_fault() {
        assert_eq!(fault(&[ran(1), ran(1)]), "call 1 of a ran 2 times");
        assert_eq!(fault(&[ran(2), ran(1)]), "call 1 of a ran after 2");
        let late = [connected(), disconnected(), ran(1)];
        assert_eq!(fault(&late), "call 1 of a ran after it had disconnected");
    }

    #[test]
    fn an_invocation_has_one_answer_and_a_good_one_only_if_it_ran() {
        let twice = [invoked(1), ran(1), completed(1, None), completed(1, Some("x"))];
        assert_eq!(fault(&twice), "call 1 of a had 2 answers");
        assert_eq!(fault(&[ran(1), completed(1, None)]), "call 1 of a had 1 answers");
        assert_eq!(fault(&[invoked(1)]), "call 1 of a was never answered");
        let untrue = [invoked(1), completed(1, None)];
        assert_eq!(fault(&untrue), "call 1 of a was answered and never ran");
    }

    #[test]
    fn connected_and_disconnected_occur_once_per_client() {
        assert_eq!(fault(&[connected(), connected()]), "a connected twice");
        assert_eq!(fault(&[disconnected(), disconnected()]), "a disconnected twice");
        let again = [disconnected(), connected()];
        assert_eq!(fault(&again), "a connected after it had disconnected");
    }
}
