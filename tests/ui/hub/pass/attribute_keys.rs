//! An attribute can have all keys, in any order, with a trailing comma.

use hub_runtime::prelude::*;

use crate::support::Bench;

#[hub_client(rename_all = "PascalCase", crate = hub_runtime)]
trait ChatClient {
    async fn new_message(&self, text: &str);
}

struct Chat;

#[serverless_hub(rename_all = "PascalCase", crate = ::hub_runtime, client = ChatClient,)]
impl Chat {
    async fn send_message(&self, ctx: &Context<Self>, text: String) -> HubResult {
        ctx.clients().all().new_message(&text).await?;
        Ok(())
    }
}

#[test]
fn names_follow_the_rule_on_both_sides() {
    let chat = Bench::new(Chat);

    chat.invoke("SendMessage", r#"["hi"]"#).unwrap();

    assert_eq!(chat.names(), ["SendMessage"]);
    assert_eq!(chat.sent(), [r#"All.NewMessage["hi"]"#]);
}
