//! With `rename`, a client method can have the name of one of the proxy's own methods, such as `send`. The
//! Rust name of the trait method must be different.

use hub_runtime::prelude::*;

use crate::support::Bench;

#[hub_client]
trait ChatClient {
    #[hub(rename = "send")]
    async fn send_text(&self, text: &str);

    #[hub(rename = "new_message")]
    async fn underscored(&self);

    async fn new_message(&self);

    async fn r#match(&self);
}

struct Chat;

#[serverless_hub(client = ChatClient)]
impl Chat {
    async fn tell(&self, ctx: &Context<Self>) -> HubResult {
        let all = ctx.clients().all();
        all.send_text("a").await?;
        all.underscored().await?;
        all.new_message().await?;
        all.r#match().await?;
        all.send("untyped", (1,)).await?;
        Ok(())
    }
}

#[test]
fn each_event_has_its_name() {
    let chat = Bench::new(Chat);

    chat.invoke("tell", "[]").unwrap();

    assert_eq!(
        chat.sent(),
        [
            r#"All.send["a"]"#,
            "All.new_message[]",
            "All.newMessage[]",
            "All.match[]",
            "All.untyped[1]"
        ]
    );
}
