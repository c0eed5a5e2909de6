//! What the whole-loop tests and the programs that they start share; the tests are in `tests/`.

pub mod history;
pub mod ledger;
