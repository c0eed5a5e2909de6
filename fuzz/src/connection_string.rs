//! Connection strings: parsing returns a service or an error, and neither may reveal the key.

use hub_runtime::{HubApp, SignalR, prelude::*};

use crate::pieces::holds;

/// A secret that must not appear in any output.
const SECRET: &str = "c4n-n0t-b3-guessed-nor-0verl00ked";
/// Names of pieces that contain a secret, in several spellings.
const SECRETS: [&str; 4] = ["AccessKey", "accesskey", "ClientSecret", " clientSECRET "];

struct Empty;

#[serverless_hub(name = "chat")]
impl Empty {}

/// Parses the input, and the input with a secret inserted at the position that the first byte
/// selects.
pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    // The fuzzer may copy the secret from the binary, which would make the checks fail.
    if holds(data, SECRET) {
        return;
    }
    let _ = parse(text);
    let Some(place) = text.bytes().next() else { return };
    let name = SECRETS[usize::from(place) % SECRETS.len()];
    let pieces: Vec<&str> = text.split(';').collect();
    let at = usize::from(place) % (pieces.len() + 1);
    let secret = format!("{name}={SECRET}");
    let with: Vec<&str> = pieces[..at]
        .iter()
        .copied()
        .chain([&*secret])
        .chain(pieces[at..].iter().copied())
        .collect();
    let (with, without) = (parse(&with.join(";")), parse(&text.replace(';', "; ")));
    // Blanks after separators must not change the result.
    assert_eq!(without.is_ok(), parse(text).is_ok(), "added blanks change the result");
    drop(with);
}

fn parse(text: &str) -> Result<SignalR, ()> {
    let shown = |what: String| assert!(!what.contains(SECRET), "{what} contains the key");
    match SignalR::from_connection_string(text) {
        Ok(signalr) => {
            shown(format!("{signalr:?} {signalr:#?}"));
            // Without the feature `rest`, building the app fails, which is an expected error, too.
            let built = HubApp::builder().signalr(signalr.clone()).hub(Empty).build();
            shown(format!("{built:?}"));
            built.err().into_iter().for_each(|error| shown(error.to_string()));
            Ok(signalr)
        }
        Err(error) => {
            shown(format!("{error} {error:?}"));
            assert!(!error.problems().is_empty(), "the error has no reason");
            Err(())
        }
    }
}
