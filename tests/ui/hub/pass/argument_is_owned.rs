//! Arguments are owned. The name of an unused argument has an underscore in Rust, but not for clients.

use std::borrow::Cow;

use hub_runtime::prelude::*;

use crate::support::Bench;

struct Chat;

#[serverless_hub]
impl Chat {
    async fn join(
        &self,
        room: String,
        tags: Cow<'static, str>,
        _colour: Option<u8>,
    ) -> HubResult<usize> {
        Ok(room.len() + tags.len())
    }

    async fn raw(&self, r#type: String) -> HubResult<String> {
        Ok(r#type)
    }
}

#[test]
fn arguments_are_owned() {
    let chat = Bench::new(Chat);

    assert_eq!(chat.rows()[0].params, ["room", "tags", "colour"]);
    assert_eq!(chat.rows()[1].params, ["type"]);
    assert_eq!(chat.invoke("join", r#"["rust","ab"]"#).unwrap(), "6");
    assert_eq!(chat.invoke("raw", r#"["x"]"#).unwrap(), r#""x""#);
}
