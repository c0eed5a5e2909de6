//! Whole-loop tests; see `tests/`.
