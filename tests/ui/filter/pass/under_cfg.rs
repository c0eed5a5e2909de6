//! Two versions of a method under `cfg` can have different filters.

use hub_runtime::prelude::*;

use crate::support::Bench;

struct Chat;

#[serverless_hub]
impl Chat {
    #[cfg(test)]
    #[filter(SignedIn)]
    async fn close(&self) {}

    #[cfg(not(test))]
    #[filter(RequireClaim("role", "admin"))]
    async fn close(&self) {}
}

#[test]
fn the_version_that_is_compiled_keeps_its_guard() {
    let chat = Bench::new(Chat);

    assert!(chat.invoke("close", "[]").is_ok());
    assert!(chat.invoke_anonymously("close", "[]").is_err());
}
