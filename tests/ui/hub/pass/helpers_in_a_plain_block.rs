//! Helper methods belong in a plain block. The hub's block may contain functions without `self`,
//! which clients cannot call.

use hub_runtime::prelude::*;

use crate::support::Bench;

struct Chat {
    greeting: &'static str,
}

impl Chat {
    fn greet(&self, name: &str) -> String {
        format!("{} {name}", self.greeting)
    }
}

#[serverless_hub]
impl Chat {
    const GREETING: &'static str = "hello";

    fn new() -> Self {
        Self { greeting: Self::GREETING }
    }

    async fn load() -> Self {
        Self::new()
    }

    async fn greeting(&self, name: String) -> HubResult<String> {
        Ok(self.greet(&name))
    }
}

#[test]
fn only_methods_of_the_hubs_block_are_events() {
    let chat = Bench::new(crate::support::block_on(Chat::load()));

    assert_eq!(chat.names(), ["greeting"]);
    assert_eq!(chat.invoke("greeting", r#"["ada"]"#).unwrap(), r#""hello ada""#);
}
