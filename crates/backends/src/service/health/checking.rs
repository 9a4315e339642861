//! The task of one target: it checks again and again, and says what came of it.

use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use portcullis_config::service::{Health, HealthMethod};
use portcullis_core::{Method, Target as RequestTarget};
use portcullis_resilience::Moment;
use portcullis_resilience::checks::{Streak, Thresholds};
use portcullis_resilience::standing::Checked;
use tokio::task::JoinHandle;

use super::super::journal::Journal;
use super::super::target::Target;
use super::probe;
use super::thread::Shift;

/// How the targets of a service are checked.
pub(super) struct Checks {
    pub(super) written: Health,
    pub(super) method: Method,
    pub(super) request_target: RequestTarget,
    thresholds: Thresholds,
}

impl Checks {
    pub(super) fn new(written: &Health) -> Result<Checks, String> {
        let path = &written.path;
        let request_target = RequestTarget::parse(path.as_bytes())
            .map_err(|_| format!("can't check by the path `{path}`: it leads above the root, or is malformed"))?;
        Ok(Checks {
            written: written.clone(),
            method: match written.method {
                HealthMethod::Get => Method::Get,
                HealthMethod::Head => Method::Head,
                HealthMethod::Options => Method::Options,
                HealthMethod::Post => Method::Post,
            },
            request_target,
            thresholds: Thresholds {
                healthy: written.healthy,
                unhealthy: written.unhealthy,
            },
        })
    }

    /// Whether others check in the same way, so that there is no reason to begin anew.
    pub(super) fn same_as(&self, other: &Checks) -> bool {
        self.written == other.written
    }
}

impl fmt::Debug for Checks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.written.fmt(f)
    }
}

/// Whose targets are checked, and where that is told.
pub(super) struct Whose {
    pub(super) service: Arc<str>,
    pub(super) journal: Journal,
    pub(super) shift: Rc<Shift>,
}

/// A target that is being checked, until this is dropped.
pub(super) struct Checking {
    pub(super) target: Arc<Target>,
    pub(super) checks: Arc<Checks>,
    task: JoinHandle<()>,
}

impl Checking {
    pub(super) fn begin(target: Arc<Target>, checks: Arc<Checks>, whose: Rc<Whose>) -> Checking {
        let task = tokio::task::spawn_local(go_on(target.clone(), checks.clone(), whose));
        Checking { target, checks, task }
    }
}

impl Drop for Checking {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn go_on(target: Arc<Target>, checks: Arc<Checks>, whose: Rc<Whose>) {
    let mut streak = Streak::default();
    loop {
        let found = {
            // It is never closed.
            let _turn = whose.shift.turns.acquire().await;
            look(&target, &checks).await
        };
        target.health.checked(&found);
        let known = target.standing.checked();
        if let Some(turned) = streak.take(known, found.is_ok(), checks.thresholds) {
            turn(&target, &checks, &whose, known, turned, found.err());
        }
        let every = checks.written.every.0;
        tokio::time::sleep(streak.pause(every, fastrand::u64(..))).await;
    }
}

/// One check, or why it failed.
async fn look(target: &Arc<Target>, checks: &Checks) -> Result<(), String> {
    let patience = checks.written.timeout.0;
    match tokio::time::timeout(patience, probe::look(target, checks)).await {
        Ok(found) => found,
        Err(_) => Err(format!("timeout after {patience:?}")),
    }
}

/// The target's health has turned: that decides on its requests, and is told once.
fn turn(
    target: &Arc<Target>,
    checks: &Checks,
    whose: &Whose,
    known: Checked,
    turned: Checked,
    failure: Option<String>,
) {
    let now = Moment::of(Instant::now());
    let Journal { info, warn } = whose.journal;
    let (service, url) = (&whose.service, &target.label);
    target.standing.set_checked(turned, now);
    match (turned, failure) {
        (Checked::Failing, failure) => {
            let why = failure.unwrap_or_default();
            match (known, checks.thresholds.unhealthy) {
                (Checked::Passing, count @ 2..) => warn(&format!(
                    "service {service}: {url} is unhealthy: {count} checks failed, the last one: {why}"
                )),
                _ => warn(&format!("service {service}: {url} is unhealthy: a check failed: {why}")),
            }
        }
        (Checked::Passing, _) if known == Checked::Failing => {
            // It was away and is back: what requests met before says nothing about it any more.
            target.outlier.forgive();
            if target.standing.ejected_until(now).is_some() {
                target.standing.readmit(now);
            }
            info(&format!("service {service}: {url} is healthy again"));
        }
        // Nobody asks why a target is well that nobody has heard of.
        (Checked::Passing | Checked::Unknown, _) => {}
    }
}
