//! An attribute can have all keys, in any order, with a trailing comma.

use hub_runtime::prelude::*;

use crate::support::Bench;

#[hub_client(rename_all = "PascalCase", crate = hub_runtime)]
trait ChatClient {
    async fn new_message(&self, text: &str);
}

#[derive(serde::Deserialize)]
struct Position {
    row: Option<u8>,
}

struct Chat;

#[serverless_hub(rename_all = "PascalCase", crate = ::hub_runtime, exact_names, client = ChatClient,)]
impl Chat {
    #[hub(exact_names, rename = "Place")]
    async fn place(&self, position: Position) -> HubResult<Option<u8>> {
        Ok(position.row)
    }

    async fn send_message(&self, ctx: &Context<Self>, text: String) -> HubResult {
        ctx.clients().all().new_message(&text).await?;
        Ok(())
    }
}

#[test]
fn names_follow_the_rule_on_both_sides() {
    let chat = Bench::new(Chat);

    chat.invoke("SendMessage", r#"["hi"]"#).unwrap();

    assert_eq!(chat.names(), ["Place", "SendMessage"]);
    assert_eq!(chat.invoke("Place", r#"[{"ROW":1}]"#).unwrap(), "null");
    assert_eq!(chat.sent(), [r#"All.NewMessage["hi"]"#]);
}
