//! What came to the targets, and what proxies say that they sent again.

use super::Down;
use crate::bench::steady::report::float;
use crate::bench::steady::subject::{Kind, Subject};
use crate::bench::steady::target::Target;

pub(super) struct Counted {
    pub(super) attempts: f64,
    pub(super) retries: Option<f64>,
}

impl Counted {
    /// # Errors
    /// When a target doesn't tell.
    pub(super) fn now(subject: &Subject, targets: &mut [Target], down: Down) -> Result<Counted, String> {
        let attempts = match down {
            // Whoever they were meant for, the system counts connections that could not be made.
            Down::Gone => refused(),
            Down::Unavailable | Down::Resets => {
                let counts: Vec<u64> = targets.iter_mut().map(Target::requests).collect::<Result<_, _>>()?;
                float(counts.iter().sum())
            }
        };
        Ok(Counted {
            attempts,
            retries: retries(subject),
        })
    }

    pub(super) fn since(&self, before: &Counted) -> Counted {
        Counted {
            attempts: self.attempts - before.attempts,
            retries: self.retries.zip(before.retries).map(|(now, before)| now - before),
        }
    }
}

/// How many connections could not be made, from this machine, since it runs.
fn refused() -> f64 {
    let table = std::fs::read_to_string("/proc/net/snmp").unwrap_or_default();
    let mut lines = table.lines().filter(|line| line.starts_with("Tcp:"));
    let place = lines
        .next()
        .and_then(|names| names.split(' ').position(|name| name == "AttemptFails"));
    let values: Vec<&str> = lines.next().unwrap_or_default().split(' ').collect();
    let count = place.and_then(|place| values.get(place)?.parse().ok());
    float(count.unwrap_or_default())
}

fn retries(subject: &Subject) -> Option<f64> {
    match subject.kind() {
        Kind::Portcullis => {
            let metrics = subject.ask_admin("/metrics").ok()?;
            let lines = metrics.lines();
            let counts = lines.filter(|line| line.starts_with("portcullis_upstream_retries_total"));
            let counts: Vec<f64> = counts
                .filter_map(|line| line.rsplit(' ').next()?.parse().ok())
                .collect();
            Some(counts.iter().sum())
        }
        Kind::Envoy => {
            let stats = subject.ask_admin("/stats?filter=cluster.all.upstream_rq_retry$").ok()?;
            // Where it chunks the answer, there are lines of lengths between.
            stats
                .lines()
                .find_map(|line| line.split_once(": ")?.1.trim().parse().ok())
        }
        // HAProxy counts one to another server twice or once, as it was a request or a connection that failed.
        Kind::Haproxy | Kind::Nginx | Kind::Traefik => None,
    }
}
