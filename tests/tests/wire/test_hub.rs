//! `TestHub` as the tests of an app meet it.

use hub_runtime::{prelude::*, testing::TestHub};

#[hub_client]
trait LoopClient {
    async fn ready(&self) -> bool;
    async fn sum(&self, left: u8, right: u8) -> u8;
}

struct Loop;

#[serverless_hub(client = LoopClient)]
impl Loop {
    async fn negotiate(&self, request: NegotiateRequest) -> HubResult<Negotiation> {
        let user = request.bearer_token().ok_or_else(|| HubError::unauthenticated("Who?"))?;
        Ok(Negotiation::user(user).claim("role", "reader"))
    }

    async fn who(&self, ctx: &Context<Self>) -> HubResult<(String, bool)> {
        let user = ctx.user_id().or_reject("nobody")?;
        Ok((user.to_owned(), ctx.claims().has("role", "reader")))
    }

    async fn ask_ready(&self, ctx: &Context<Self>) -> HubResult<bool> {
        Ok(ctx.clients().caller().ready().await?)
    }

    async fn ask_sum(&self, ctx: &Context<Self>) -> HubResult<u8> {
        Ok(ctx.clients().caller().sum(1, 2).await?)
    }
}

#[tokio::test]
async fn a_client_that_negotiated_is_who_the_hub_said_in_calls_and_in_a_context() {
    let hub = TestHub::new(Loop);

    let ada = hub.negotiate(&[("authorization", "Bearer ada")]).await.unwrap();

    let said = ("ada".to_owned(), true);
    assert_eq!(ada.invoke::<(String, bool)>("who", ()).await.unwrap(), said);
    assert_eq!(Loop.who(&hub.context_of(&ada)).await.unwrap(), said);
}

#[tokio::test]
async fn a_refused_negotiate_tells_status_and_text() {
    let refused = TestHub::new(Loop).negotiate(&[]).await.unwrap_err();

    assert_eq!(refused, "401: Who?");
}

#[tokio::test]
async fn handlers_take_nothing_or_a_tuple() {
    let hub = TestHub::new(Loop);
    let ada = hub.user("ada").connect().await.unwrap();
    ada.on("ready", |_: ()| true);
    ada.on("sum", |(left, right): (u8, u8)| left + right);

    assert!(ada.invoke::<bool>("askReady", ()).await.unwrap());
    assert_eq!(ada.invoke::<u8>("askSum", ()).await.unwrap(), 3);
}

#[tokio::test]
async fn a_handler_that_panics_ends_the_client_with_the_reason() {
    let hub = TestHub::new(Loop);
    let ada = hub.user("ada").connect().await.unwrap();
    ada.on("ready", |_: ()| -> bool { panic!("an assertion of the test") });

    let error = ada.invoke::<bool>("askReady", ()).await.unwrap_err();

    assert!(error.text().contains("panicked"), "{error}");
}
