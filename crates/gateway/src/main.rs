//! Portcullis: the one gate in front of your services.
//!
//! The modules in the order in which a request meets them: `listener` takes connections in, `pipeline` leads a request
//! through `client_identity`, `router`, its policies and its backend, and `respond` turns outcomes into answers. All of
//! it goes by one `snapshot`, which `compile` makes of the file and `reload` swaps.

mod cli;
mod server;

mod worker;
mod listeners;
mod listener;
mod pipeline;
mod clock;
mod request_id;
mod client_identity;
mod router;
mod respond;

mod snapshot;
mod source;
mod compile;
mod kept;
mod state;
mod reload;

mod admin;
mod telemetry;
mod reference;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
