//! `hub-local load`: a measurement from the command line.

use std::error::Error as _;

use hub_local::load::{self, LoadArgs, LoadError};

use super::{Failure, descriptors};

/// Measures and prints what came out.
pub(super) fn run(arguments: LoadArgs) -> Result<(), Failure> {
    // Each client takes a descriptor; where the limit cannot be read, connects say so.
    let _ = descriptors::raise();
    let runtime = tokio::runtime::Runtime::new().map_err(Failure::failed)?;
    let report = runtime.block_on(load::run(arguments)).map_err(|error| failure(&error))?;
    println!("{report}");
    Ok(())
}

fn failure(error: &LoadError) -> Failure {
    if matches!(error, LoadError::Arguments(_) | LoadError::Url(_)) {
        return Failure::Usage(error.to_string());
    }
    // What the system says is at the end of the chain.
    let mut text = error.to_string();
    let mut source = error.source().and_then(std::error::Error::source);
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    Failure::Failed(text)
}
