//! Nothing here: the programs are in `bin/`, criterion's benchmarks in `benches/`, the figures in the README.
