//! A load tester: it starts requests when they are due, whatever became of earlier ones, and says what became of each.
//!
//! [`Plan`] says what is asked and [`Phase`]s say how much of it when. The [`engine`] runs them on threads of its own and gives
//! back what was [`measured`]; [`report`] is that with its verdict, in forms for people and programs. How it is put together:
//! `docs/internals/bench.md`.

pub mod flow;
pub mod load;
pub mod pace;
pub mod plan;
pub mod request;
pub mod target;
pub mod tls;

mod hpack;

pub mod engine;
pub mod outcome;

pub mod histogram;
pub mod measured;

pub mod compare;
pub mod environment;
pub mod history;
pub mod objective;
pub mod process;
pub mod rate;
pub mod statistics;
pub mod summary;
pub mod verdict;

pub mod live;
pub mod report;

pub mod profile;

pub mod duel;
pub mod run;

pub mod stand_in;

pub use engine::Engine;
pub use flow::Flow;
pub use histogram::Histogram;
pub use load::{Load, Phase};
pub use plan::Plan;
pub use report::Report;
pub use target::Target;
