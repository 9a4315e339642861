//! Decisions that keep requests from being dropped: which target gets the next one, whether it may be tried again,
//! which targets are left alone, whether a new version is worse than the old one.
//!
//! Nothing here does I/O, reads a clock or knows a configuration file: callers give the [`Moment`] and random numbers. So each
//! rule is tested with a simulated clock.

pub mod balance;
pub mod breaker;
pub mod budget;
pub mod checks;
pub mod concurrency;
pub mod latency;
pub mod members;
pub mod moment;
pub mod outlier;
pub mod percentile;
pub mod rollout;
pub mod shedding;
pub mod standing;

mod window;

pub use moment::Moment;
