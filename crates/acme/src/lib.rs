//! Certificates that the gate gets and renews by itself (ACME, RFC 8555), for one gate or for several that share a
//! folder.
//!
//! Nothing here knows listeners, routes, policies or the configuration file. [`Acme`] takes [`Settings`] and looks
//! after [`Certificates`], which whoever does TLS handshakes reads without waiting. All the rest happens on the runtime
//! that it was given, away from requests, for as long as [`Keeping`] is held.
//!
//! The modules from the outside in: `certificates` and `challenges` are what is read; `keeper` is the task that looks
//! after one set of names, by the rules of `schedule`, in its `turn` among the gates that share the `storage`; `order`,
//! `account` and `transport` speak with the authority.

mod certificates;
mod challenges;
mod registry;
mod settings;

mod attempt;
mod back_off;
mod bundle;
mod keeper;
mod schedule;
mod storage;
mod turn;
mod watch;

mod account;
mod failure;
mod order;
mod transport;

mod advice;
mod validity;

pub use certificates::{Certificates, Keeping, Report};
pub use registry::Acme;
pub use settings::{ChallengeKind, ExternalAccount, Journal, Pace, Settings};
