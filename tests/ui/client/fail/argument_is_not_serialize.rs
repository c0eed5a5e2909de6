//! Arguments that are not `Serialize` and results that are not `Deserialize` are refused at their types.

#![allow(unused)]

use hub_runtime::prelude::*;

struct NotSer;

#[hub_client]
trait ChatClient {
    async fn by_reference(&self, text: &str, value: &NotSer);

    async fn by_value(&self, value: NotSer);

    async fn answer(&self) -> NotSer;
}

fn main() {}
