//! A method may use values that are not `Send` if it does not hold them across an await.

use std::rc::Rc;

use hub_runtime::prelude::*;

use crate::support::Bench;

struct Chat;

#[serverless_hub]
impl Chat {
    async fn count(&self) -> HubResult<usize> {
        let length = {
            let shared = Rc::new("rust");
            shared.len()
        };
        std::future::ready(()).await;
        Ok(length)
    }
}

#[test]
fn the_method_runs() {
    assert_eq!(Bench::new(Chat).invoke("count", "[]").unwrap(), "4");
}
