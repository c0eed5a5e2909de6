//! The methods of filters and extractors are `async fn`.

#![allow(unused)]

use hub_runtime::prelude::*;

struct OnlyAda;

impl Filter for OnlyAda {
    fn before(&self, call: &Invocation) -> HubResult {
        Ok(())
    }

    fn after(&self, call: &Invocation, outcome: Result<(), &HubError>) {}
}

struct User;

impl FromContext for User {
    fn from_context(call: &Invocation) -> HubResult<Self> {
        Ok(Self)
    }
}

fn main() {}
