//! The app of `values.test.js`. Each method sends its argument to the caller, asks the caller for a value of the same
//! type, and returns it, so a value takes all four ways.

use std::collections::BTreeMap;

use bytes::Bytes;
use chrono::{DateTime, FixedOffset, NaiveDateTime, Utc};
use hub_runtime::{prelude::*, timestamp::Timestamp};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_bytes::ByteBuf;
use serde_json::{Value, value::RawValue};
use time::OffsetDateTime;

#[derive(Serialize, Deserialize)]
struct Adapted {
    #[serde(with = "hub_runtime::binary")]
    binary: Vec<u8>,
    #[serde(with = "hub_runtime::byte_list")]
    list: ByteBuf,
}

#[derive(Serialize, Deserialize)]
struct Defaults {
    #[serde(default)]
    count: u32,
    name: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Plain {
    yes: bool,
    wide: u128,
    low: i64,
    half: f64,
    letter: char,
    unit: (),
    none: Option<u8>,
    pair: (u8, String),
}

#[derive(Serialize, Deserialize)]
struct Moment(#[serde(with = "hub_runtime::timestamp")] OffsetDateTime);

struct Values;

async fn round<T: Serialize + DeserializeOwned>(ctx: &Context<Values>, value: T) -> HubResult<T> {
    let caller = ctx.clients().caller();
    caller.send("told", (&value,)).await?;
    caller.invoke("asked", (&value,)).await.map_err(HubError::rejected)
}

#[serverless_hub]
impl Values {
    async fn negotiate(&self, _request: NegotiateRequest) -> HubResult<Negotiation> {
        Ok(Negotiation::anonymous())
    }

    async fn plain(&self, ctx: &Context<Self>, value: Plain) -> HubResult<Plain> {
        round(ctx, value).await
    }

    async fn byte_buf(&self, ctx: &Context<Self>, value: ByteBuf) -> HubResult<ByteBuf> {
        round(ctx, value).await
    }

    async fn bytes(
        &self,
        ctx: &Context<Self>,
        value: Vec<Option<Bytes>>,
    ) -> HubResult<Vec<Option<Bytes>>> {
        round(ctx, value).await
    }

    async fn numbers(&self, ctx: &Context<Self>, value: Vec<u8>) -> HubResult<Vec<u8>> {
        round(ctx, value).await
    }

    async fn adapted(&self, ctx: &Context<Self>, value: Adapted) -> HubResult<Adapted> {
        round(ctx, value).await
    }

    async fn chrono(&self, ctx: &Context<Self>, value: DateTime<Utc>) -> HubResult<DateTime<Utc>> {
        round(ctx, value).await
    }

    async fn naive(&self, ctx: &Context<Self>, value: NaiveDateTime) -> HubResult<NaiveDateTime> {
        round(ctx, value).await
    }

    async fn jiff(
        &self,
        ctx: &Context<Self>,
        value: jiff::Timestamp,
    ) -> HubResult<jiff::Timestamp> {
        round(ctx, value).await
    }

    async fn stamp(
        &self,
        ctx: &Context<Self>,
        value: Timestamp<DateTime<FixedOffset>>,
    ) -> HubResult<Timestamp<DateTime<FixedOffset>>> {
        round(ctx, value).await
    }

    async fn time(&self, ctx: &Context<Self>, value: Moment) -> HubResult<Moment> {
        round(ctx, value).await
    }

    async fn flags(
        &self,
        ctx: &Context<Self>,
        value: BTreeMap<bool, u8>,
    ) -> HubResult<BTreeMap<bool, u8>> {
        round(ctx, value).await
    }

    async fn by_number(
        &self,
        ctx: &Context<Self>,
        value: BTreeMap<i32, u8>,
    ) -> HubResult<BTreeMap<i32, u8>> {
        round(ctx, value).await
    }

    async fn value(&self, ctx: &Context<Self>, value: Value) -> HubResult<Value> {
        round(ctx, value).await
    }

    async fn raw(&self, ctx: &Context<Self>, value: Box<RawValue>) -> HubResult<Box<RawValue>> {
        round(ctx, value).await
    }

    async fn defaults(&self, value: Defaults) -> HubResult<Defaults> {
        Ok(value)
    }

    /// Sends a value that has no form.
    async fn formless(&self, ctx: &Context<Self>) -> HubResult<bool> {
        let value = BTreeMap::from([(vec![1_u8], 1)]);
        let sent = ctx.clients().all().send("told", (value,)).await;
        Ok(sent.is_err())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let app = HubApp::builder().signalr(SignalR::from_env_or_local()?).hub(Values).build()?;
    Ok(app.run().await?)
}
