//! What operators are told of services and their targets, and what they decide.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use portcullis_resilience::Moment;
use portcullis_resilience::members::Member;
use portcullis_resilience::standing::State;
use serde_json::Value;

use super::decisions::{Decision, Decisions, Refusal};
use super::discovery::{Parts, Place as Leads, Source};
use super::kept::Services;
use super::seating::Place;
use super::target::Target;

/// What operators are told of a target of a service.
#[derive(Clone, Debug)]
pub struct MemberTold {
    /// Its URL, as it was written or found.
    pub url: String,
    /// Where it is; nothing for a socket of this machine.
    pub address: Option<SocketAddr>,
    /// Its share.
    pub weight: u32,
    /// When its turn is.
    pub priority: u8,
    /// Whether it may get requests: `good`, `draining`, `failing` or `ejected`.
    pub state: &'static str,
    /// Why it may get none.
    pub why: Option<String>,
    /// Requests in progress, over all workers.
    pub in_progress: u32,
    /// How long it takes to answer; zero where nothing is known.
    pub latency: Duration,
    /// Connections that are open, over all workers.
    pub connections: u32,
    /// Who says that it is there: `file`, `dns`, `srv`, `discovery-file` or `operator`.
    pub source: &'static str,
    /// Since when it is there.
    pub since: SystemTime,
}

/// The states of targets, by the names that people are told.
pub const STATES: [&str; 4] = ["good", "draining", "failing", "ejected"];

impl Services {
    /// The names of the services in use, in their order.
    pub fn names(&self) -> Vec<String> {
        self.memberships.in_use().into_iter().map(|(name, _)| name).collect()
    }

    /// The targets of a service, in the order of its members; nothing where there is no such service.
    pub fn members(&self, service: &str) -> Option<Vec<MemberTold>> {
        let membership = self.memberships.find(service)?;
        Some(membership.seating.told())
    }

    /// How often something could not be found out of a service's targets, and how many are in each of [`STATES`].
    pub fn counts(&self) -> Vec<(String, u64, [u64; STATES.len()])> {
        let now = Moment::of(Instant::now());
        let told = |(name, membership): (String, Arc<super::membership::Membership>)| {
            let mut counts = [0; STATES.len()];
            for seat in membership.now().seats() {
                counts[state_of(&seat.member, now).0] += 1;
            }
            (name, membership.seating.failures(), counts)
        };
        self.memberships.in_use().into_iter().map(told).collect()
    }

    /// Takes an operator's decision on a service in. It holds through reloads.
    ///
    /// # Errors
    /// When there is no such service or target, or too much was decided.
    pub fn decide(&self, service: &str, decision: Decision) -> Result<(), Refusal> {
        let membership = self.memberships.find(service).ok_or(Refusal::NoService)?;
        membership.decide(decision)
    }

    /// What operators decided, by service, for the process that comes after this one.
    pub fn decisions(&self) -> Value {
        let decided = self.memberships.in_use().into_iter().filter_map(|(name, membership)| {
            let decisions = membership.seating.decisions();
            let written = serde_json::to_value(&decisions).ok()?;
            (!decisions.are_none()).then_some((name, written))
        });
        Value::Object(decided.collect())
    }

    /// Takes over what operators decided in the process before this one. Services that are no more are passed over.
    ///
    /// # Errors
    /// When it can't be understood.
    pub fn take_decisions(&self, decided: Value) -> Result<(), String> {
        let decided: BTreeMap<String, Decisions> =
            serde_json::from_value(decided).map_err(|error| format!("what operators decided is lost: {error}"))?;
        for (name, decisions) in decided {
            if let Some(membership) = self.memberships.find(&name) {
                membership.take_decisions(decisions);
            }
        }
        Ok(())
    }
}

/// What people are told of a seat.
pub(super) fn member(place: Place, now: Instant) -> MemberTold {
    let target = &place.target;
    let (state, why) = state_of(target, Moment::of(now));
    let by_name = Parts::of(&place.url).is_ok_and(|parts| matches!(parts.place, Leads::Name(..)));
    MemberTold {
        address: target.key.address,
        weight: place.weight,
        priority: place.priority,
        state: STATES[state],
        why,
        in_progress: target.in_progress(),
        latency: target.latency.get(),
        connections: target.connections(),
        source: match place.source {
            Source::File if by_name => "dns",
            Source::File => "file",
            Source::Srv => "srv",
            Source::DiscoveryFile => "discovery-file",
            Source::Operator => "operator",
        },
        since: place.since,
        url: place.url,
    }
}

/// Which of [`STATES`] a target is in, and why it may get no requests.
fn state_of(target: &Target, now: Moment) -> (usize, Option<String>) {
    match target.standing.state(now) {
        State::Good => (0, None),
        State::Draining => (1, Some("an operator takes it out of service".to_owned())),
        State::Failing => (2, Some(format!("its checks fail: {}", target.health.failure()))),
        State::Ejected(until) => {
            let left = until.since(now).as_secs_f64().ceil();
            (
                3,
                Some(format!("{}; it is tried again in {left} s", target.health.evidence())),
            )
        }
    }
}
