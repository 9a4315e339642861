//! The gate's own log, on standard error: starts, reloads, failures. Requests are in the access log.

use std::cell::Cell;
use std::fmt;
use std::io::Write as _;
use std::time::{Duration, Instant, SystemTime};

use portcullis_core::{Ctx, Error};
use portcullis_policies::access_log::timestamp;

/// Lines about failed requests that a worker writes in a second; the rest is counted and told with the next line.
const FAILURES_PER_SECOND: u32 = 10;

/// Something went as it should.
pub(crate) fn info(message: impl fmt::Display) {
    write("INFO ", message);
}

/// Something went wrong, and the gate goes on.
pub(crate) fn warn(message: impl fmt::Display) {
    write("WARN ", message);
}

/// Tells of a request that failed by an upstream's or the gate's own fault, with the cause that no client sees.
pub(crate) fn failure(cx: &Ctx, error: &Error) {
    let Some(suppressed) = admit() else { return };
    let route = cx.route.as_ref().map_or("-", |route| route.name);
    let target = cx.upstream.target.as_deref().unwrap_or("-");
    let cause = error.cause().map(ToString::to_string).unwrap_or_default();
    let more = if suppressed > 0 {
        format!(" ({suppressed} more like it were not written)")
    } else {
        String::new()
    };
    warn(format_args!(
        "request {} failed: {} route={route} target={target} cause={:?}{more}",
        cx.request_id,
        error.code().name,
        cause
    ));
}

/// Whether this thread may write another line now, and how many it could not write before.
fn admit() -> Option<u32> {
    thread_local! {
        static WINDOW: Cell<(Option<Instant>, u32, u32)> = const { Cell::new((None, 0, 0)) };
    }
    WINDOW.with(|window| {
        let (start, written, suppressed) = window.get();
        let now = Instant::now();
        if start.is_none_or(|start| now.duration_since(start) >= Duration::from_secs(1)) {
            window.set((Some(now), 1, 0));
            return Some(suppressed);
        }
        if written < FAILURES_PER_SECOND {
            window.set((start, written + 1, suppressed));
            return Some(0);
        }
        window.set((start, written, suppressed.saturating_add(1)));
        None
    })
}

fn write(level: &str, message: impl fmt::Display) {
    let mut now = Vec::with_capacity(24);
    timestamp::write(SystemTime::now(), &mut now);
    let now = String::from_utf8_lossy(&now);
    // Nobody is left to tell if standard error is gone.
    let _ = writeln!(std::io::stderr().lock(), "{now} {level} {message}");
}
