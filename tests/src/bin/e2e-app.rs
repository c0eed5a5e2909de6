//! The app of the end-to-end tests, with features that the chat example lacks: client results, many
//! messages in a row, and failures.
//!
//! `e2e-app` runs an app on the service that its environment configures, by default the embedded
//! one. `NEGOTIATE_LIMIT` is the number of negotiates per hour of each client behind one proxy.
//! `e2e-app service <upstream URL>` runs a service in a separate process.

use std::{
    io,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use chrono::{DateTime, Utc};
use hub_local::{HttpUpstream, LocalService};
use hub_runtime::{negotiate::NegotiateLimit, prelude::*};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use time::OffsetDateTime;
use tokio::net::TcpListener;
use tracing_subscriber::EnvFilter;

/// A value of each type that the protocols encode differently.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Parcel {
    label: String,
    content: ByteBuf,
    sent_at: DateTime<Utc>,
    weight: Option<f64>,
    size: Size,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Size {
    Small,
    Custom { height: u32, serial: u64 },
}

/// The same time as a value of each of the two crates.
#[derive(Debug, Serialize, Deserialize)]
struct Moments {
    chrono: DateTime<Utc>,
    #[serde(with = "time::serde::rfc3339")]
    time: OffsetDateTime,
}

/// The client methods of the tests.
#[hub_client]
trait LoopClient {
    async fn number(&self, number: u32);
    async fn question(&self, text: &str) -> String;
    async fn asked(&self);
    async fn answered(&self, text: &str);
    async fn unanswered(&self, why: &str, at: u64);
    async fn parcel(&self, parcel: &Parcel);
    async fn relayed(&self, value: &serde_json::Value);
    async fn left(&self, id: &str);
}

struct Loop;

#[serverless_hub(client = LoopClient)]
impl Loop {
    /// `?greet=…` makes the hub request a result from the client on `connected`. `?user=…` sets the
    /// user id.
    async fn negotiate(&self, request: NegotiateRequest) -> HubResult<Negotiation> {
        let greet = request.query().get("greet").unwrap_or_default().to_owned();
        let user = request.query().get("user").unwrap_or("anyone").to_owned();
        Ok(Negotiation::user(user).claim("greet", greet))
    }

    /// The same user with one more claim.
    async fn refresh(&self, request: RefreshRequest) -> HubResult<Negotiation> {
        Ok(self.negotiate(request.into()).await?.claim("refreshed", "yes"))
    }

    async fn is_refreshed(&self, ctx: &Context<Self>) -> HubResult<bool> {
        Ok(ctx.claims().has("refreshed", "yes"))
    }

    async fn on_connected(&self, ctx: &Context<Self>) -> HubResult {
        let greet = ctx.claims().get("greet").unwrap_or_default();
        if greet.is_empty() {
            return Ok(());
        }
        let answer = ctx.clients().caller().question(greet).await?;
        ctx.clients().caller().answered(&answer).await?;
        Ok(())
    }

    /// Sends the id of the ended connection to the group `observers`.
    async fn on_disconnected(&self, ctx: &Context<Self>) -> HubResult {
        Ok(ctx.clients().group("observers").left(ctx.connection_id()).await?)
    }

    async fn identity(&self, ctx: &Context<Self>) -> HubResult<String> {
        Ok(ctx.connection_id().to_owned())
    }

    async fn echo(&self, number: u32) -> HubResult<u32> {
        Ok(number)
    }

    /// Returns the bytes in reverse.
    async fn reverse(&self, mut bytes: ByteBuf) -> HubResult<ByteBuf> {
        bytes.reverse();
        Ok(bytes)
    }

    /// Returns whole seconds and the remaining nanoseconds, as each crate has parsed them.
    async fn read_moments(
        &self,
        moment: DateTime<Utc>,
        moments: Moments,
    ) -> HubResult<[(i64, u32); 3]> {
        let of_chrono = |at: DateTime<Utc>| (at.timestamp(), at.timestamp_subsec_nanos());
        let of_time = (moments.time.unix_timestamp(), moments.time.nanosecond());
        Ok([of_chrono(moment), of_chrono(moments.chrono), of_time])
    }

    /// Sends the parcel to all clients.
    async fn post(&self, ctx: &Context<Self>, parcel: Parcel) -> HubResult {
        Ok(ctx.clients().all().parcel(&parcel).await?)
    }

    /// Sends a value to all clients.
    async fn relay(&self, ctx: &Context<Self>, value: serde_json::Value) -> HubResult {
        Ok(ctx.clients().all().relayed(&value).await?)
    }

    async fn join(&self, ctx: &Context<Self>, group: String) -> HubResult {
        Ok(ctx.groups().add(ctx.connection_id(), &group).await?)
    }

    async fn number_to_group(&self, ctx: &Context<Self>, group: String, number: u32) -> HubResult {
        Ok(ctx.clients().group(&group).number(number).await?)
    }

    async fn number_to_user(&self, ctx: &Context<Self>, user: String, number: u32) -> HubResult {
        Ok(ctx.clients().user(&user).number(number).await?)
    }

    async fn who_am_i(&self, ctx: &Context<Self>) -> HubResult<String> {
        Ok(ctx.user_id().unwrap_or_default().to_owned())
    }

    async fn give_back(&self, ctx: &Context<Self>, number: u32) -> HubResult {
        Ok(ctx.clients().caller().number(number).await?)
    }

    /// Sends a message to the caller, then waits.
    async fn dawdle(&self, ctx: &Context<Self>, milliseconds: u64) -> HubResult {
        ctx.clients().caller().number(0).await?;
        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
        Ok(())
    }

    async fn count_for_me(&self, ctx: &Context<Self>, numbers: u32) -> HubResult {
        for number in 0..numbers {
            ctx.clients().caller().number(number).await?;
        }
        Ok(())
    }

    async fn count_for_all(&self, ctx: &Context<Self>, numbers: u32) -> HubResult {
        for number in 0..numbers {
            ctx.clients().all().number(number).await?;
        }
        Ok(())
    }

    async fn ask_me(&self, ctx: &Context<Self>, text: String) -> HubResult<String> {
        Ok(ctx.clients().caller().question(&text).await?)
    }

    async fn ask(&self, ctx: &Context<Self>, id: String, text: String) -> HubResult<String> {
        let asked = ctx.clients().client(id).question(&text).timeout(Duration::from_secs(20));
        asked.await.map_err(HubError::rejected)
    }

    /// Requests a result from the caller. If none arrives, sends the error and its time to the
    /// observer.
    async fn ask_watched(&self, ctx: &Context<Self>, observer: String) -> HubResult {
        let observer = ctx.clients().client(observer);
        let question = ctx.clients().caller().question("will you stay?");
        let asked = tokio::spawn(async move { question.await.map_err(|error| error.to_string()) });
        observer.asked().await?;
        let outcome = asked.await?;
        let at = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
        match outcome {
            Ok(answer) => observer.answered(&answer).await?,
            Err(why) => observer.unanswered(&why, u64::try_from(at)?).await?,
        }
        Ok(())
    }

    async fn panic(&self) {
        panic!("the cause of the panic");
    }

    async fn fail(&self) -> HubResult {
        Err(io::Error::other("the database password is wrong"))?
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::from_default_env())
        .with_writer(io::stderr)
        .init();
    let mut arguments = std::env::args().skip(1);
    match (arguments.next().as_deref(), arguments.next()) {
        (None, _) => serve_app().await,
        (Some("service"), Some(upstream)) => serve_service(&upstream).await,
        _ => Err("usage: e2e-app [service <upstream URL>]".into()),
    }
}

async fn serve_app() -> Result<(), Box<dyn std::error::Error>> {
    let mut app = HubApp::builder().signalr(SignalR::from_env_or_local()?).hub(Loop);
    if let Ok(count) = std::env::var("NEGOTIATE_LIMIT") {
        let limit = NegotiateLimit::new(count.parse()?, Duration::from_hours(1));
        app = app.negotiate_limit(limit.behind_proxies(1));
    }
    Ok(app.build()?.run().await?)
}

/// Runs the service. `PORT` and `KEY` set its port and access key.
async fn serve_service(upstream: &str) -> Result<(), Box<dyn std::error::Error>> {
    let port: u16 = std::env::var("PORT")?.parse()?;
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    let url = format!("http://{}", listener.local_addr()?);
    let service = LocalService::builder()
        .key(std::env::var("KEY")?)
        .upstream(HttpUpstream::new(upstream)?)
        .public_url(&url)
        .build();
    println!("SignalR  {url}");
    Ok(service.serve(listener).await?)
}
