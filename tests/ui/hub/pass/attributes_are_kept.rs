//! Other attributes stay on the method, and `cfg` conditions are copied to its row in the method table.

#![deny(missing_docs)]

use hub_runtime::prelude::*;

use crate::support::Bench;

struct Chat;

#[serverless_hub]
/// A documented block.
impl Chat {
    /// A documented method.
    #[deprecated = "join another way"]
    #[inline]
    async fn join(&self) {}

    #[cfg(not(test))]
    async fn never(&self, missing: NoSuchType) {}

    #[cfg_attr(test, cfg(not(test)), allow(unused))]
    async fn never_either(&self, missing: NoSuchType) {}

    #[cfg_attr(test, doc = "Documented on condition.")]
    async fn always(&self) {}

    async fn argument(
        &self,
        first: u8,
        #[cfg(not(test))] second: NoSuchType,
        #[cfg(test)] third: u8,
        #[allow(unused_variables)] fourth: u8,
    ) -> HubResult<u8> {
        Ok(first + third)
    }

    async fn no_argument(&self, #[cfg(not(test))] only: NoSuchType) {}

    #[cfg(not(test))]
    async fn injected(&self, #[from_context] value: NoSuchType) {}

    #[cfg(not(test))]
    async fn negotiate(&self, request: NoSuchType) -> HubResult<Negotiation> {
        unreachable!()
    }

    #[cfg(test)]
    async fn negotiate(&self, _request: NegotiateRequest) -> HubResult<Negotiation> {
        Ok(Negotiation::user("ada"))
    }
}

struct Quiet;

#[serverless_hub]
impl Quiet {
    async fn no_argument(&self, #[cfg(not(test))] only: NoSuchType) {}

    #[cfg(not(test))]
    async fn negotiate(&self, request: NoSuchType) -> HubResult<Negotiation> {
        unreachable!()
    }
}

#[test]
fn conditions_decide_which_rows_exist() {
    let chat = Bench::new(Chat);

    assert_eq!(chat.names(), ["join", "always", "argument", "noArgument"]);
    assert_eq!(chat.rows()[2].params, ["first", "third", "fourth"]);
    assert_eq!(chat.invoke("argument", "[1,2,3]").unwrap(), "3");
    assert_eq!(chat.negotiate().unwrap().unwrap().user_id(), Some("ada"));
    assert!(Bench::new(Quiet).negotiate().is_none());
}
