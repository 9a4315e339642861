//! Looks whether the files of certificates have changed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;

use crate::state::State;
use crate::telemetry::log;

/// The time between two looks.
const LOOK: Duration = Duration::from_secs(1);

/// How much longer the time between two looks is than a look takes at the least: with thousands of certificates, looks
/// must not take a noticeable part of a processor.
const REST: u32 = 200;

/// Keeps certificates as new as their files, as long as the process lives.
pub(crate) async fn watch(state: Arc<State>) {
    let mut rest = LOOK;
    loop {
        tokio::time::sleep(rest).await;
        let state = state.clone();
        let took = Handle::current().spawn_blocking(move || look(&state)).await;
        rest = LOOK.max(took.unwrap_or(LOOK) * REST);
    }
}

/// Looks at the files of all listeners, and gives back how long that took.
fn look(state: &State) -> Duration {
    let begun = Instant::now();
    let snapshot = state.snapshot.load_full();
    for rules in &snapshot.listeners {
        let Some(tls) = &rules.tls else { continue };
        tls.renew(&mut |change| match change {
            Ok(what) => log::info(format_args!("listener {}: {what} is in force anew", rules.name)),
            Err(why) => log::warn(format_args!("listener {}: {why}", rules.name)),
        });
    }
    let took = begun.elapsed();
    // Not kept for longer than the look: its end may close databases, which is fine on this thread.
    drop(snapshot);
    took
}
