//! The reserved methods with their possible parameters, except those for refreshes.

use std::sync::Mutex;

use hub_runtime::prelude::*;

use crate::support::Bench;

struct Connection(String);

impl FromContext for Connection {
    async fn from_context(call: &Invocation) -> HubResult<Self> {
        Ok(Self(call.connection_id().to_owned()))
    }
}

#[derive(Default)]
struct Chat {
    log: Mutex<Vec<String>>,
}

impl Chat {
    fn log(&self, line: String) {
        self.log.lock().unwrap().push(line);
    }
}

#[serverless_hub]
impl Chat {
    async fn negotiate(&self, _: NegotiateRequest) -> HubResult<Negotiation> {
        Ok(Negotiation::user("ada"))
    }

    async fn on_connected(&self, ctx: &Context<Self>, #[from_context] connection: Connection) {
        self.log(format!("{}={}", ctx.connection_id(), connection.0));
    }

    async fn on_disconnected(&self, ctx: &Context<Self>, error: Option<String>) -> HubResult {
        self.log(format!("{} {error:?}", ctx.connection_id()));
        Ok(())
    }

    /// A method that clients call under the name of an event.
    #[hub(rename = "connected")]
    async fn connected(&self) {}
}

struct Anonymous;

#[serverless_hub]
impl Anonymous {
    async fn negotiate(&self) -> Result<Negotiation, HubError> {
        Ok(Negotiation::anonymous())
    }

    async fn on_disconnected(&self) {}
}

type Reason = Option<String>;

struct Aliased;

#[serverless_hub]
impl Aliased {
    async fn on_disconnected(&self, _error: Reason) {}
}

#[test]
fn an_alias_of_the_close_reason_is_accepted() {
    assert_eq!(Bench::new(Aliased).names(), ["disconnected"]);
}

#[test]
fn reserved_methods_handle_their_events() {
    let chat = Bench::new(Chat::default());

    assert_eq!(chat.negotiate().unwrap().unwrap().user_id(), Some("ada"));
    chat.connect().unwrap();
    chat.disconnect(Some("gone")).unwrap();
    chat.disconnect(None).unwrap();
    chat.invoke("connected", "[]").unwrap();

    assert_eq!(*chat.hub().log.lock().unwrap(), ["c1=c1", r#"c1 Some("gone")"#, "c1 None"]);
}

#[test]
fn all_parameters_of_reserved_methods_are_optional() {
    let anonymous = Bench::new(Anonymous);

    assert_eq!(anonymous.negotiate().unwrap().unwrap().user_id(), None);
    anonymous.disconnect(Some("gone")).unwrap();
}

#[test]
fn no_client_can_call_a_reserved_method() {
    let chat = Bench::new(Chat::default());

    for name in ["negotiate", "onConnected", "on_disconnected", "disconnected"] {
        assert_eq!(chat.invoke(name, "[]").unwrap_err(), "unknown method");
    }
}
