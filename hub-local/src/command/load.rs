//! `hub-local load`: a measurement from the command line.

use hub_local::load::{self, LoadArgs};

use super::{Failure, descriptors};

/// Measures and prints what came out.
pub(super) fn run(arguments: LoadArgs) -> Result<(), Failure> {
    // Each client takes a descriptor; where the limit cannot be read, connects say so.
    let _ = descriptors::raise();
    let runtime = tokio::runtime::Runtime::new().map_err(Failure::failed)?;
    let report = runtime.block_on(load::run(arguments)).map_err(Failure::failed)?;
    println!("{report}");
    Ok(())
}
