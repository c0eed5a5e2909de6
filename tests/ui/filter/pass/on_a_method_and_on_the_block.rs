//! The block's filters wrap the method's filters. Each group runs from top to bottom.

use std::sync::{Arc, Mutex};

use hub_runtime::prelude::*;

use crate::support::Bench;

struct Log(&'static str);

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

impl Filter for Log {
    async fn before(&self, call: &Invocation) -> HubResult {
        call.hub::<Chat>()
            .or_reject("another hub")?
            .lines
            .0
            .lock()
            .unwrap()
            .push(self.0.to_owned());
        Ok(())
    }

    async fn after(&self, call: &Invocation, outcome: Result<(), &HubError>) {
        let line = format!("{} {}", self.0, outcome.is_ok());
        call.hub::<Chat>().unwrap().lines.0.lock().unwrap().push(line);
    }
}

#[derive(Default)]
struct Chat {
    lines: Lines,
}

#[serverless_hub]
#[filter(Log("a"))]
#[filter(Log("b"))]
impl Chat {
    async fn open(&self) {}

    #[filter(Log("c"))]
    #[filter(SignedIn)]
    async fn guarded(&self) {}

    #[filter(Log("d"))]
    async fn on_connected(&self) {}

    async fn on_disconnected(&self) {}
}

fn lines(act: impl FnOnce(&Bench<Chat>)) -> Vec<String> {
    let chat = Bench::new(Chat::default());
    act(&chat);
    chat.hub().lines.0.lock().unwrap().clone()
}

#[test]
fn block_filters_run_before_method_filters_and_end_after_them() {
    let lines = lines(|chat| drop(chat.invoke("guarded", "[]").unwrap()));

    assert_eq!(lines, ["a", "b", "c", "c true", "b true", "a true"]);
}

#[test]
fn block_filters_cover_every_method() {
    assert_eq!(
        lines(|chat| drop(chat.invoke("open", "[]").unwrap())),
        ["a", "b", "b true", "a true"]
    );
    assert_eq!(
        lines(|chat| drop(chat.connect().unwrap())),
        ["a", "b", "d", "d true", "b true", "a true"]
    );
}

#[test]
fn filters_do_not_run_for_disconnected() {
    assert!(lines(|chat| drop(chat.disconnect(None).unwrap())).is_empty());
}

#[test]
fn filters_that_accepted_a_call_get_the_refusal_of_a_later_one() {
    let lines = lines(|chat| drop(chat.invoke_anonymously("guarded", "[]").unwrap_err()));

    assert_eq!(lines, ["a", "b", "c", "c false", "b false", "a false"]);
}
