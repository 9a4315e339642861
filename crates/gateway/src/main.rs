//! Portcullis: the one gate in front of your services.
//!
//! The modules in the order in which a request meets them: `listener` takes connections in, `pipeline` leads a request
//! through `client_identity`, `router`, its policies and its backend, and `respond` turns outcomes into answers. All of
//! it goes by one `snapshot`, which `compile` makes of the file and `reload` swaps.

mod cli;
mod server;

mod acme;
mod bans;
mod client_identity;
mod clock;
mod event_loop;
mod https_redirect;
mod in_force;
mod inherited;
mod listener;
mod pipeline;
mod request_id;
mod respond;
mod router;
mod sockets;
mod worker;

mod compile;
mod explain;
mod handover;
mod kept;
mod overload;
mod reload;
mod rollouts;
mod snapshot;
mod source;
mod state;
mod watched;

mod bench;

mod admin;
mod reference;
mod systemd;
mod telemetry;
mod upgrade;

use std::process::ExitCode;

/// A request makes many short-lived allocations, of which the C library's allocator made too much work.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cli::run()
}
