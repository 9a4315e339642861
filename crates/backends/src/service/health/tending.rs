//! The task of one service: it follows the members, sees that each is checked, and judges what requests met.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use portcullis_resilience::Moment;
use portcullis_resilience::members::Members;
use portcullis_resilience::outlier::{Ejection, Outlier, judge_streaks, judge_window};
use portcullis_resilience::standing::{Checked, Standing};

use super::super::journal::Journal;
use super::super::target::Target;
use super::Rules;
use super::checking::{Checking, Checks, Whose};
use super::thread::{Order, Shift};

/// Looks after a service for as long as somebody uses it.
pub(super) async fn tend(order: Order, shift: Rc<Shift>) {
    let Some(watch) = order.membership.upgrade().map(|membership| membership.watch.clone()) else {
        return;
    };
    let mut tending = Tending {
        whose: Rc::new(Whose {
            service: order.service,
            journal: order.journal,
            shift,
        }),
        checking: HashMap::new(),
        out: Vec::new(),
        window_ends: None,
    };
    // Ends with the last user of the service, who stirs as it goes.
    while let Some(membership) = order.membership.upgrade() {
        let members = membership.now().clone();
        drop(membership);
        let due = tending.look(&members, &watch.rules.load_full());
        drop(members);
        let stirred = watch.stirred.notified();
        match due {
            Some(due) => _ = tokio::time::timeout_at(due.into(), stirred).await,
            None => stirred.await,
        }
    }
}

struct Tending {
    whose: Rc<Whose>,
    /// The targets that are checked, by where they are in memory.
    checking: HashMap<*const Target, Checking>,
    /// Those that are ejected, until then.
    out: Vec<(Arc<Target>, Instant)>,
    /// When the next window of counting ends, where one is needed.
    window_ends: Option<Instant>,
}

impl Tending {
    /// Does what is to be done now, and says when there is more.
    fn look(&mut self, members: &Members<Target>, rules: &Rules) -> Option<Instant> {
        let targets: Vec<&Arc<Target>> = members.seats().iter().map(|seat| &seat.member).collect();
        self.follow(&targets, rules.checks.as_ref());
        self.judge(&targets, rules);
        self.take_back();
        self.out.iter().map(|(_, until)| *until).chain(self.window_ends).min()
    }

    /// Begins to check new members, and ends checking those who left. All are checked anew where the checks have changed; what
    /// is known of them stays until these find otherwise.
    fn follow(&mut self, targets: &[&Arc<Target>], checks: Option<&Arc<Checks>>) {
        if targets.len() == self.checking.len()
            && let Some(checks) = checks
            && targets.iter().all(|target| self.is_checked(target, checks))
        {
            return;
        }
        let members: HashSet<*const Target> = targets.iter().map(|target| Arc::as_ptr(target)).collect();
        self.checking.retain(|place, checking| {
            let stays = checks.is_some() && members.contains(place);
            if !stays {
                let now = Moment::of(Instant::now());
                checking.target.standing.set_checked(Checked::Unknown, now);
            }
            stays
        });
        let Some(checks) = checks else { return };
        for target in targets {
            if !self.is_checked(target, checks) {
                let begun = Checking::begin((*target).clone(), checks.clone(), self.whose.clone());
                self.checking.insert(Arc::as_ptr(target), begun);
            }
        }
    }

    fn is_checked(&self, target: &Arc<Target>, checks: &Checks) -> bool {
        let checking = self.checking.get(&Arc::as_ptr(target));
        checking.is_some_and(|checking| checking.checks.same_as(checks))
    }

    /// Ejects those who are outliers by now.
    fn judge(&mut self, targets: &[&Arc<Target>], rules: &Rules) {
        let instant = Instant::now();
        let now = Moment::of(instant);
        let Some(settings) = &rules.outlier else {
            // Nobody stays out by rules that are no longer there.
            for target in targets
                .iter()
                .filter(|target| target.standing.ejected_until(now).is_some())
            {
                target.standing.readmit(now);
            }
            self.window_ends = None;
            return;
        };
        let judged: Vec<(&Standing, &Outlier)> = targets.iter().map(|it| (&it.standing, &it.outlier)).collect();
        let mut ejected = judge_streaks(settings, &judged, now);
        if self.window_ends.is_some_and(|ends| ends <= instant) {
            ejected.extend(judge_window(settings, &judged, now));
            self.window_ends = None;
        }
        for ejection in ejected {
            self.eject(targets[ejection.at], &ejection, instant);
        }
        // Without a rule that counts and an ejection to be made good, there is nothing to wake for.
        let counts = settings.error_rate.is_some() || settings.latency.is_some();
        if self.window_ends.is_none() && (counts || judged.iter().any(|(_, outlier)| outlier.is_on_probation())) {
            self.window_ends = Some(instant + rules.window);
        }
    }

    fn eject(&mut self, target: &Arc<Target>, ejection: &Ejection, now: Instant) {
        let Ejection { evidence, length, .. } = ejection;
        target.health.ejected(evidence);
        let Journal { warn, .. } = self.whose.journal;
        let (service, url) = (&self.whose.service, &target.label);
        warn(&format!(
            "service {service}: {url} is ejected for {length:?}: {evidence}"
        ));
        self.out.push((target.clone(), now + *length));
    }

    /// Tells of those whose ejection is over.
    fn take_back(&mut self) {
        let now = Moment::of(Instant::now());
        let Journal { info, .. } = self.whose.journal;
        let service = &self.whose.service;
        self.out.retain(|(target, _)| {
            let out = target.standing.ejected_until(now).is_some();
            if !out {
                info(&format!("service {service}: {} is ejected no longer", target.label));
            }
            out
        });
    }
}
