//! `refresh` and `on_refreshed` with their possible signatures, and a method of clients with the name `refresh`.

use hub_core::Category;
use hub_runtime::prelude::*;

use crate::support::Bench;

type Request = RefreshRequest;

struct Chat;

#[serverless_hub]
impl Chat {
    async fn negotiate(&self, _: NegotiateRequest) -> HubResult<Negotiation> {
        Ok(Negotiation::user("ada"))
    }

    async fn refresh(&self, request: Request) -> HubResult<Negotiation> {
        Ok(self.negotiate(request.into()).await?.claim("role", "writer"))
    }

    async fn on_refreshed(&self, ctx: &Context<Self>) -> HubResult {
        if ctx.claims().is_empty() { Ok(()) } else { Err(HubError::rejected("claims")) }
    }
}

struct Short;

#[serverless_hub]
impl Short {
    async fn negotiate(&self) -> HubResult<Negotiation> {
        Ok(Negotiation::anonymous())
    }

    #[cfg(any())]
    async fn refresh(&self, _: RefreshRequest) -> HubResult<Negotiation> {
        Err(HubError::denied("never compiled"))
    }

    #[cfg(not(any()))]
    async fn refresh(&self) -> Result<Negotiation, HubError> {
        Ok(Negotiation::user("bob"))
    }

    async fn on_refreshed(&self) {}
}

struct OfClients;

#[serverless_hub]
impl OfClients {
    #[hub(rename = "refresh")]
    async fn refresh(&self, room: String) -> HubResult<usize> {
        Ok(room.len())
    }
}

#[test]
fn refresh_is_called_for_requests_and_on_refreshed_for_its_event() {
    let chat = Bench::new(Chat);

    let refreshed = chat.refresh().unwrap().unwrap();
    assert_eq!(refreshed.user_id(), Some("ada"));
    assert!(refreshed.claims().has("role", "writer"));
    assert_eq!(chat.names(), ["refreshed"]);
    assert_eq!(chat.rows()[0].category, Category::Refreshed);
    chat.report_refresh().unwrap();
    for name in ["refresh", "onRefreshed", "refreshed"] {
        assert_eq!(chat.invoke(name, "[]").unwrap_err(), "unknown method");
    }
}

#[test]
fn parameters_are_optional_and_one_of_several_conditions_is_true() {
    let short = Bench::new(Short);

    assert_eq!(short.refresh().unwrap().unwrap().user_id(), Some("bob"));
    short.report_refresh().unwrap();
}

#[test]
fn a_refresh_with_a_client_name_is_a_method_of_clients() {
    let of_clients = Bench::new(OfClients);

    assert!(of_clients.refresh().is_none());
    assert_eq!(of_clients.invoke("refresh", r#"["lobby"]"#).unwrap(), "5");
}
