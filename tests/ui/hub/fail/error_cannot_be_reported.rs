//! An error type without `IntoHubError` is refused at the return type.

#![allow(unused)]

use hub_runtime::prelude::*;

/// The types of the crate of the same name.
mod anyhow {
    #[derive(Debug)]
    pub struct Error;

    pub type Result<T, E = Error> = std::result::Result<T, E>;
}

struct Chat;

#[serverless_hub]
impl Chat {
    async fn load(&self) -> Result<String, std::io::Error> {
        std::fs::read_to_string("motd")
    }

    async fn join(&self, room: String) -> anyhow::Result<()> {
        Ok(())
    }

    async fn negotiate(&self) -> anyhow::Result<Negotiation> {
        Ok(Negotiation::anonymous())
    }
}

fn main() {}
