//! Code shared by the whole-loop tests and the programs that they start. The tests are in `tests/`.

#[cfg(doctest)]
mod doc_pages;
pub mod history;
pub mod ledger;
