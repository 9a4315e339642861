//! Known truths: servers whose behaviour is fixed, and what has to be measured of them.

mod capacity;
mod comparisons;
mod recovery;
mod stalls;
