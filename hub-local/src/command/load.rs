//! `hub-local load`: the load tool as a subcommand.

use hub_load::LoadArgs;

use super::{Failure, output};

/// Runs the load tool and prints its report.
pub(super) fn run(arguments: LoadArgs) -> Result<(), Failure> {
    let report = hub_load::run_blocking(arguments).map_err(|error| {
        if error.is_usage() {
            Failure::Usage(error.to_string())
        } else {
            Failure::Failed(error.with_causes())
        }
    })?;
    output::print(report);
    Ok(())
}
