//! Balancing as its callers see it, with a simulated clock and seeded chance.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod distribution;
mod hashing;
mod priorities;
mod rules;
mod simulation;
mod targets;
