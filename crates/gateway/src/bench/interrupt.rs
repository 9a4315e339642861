//! Ending a run by ctrl-C: once in order, with a report of what was measured so far; twice at once.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use tokio::signal::unix::{SignalKind, signal};

/// The exit code of a program that a signal of the keyboard has ended, as shells have it.
const ENDED_BY_KEYBOARD: i32 = 130;

/// How soon after the first a signal is the same one again: `timeout`, and others that end whole groups of processes, send it to the
/// process and to its group.
const THE_SAME: Duration = Duration::from_millis(500);

/// Whether somebody has asked for the end.
static ASKED: LazyLock<Arc<AtomicBool>> = LazyLock::new(|| {
    let asked = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&asked);
    // Without the thread the system's own way is left: the run ends without a report.
    let _ = std::thread::Builder::new()
        .name("interrupt".to_owned())
        .spawn(move || listen(&told));
    asked
});

/// Whether the run is to end. The first look begins to listen.
pub(crate) fn asked() -> bool {
    ASKED.load(Ordering::Relaxed)
}

fn listen(asked: &AtomicBool) {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
        return;
    };
    runtime.block_on(async {
        let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
        else {
            return;
        };
        let mut first = None;
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            asked.store(true, Ordering::Relaxed);
            if first.get_or_insert_with(Instant::now).elapsed() > THE_SAME {
                std::process::exit(ENDED_BY_KEYBOARD);
            }
        }
    });
}
