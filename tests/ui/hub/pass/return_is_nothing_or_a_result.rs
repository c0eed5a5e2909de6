//! A method returns `()` or a `Result` of any `Serialize` type, including borrowed and opaque types.

use hub_runtime::prelude::*;
use serde::Serialize;

use crate::support::Bench;

type Answer<T> = Result<T, HubError>;

struct Chat {
    name: String,
}

#[serverless_hub]
impl Chat {
    async fn nothing(&self) {}

    async fn unit(&self) -> () {}

    async fn hub_result(&self) -> HubResult {
        Ok(())
    }

    async fn alias(&self) -> Answer<Vec<u8>> {
        Ok(vec![1])
    }

    async fn borrowed(&self) -> HubResult<&str> {
        Ok(&self.name)
    }

    async fn named<'a>(&'a self) -> HubResult<&'a str> {
        Ok(&self.name)
    }

    async fn opaque(&self) -> HubResult<impl Serialize> {
        Ok((1, "a"))
    }
}

#[test]
fn results_are_encoded() {
    let chat = Bench::new(Chat { name: "n".to_owned() });

    for (method, json) in [
        ("nothing", ""),
        ("unit", ""),
        ("hubResult", "null"),
        ("alias", "[1]"),
        ("borrowed", r#""n""#),
        ("named", r#""n""#),
        ("opaque", r#"[1,"a"]"#),
    ] {
        assert_eq!(chat.invoke(method, "[]").unwrap(), json, "{method}");
    }
}
