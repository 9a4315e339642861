//! The gate's own log, on standard error: starts, reloads, failures. Requests are in the access log.

use std::cell::Cell;
use std::fmt;
use std::io::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant, SystemTime};

use portcullis_backends::service::Journal;
use portcullis_core::{Ctx, Error};
use portcullis_policies::access_log::timestamp;

/// Lines about failed requests that a worker writes in a second; the rest is counted and told with the next line.
const FAILURES_PER_SECOND: u32 = 10;

/// How often a worker writes a line about clients that it refused.
const REFUSED_EVERY: Duration = Duration::from_secs(10);

/// Something went as it should.
pub(crate) fn info(message: impl fmt::Display) {
    write("INFO ", message);
}

/// Something went wrong, and the gate goes on.
pub(crate) fn warn(message: impl fmt::Display) {
    write("WARN ", message);
}

/// A time as the log writes it.
pub(crate) fn time(time: SystemTime) -> String {
    let mut text = Vec::with_capacity(24);
    timestamp::write(time, &mut text);
    String::from_utf8_lossy(&text).into_owned()
}

/// Where those tell who know nothing of this log.
pub(crate) fn journal() -> Journal {
    Journal {
        info: |line| info(line),
        warn: |line| warn(line),
    }
}

/// Tells of a request that failed by an upstream's or the gate's own fault, with the cause that no client sees.
pub(crate) fn failure(cx: &Ctx, error: &Error) {
    let Some(more) = FAILURES.with(Throttle::admit) else {
        return;
    };
    let route = cx.route.as_ref().map_or("-", |route| route.name);
    let target = cx.upstream.target.as_deref().unwrap_or("-");
    let cause = error.cause().map(ToString::to_string).unwrap_or_default();
    warn(format_args!(
        "request {} failed: {} route={route} target={target} cause={:?}{more}",
        cx.request_id,
        error.code().name,
        cause
    ));
}

/// Tells of a client whose certificate was refused, or that had none. Anybody may knock, so it is told now and then.
pub(crate) fn refused_client(listener: &str, peer: SocketAddr, error: &rustls::Error) {
    let about_its_certificate = matches!(
        error,
        rustls::Error::NoCertificatesPresented | rustls::Error::InvalidCertificate(_)
    );
    if about_its_certificate && let Some(more) = REFUSED.with(Throttle::admit) {
        warn(format_args!("listener {listener}: refused {peer}: {error}{more}"));
    }
}

/// Says that a listed proxy did not say whose connection it passes on, once in a while.
pub(crate) fn refused_proxy(listener: &str, peer: SocketAddr, why: &str) {
    if let Some(more) = REFUSED.with(Throttle::admit) {
        warn(format_args!(
            "listener {listener}: refused {peer}: no header of the PROXY protocol: {why}{more}"
        ));
    }
}

/// Says that an address was banned for offences, and for how long; or that it would be, were there room. An attack comes from
/// many, so it is told now and then.
pub(crate) fn banned(client: IpAddr, lasting: Option<Duration>) {
    let Some(more) = BANNED.with(Throttle::admit) else {
        return;
    };
    match lasting {
        Some(lasting) => info(format_args!(
            "banned {client} for {} s: it offended too often{more}",
            lasting.as_secs()
        )),
        None => warn(format_args!("can't ban {client}: as many are banned as can be{more}")),
    }
}

thread_local! {
    static BANNED: Throttle = const { Throttle::new(10, Duration::from_secs(1)) };
    static FAILURES: Throttle = const { Throttle::new(FAILURES_PER_SECOND, Duration::from_secs(1)) };
    static REFUSED: Throttle = const { Throttle::new(1, REFUSED_EVERY) };
}

/// Lets so many lines of a kind through in a span of time.
struct Throttle {
    most: u32,
    span: Duration,
    /// When the span began, and how many lines were written and suppressed in it.
    window: Cell<(Option<Instant>, u32, u32)>,
}

impl Throttle {
    const fn new(most: u32, span: Duration) -> Throttle {
        Throttle {
            most,
            span,
            window: Cell::new((None, 0, 0)),
        }
    }

    /// Whether another line may be written now; if so, what it has to add about those that were not.
    fn admit(&self) -> Option<String> {
        let (start, written, suppressed) = self.window.get();
        let now = Instant::now();
        if start.is_none_or(|start| now.duration_since(start) >= self.span) {
            self.window.set((Some(now), 1, 0));
            return Some(match suppressed {
                0 => String::new(),
                count => format!(" ({count} more like it were not written)"),
            });
        }
        if written < self.most {
            self.window.set((start, written + 1, suppressed));
            return Some(String::new());
        }
        self.window.set((start, written, suppressed.saturating_add(1)));
        None
    }
}

fn write(level: &str, message: impl fmt::Display) {
    let mut now = Vec::with_capacity(24);
    timestamp::write(SystemTime::now(), &mut now);
    let now = String::from_utf8_lossy(&now);
    // Nobody is left to tell if standard error is gone.
    let _ = writeln!(std::io::stderr().lock(), "{now} {level} {message}");
}
