//! One method can be the fallback for all other events.

use hub_runtime::prelude::*;
use serde_json::Value;

use crate::support::Bench;

struct Chat;

#[serverless_hub]
impl Chat {
    async fn join(&self, room: String) -> HubResult<String> {
        Ok(room)
    }

    #[hub(fallback)]
    async fn anything_else(
        &self,
        ctx: &Context<Self>,
        #[hub(arguments)] arguments: Vec<Value>,
    ) -> HubResult<String> {
        let call = ctx.invocation();
        Ok(format!("{} {:?} {}", call.event(), call.method(), arguments.len()))
    }
}

struct Terse;

#[serverless_hub]
impl Terse {
    #[hub(fallback)]
    async fn other(&self) {}
}

#[test]
fn unknown_events_go_to_the_fallback() {
    let chat = Bench::new(Chat);

    assert_eq!(chat.invoke("join", r#"["a"]"#).unwrap(), r#""a""#);
    assert_eq!(chat.invoke("Leave", r#"["a",1]"#).unwrap(), r#""Leave Some(\"anythingElse\") 2""#);
    assert_eq!(Bench::new(Terse).invoke("x", "[1,2,3]").unwrap(), "");
}

#[test]
fn binding_errors_do_not_reach_the_fallback() {
    let error = Bench::new(Chat).invoke("join", "[]").unwrap_err();

    assert_eq!(error, "argument 1 (`room`) is missing");
}

#[test]
fn connection_events_do_not_reach_the_fallback() {
    assert_eq!(Bench::new(Chat).connect().unwrap_err(), "unknown method");
}
