//! Arguments are any `Serialize` types: borrowed, owned, unsized or generic over a lifetime.

use hub_runtime::prelude::*;
use serde::Serialize;

use crate::support::Bench;

#[derive(Serialize)]
struct Message<'a> {
    text: &'a str,
}

#[hub_client]
pub(crate) trait ChatClient {
    async fn nothing(&self);

    /// Documented.
    async fn several(&self, text: &str, owned: String, list: &[u8], flag: Option<bool>);

    async fn message<'a>(&'a self, message: Message<'a>, again: &Message<'_>) -> ();

    #[deprecated = "use `several`"]
    async fn typed(self: &Self, r#type: u8);

    #[cfg(not(test))]
    async fn never(&self, missing: NoSuchType);
}

struct Chat;

#[serverless_hub(client = ChatClient)]
impl Chat {
    async fn tell(&self, ctx: &Context<Self>) -> HubResult {
        let clients = ctx.clients();
        clients.all().nothing().await?;
        let sending = {
            let borrowed = String::from("a");
            clients.group("g").several(&borrowed, borrowed.clone(), &[1, 2], None)
        };
        sending.await?;
        clients.user("u").message(Message { text: "x" }, &Message { text: "y" }).await?;
        #[allow(deprecated)]
        clients.caller().typed(7).await?;
        Ok(())
    }
}

#[test]
fn arguments_are_encoded_in_order_before_the_future_is_returned() {
    let chat = Bench::new(Chat);

    chat.invoke("tell", "[]").unwrap();

    assert_eq!(
        chat.sent(),
        [
            "All.nothing[]",
            r#"Group("g").several["a","a",[1,2],null]"#,
            r#"User("u").message[{"text":"x"},{"text":"y"}]"#,
            r#"Connection("c1").typed[7]"#,
        ]
    );
}
