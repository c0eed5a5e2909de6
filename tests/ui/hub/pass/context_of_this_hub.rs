//! The context is the first parameter that is a reference. Its name does not matter.

use hub_runtime::{Context as Call, prelude::*};

use crate::support::Bench;

struct Chat;

type ChatContext = Call<Chat>;

mod data {
    #[derive(serde::Deserialize)]
    pub(super) struct Context(pub(super) String);
}

#[serverless_hub]
impl Chat {
    async fn by_self(&self, ctx: &Context<Self>) -> HubResult<String> {
        Ok(ctx.connection_id().to_owned())
    }

    async fn by_alias(&self, call: &ChatContext, suffix: String) -> HubResult<String> {
        Ok(call.connection_id().to_owned() + &suffix)
    }

    /// A type of the user with the same name, as an argument.
    async fn a_value(&self, page: data::Context) -> HubResult<String> {
        Ok(page.0)
    }

    async fn unused(&self, _: &Context<Self>) {}

    async fn with_a_lifetime<'a>(&'a self, ctx: &'a Context<Self>) -> HubResult<&'a str> {
        Ok(ctx.connection_id())
    }
}

#[test]
fn the_context_parameter_uses_no_argument() {
    let chat = Bench::new(Chat);

    assert_eq!(chat.invoke("bySelf", "[]").unwrap(), r#""c1""#);
    assert_eq!(chat.invoke("byAlias", r#"["x"]"#).unwrap(), r#""c1x""#);
    assert_eq!(chat.invoke("unused", "[]").unwrap(), "");
    assert_eq!(chat.invoke("aValue", r#"["x"]"#).unwrap(), r#""x""#);
    assert_eq!(chat.invoke("withALifetime", "[]").unwrap(), r#""c1""#);
}
