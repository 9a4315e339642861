//! Forty thousand routes and two thousand services: what they cost to start with, to hold, and to change under load.

mod contenders;
mod pace;

use std::path::Path;
use std::time::{Duration, Instant};

use self::contenders::{Changing, Envoy, Ours, Traefik};
use self::pace::{Pace, percentile};
use super::{Line, upstream::Upstream};

const ROUTES: usize = 40_000;
const SERVICES: usize = 2_000;

/// How often the configuration changes.
const CHANGES: usize = 8;

/// How long each waits for the next, so that one is over before another begins.
const REST: Duration = Duration::from_millis(1500);

/// How long it is looked on while nothing changes.
const CALM: Duration = Duration::from_secs(8);

const NOT_FOUND: &str = "not found; see CONTRIBUTING.md";

/// # Errors
/// When ours doesn't start or a request to it fails.
pub(crate) fn run(binary: &Path) -> Result<Vec<Line>, String> {
    let upstream = Upstream::start()?;
    let ours = measure(&mut Ours::start(binary, upstream.address)?)?;
    let ratio = ours.changing / ours.calm;
    let mut lines = vec![
        Line::new("start", millis(ours.start), "", true),
        Line::new("memory after start", mebibytes(ours.memory), "", true),
        Line::new("memory after the reloads", mebibytes(ours.memory_after), "", true),
        Line::new(
            "reload, median",
            millis(ours.change),
            "≤ 300 ms",
            ours.change <= Duration::from_millis(300),
        ),
        Line::new("reload, longest", millis(ours.longest), "", true),
        Line::new("p99 in calm", format!("{:.2} ms", ours.calm * 1e3), "", true),
        Line::new(
            "p99 during reloads",
            format!("{:.2} ms ({ratio:.1} ×)", ours.changing * 1e3),
            "≤ 2 ×",
            ratio <= 2.0,
        ),
        Line::new("failed requests", ours.failures.to_string(), "0", ours.failures == 0),
    ];
    // With the same routes, for comparison.
    let envoy = Envoy::find().map(|envoy| envoy.start(upstream.address));
    lines.push(peer("envoy", envoy.map(|envoy| measure(&mut envoy?))));
    let traefik = Traefik::find().map(|traefik| traefik.start(upstream.address));
    lines.push(peer("traefik", traefik.map(|traefik| measure(&mut traefik?))));
    Ok(lines)
}

/// What was found of one.
struct Found {
    start: Duration,
    memory: u64,
    memory_after: u64,
    /// From the change of its file until a request meets what is new: the median, and the longest.
    change: Duration,
    longest: Duration,
    /// The 99th percentile of latency, in seconds.
    calm: f64,
    changing: f64,
    failures: usize,
}

fn measure(side: &mut impl Changing) -> Result<Found, String> {
    let start = side.started();
    let memory = side.memory();
    let paths: Vec<String> = (0..1000)
        .map(|number| format!("/team-{}/items/7", number * 7919 % ROUTES))
        .collect();
    let pace = Pace::start(side.address(), &paths)?;
    let begun = Instant::now();
    std::thread::sleep(CALM);
    let calm = (begun, Instant::now());
    let mut changes = Vec::new();
    for number in 1..=CHANGES {
        std::thread::sleep(REST);
        let begun = Instant::now();
        side.change(number)?;
        changes.push((begun, Instant::now()));
    }
    std::thread::sleep(REST);
    let taken = pace.stop();
    let within = |windows: &[(Instant, Instant)]| {
        let among = |at: &Instant| windows.iter().any(|(from, to)| (from..=to).contains(&at));
        percentile(
            taken.iter().filter(|one| among(&one.due)).filter_map(|one| one.latency),
            0.99,
        )
    };
    let mut spans: Vec<Duration> = changes.iter().map(|(from, to)| *to - *from).collect();
    spans.sort_unstable();
    Ok(Found {
        start,
        memory,
        memory_after: side.memory(),
        change: spans[spans.len() / 2],
        longest: spans[spans.len() - 1],
        calm: within(&[calm]),
        changing: within(&changes),
        failures: taken.iter().filter(|one| one.latency.is_none()).count(),
    })
}

fn peer(name: &str, found: Option<Result<Found, String>>) -> Line {
    let measured = match found {
        None => NOT_FOUND.to_owned(),
        Some(Err(why)) => why.lines().next().unwrap_or_default().to_owned(),
        Some(Ok(found)) => format!(
            "start {}, memory {} → {}, change {} (longest {}), p99 {:.2} → {:.2} ms, {} failed",
            millis(found.start),
            mebibytes(found.memory),
            mebibytes(found.memory_after),
            millis(found.change),
            millis(found.longest),
            found.calm * 1e3,
            found.changing * 1e3,
            found.failures
        ),
    };
    Line::new(name, measured, "", true)
}

fn millis(span: Duration) -> String {
    format!("{} ms", span.as_millis())
}

fn mebibytes(bytes: u64) -> String {
    format!("{} MiB", bytes >> 20)
}
