//! A chat: `cargo run`, then open the printed address in two tabs.

mod hub;
mod page;
mod settings;
#[cfg(test)]
mod tests;

use std::{error::Error, process::ExitCode};

use hub_runtime::prelude::*;

use crate::hub::Chat;

fn main() -> ExitCode {
    // Before the runtime starts its threads, because these may read variables.
    let done = settings::read().map_err(Into::into).and_then(|()| serve());
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn serve() -> Result<(), Box<dyn Error>> {
    settings::log()?;

    // The embedded service, or the service of the setting AzureSignalRConnectionString.
    let signalr = SignalR::from_env_or_local()?;
    let app = HubApp::builder().signalr(signalr).hub(Chat).build()?;
    let routes = page::routes(app.client_url()).fallback_service(app.service());
    Ok(app.run_with(routes).await?)
}
