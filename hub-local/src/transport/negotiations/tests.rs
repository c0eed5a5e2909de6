//! Tokens from negotiate to the end of their connections.

use super::*;
use crate::upstream::facts::tests::facts;

const TIME: Duration = Duration::from_secs(15);

fn table<const N: usize>(now: Instant) -> (Table, [Id; N]) {
    let mut negotiations = Table::default();
    let tokens = std::array::from_fn(|_| Id::random());
    for token in tokens {
        let (connection_id, hub) = (Id::random(), "chat".to_owned());
        let negotiation = Negotiation { connection_id, hub, user: None, resumes: false };
        negotiations.issue(token, negotiation, now + TIME, 1000);
    }
    (negotiations, tokens)
}

fn open(negotiations: &mut Table, token: Id, open: OpenTransport) -> bool {
    negotiations.open(token, open, &facts(Some("ada"), ""))
}

fn found(negotiations: &mut Table, token: Id, now: Instant) -> Option<TokenState> {
    negotiations.sweep(now, TIME);
    negotiations.find(token, now).map(|(_, found)| found)
}

#[test]
fn a_ticket_is_valid_once_and_until_it_expires() {
    let now = Instant::now();
    let (mut negotiations, [a, b]) = table(now);

    assert!(matches!(found(&mut negotiations, a, now), Some(TokenState::Pending)));
    assert!(open(&mut negotiations, a, OpenTransport::WebSocket(None)));
    assert!(!open(&mut negotiations, a, OpenTransport::WebSocket(None)));
    assert!(found(&mut negotiations, b, now + TIME).is_none());
    assert!(matches!(found(&mut negotiations, a, now + TIME), Some(TokenState::Open(_))));
    negotiations.forget(a);
    assert!(found(&mut negotiations, a, now).is_none());
    assert!(negotiations.order.is_empty());
}

#[test]
fn an_ended_connection_keeps_its_hub_and_user_and_no_facts() {
    let now = Instant::now();
    let (mut negotiations, [token]) = table(now);
    let facts = facts(Some("ada"), "a=b");
    let polls = OpenTransport::LongPolling(Arc::default());
    assert!(negotiations.open(token, polls, &facts));
    assert_eq!(Arc::strong_count(&facts), 2);

    negotiations.end(token, now, TIME);

    assert_eq!(Arc::strong_count(&facts), 1);
    let (client, _) = negotiations.find(token, now).unwrap();
    assert_eq!((client.hub(), client.user().map(|user| &**user)), ("chat", Some("ada")));
}

#[test]
fn memory_of_a_burst_is_freed_after_expiry() {
    let now = Instant::now();
    let (mut negotiations, tokens) = table::<1000>(now);
    assert!(open(&mut negotiations, tokens[7], OpenTransport::WebSocket(None)));

    assert_eq!(negotiations.sweep(now, TIME), Some(now + TIME));
    assert!(negotiations.order.capacity() >= 1000);
    assert_eq!(negotiations.sweep(now + TIME, TIME), None);

    assert_eq!(negotiations.order.capacity(), 0);
    assert!(negotiations.by_token.capacity() < 10);
    assert!(matches!(found(&mut negotiations, tokens[7], now + TIME), Some(TokenState::Open(_))));
}

#[tokio::test(start_paused = true)]
async fn after_a_standstill_a_token_has_its_whole_time_again() {
    let start = Instant::now();
    let (mut negotiations, [a, b]) = table(start);
    open(&mut negotiations, b, OpenTransport::WebSocket(None));
    tokio::time::advance(3 * TIME).await;

    assert_eq!(negotiations.sweep(Instant::now(), TIME), Some(Instant::now() + TIME));
    assert!(matches!(negotiations.find(a, Instant::now()), Some((_, TokenState::Pending))));
    assert!(found(&mut negotiations, a, Instant::now() + TIME).is_none());
}

#[test]
fn an_ended_connection_is_remembered_until_its_timeout() {
    let now = Instant::now();
    let (mut negotiations, [a]) = table(now);
    open(&mut negotiations, a, OpenTransport::LongPolling(Arc::default()));
    let later = now + Duration::from_secs(10);

    negotiations.end(a, later, TIME);

    assert!(matches!(found(&mut negotiations, a, now + TIME), Some(TokenState::Ended)));
    assert!(found(&mut negotiations, a, later + TIME).is_none());
    assert!(negotiations.by_token.is_empty());
    assert!(negotiations.order.is_empty());
}

#[test]
fn an_open_connection_is_found_by_its_facts() {
    let now = Instant::now();
    let (mut negotiations, [a]) = table(now);
    assert!(negotiations.find(a, now).is_some_and(|(client, _)| client.user().is_none()));

    open(&mut negotiations, a, OpenTransport::WebSocket(None));

    let (client, _) = negotiations.find(a, now).unwrap();
    assert_eq!((client.hub(), client.user().map(|user| &**user)), ("chat", Some("ada")));
}

#[test]
fn only_a_pending_token_is_refused() {
    let now = Instant::now();
    let (mut negotiations, [a, b]) = table(now);
    open(&mut negotiations, a, OpenTransport::WebSocket(None));

    negotiations.refuse(a);
    negotiations.refuse(b);

    assert!(negotiations.find(a, now).is_some() && negotiations.find(b, now).is_none());
    assert_eq!(negotiations.unopened, 0);
}

#[test]
fn early_bytes_stay_in_the_inbox_of_the_transport() {
    let (mut negotiations, [a]) = table(Instant::now());
    let early = negotiations.inbox(a).unwrap();

    let taken = negotiations.inbox(a).unwrap();

    assert!(Arc::ptr_eq(&early, &taken));
    open(&mut negotiations, a, OpenTransport::WebSocket(None));
    assert!(negotiations.inbox(a).is_none());
    assert!(negotiations.inbox(Id::random()).is_none());
}
