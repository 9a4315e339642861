//! From what was found and what operators decided to the seats of a service's members.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use portcullis_config::service::Service;
use portcullis_core::{Error, Result, codes};
use portcullis_resilience::Moment;
use portcullis_resilience::members::Seat;
use tokio::runtime::Handle;
use tokio::sync::Notify;

use super::decisions::{Decision, Decisions, Refusal};
use super::discovery::{Discovery, Found, Source, Sources};
use super::journal::Journal;
use super::membership::Membership;
use super::target::{Target, TargetKey, Targets};
use super::told::{self, MemberTold};

/// What a configuration says of the targets of a service.
#[derive(Clone)]
pub(super) struct Offer {
    /// What is written of the service.
    pub(super) written: Service,
    /// Where they come from.
    pub(super) sources: Sources,
    /// What all of them have in common: a key without URL and address.
    pub(super) common: TargetKey,
    /// From where paths of sockets start.
    pub(super) base: PathBuf,
    /// Where targets are found again that are in use.
    pub(super) targets: Arc<Targets>,
    pub(super) journal: Journal,
    /// Where is looked for them.
    pub(super) runtime: Handle,
}

impl Offer {
    /// The key of a target.
    pub(super) fn key(&self, url: &str, address: Option<std::net::SocketAddr>) -> TargetKey {
        TargetKey {
            url: match url.strip_prefix("unix:") {
                Some(path) => format!("unix:{}", self.base.join(path).display()),
                None => url.to_owned(),
            },
            address,
            ..self.common.clone()
        }
    }
}

/// Who sits where, and why.
#[derive(Default)]
pub(super) struct Seating {
    known: Mutex<Known>,
    /// Taken before `known`.
    discovery: Mutex<Option<Discovery>>,
    /// Says that there are members, or that there will be none for now.
    arrival: Notify,
}

#[derive(Default)]
struct Known {
    offer: Option<Arc<Offer>>,
    found: Vec<Found>,
    /// Whether something was not heard of for the first time.
    pending: bool,
    decisions: Decisions,
    places: Vec<Place>,
}

/// A seat, and how it came to be.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) target: Arc<Target>,
    pub(super) url: String,
    pub(super) weight: u32,
    pub(super) priority: u8,
    pub(super) source: Source,
    /// Since when it is there.
    pub(super) since: SystemTime,
}

impl Seating {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn discovery(&self) -> MutexGuard<'_, Option<Discovery>> {
        self.discovery.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How often something could not be found out.
    pub(super) fn failures(&self) -> u64 {
        self.discovery().as_ref().map_or(0, Discovery::failures)
    }

    /// The seats, in the order of the members.
    pub(super) fn places(&self) -> Vec<Place> {
        self.known().places.clone()
    }

    /// What people are told of the seats, in the order of the members.
    pub(super) fn told(&self) -> Vec<MemberTold> {
        let now = Instant::now();
        self.places()
            .into_iter()
            .map(|place| told::member(place, now))
            .collect()
    }

    /// What operators decided.
    pub(super) fn decisions(&self) -> Decisions {
        self.known().decisions.clone()
    }
}

impl Membership {
    /// Seats the targets that need no looking for, where no offer was made before, until this one takes effect. Nothing is
    /// asked or watched.
    pub(super) fn preview(&self, offer: &Arc<Offer>) {
        let mut known = self.seating.known();
        if known.offer.is_some() {
            return;
        }
        let (found, pending) = Discovery::at_once(&offer.sources);
        known.offer = Some(offer.clone());
        known.found = found;
        known.pending = pending;
        self.seat(&mut known);
    }

    /// Follows this offer from now on.
    pub(super) fn follow(self: &Arc<Self>, service: &str, offer: &Arc<Offer>) {
        let mut discovery = self.seating.discovery();
        let mut sources = offer.sources.clone();
        {
            let mut known = self.seating.known();
            known.offer = Some(offer.clone());
            sources.added.clone_from(&known.decisions.added);
        }
        match &*discovery {
            Some(discovery) => discovery.put(sources),
            None => {
                let membership = Arc::downgrade(self);
                let tell = move |found: &[Found], pending: bool| {
                    if let Some(membership) = membership.upgrade() {
                        membership.found(found, pending);
                    }
                };
                let runtime = offer.runtime.clone();
                *discovery = Some(Discovery::new(service, sources, Box::new(tell), offer.journal, runtime));
            }
        }
    }

    /// Takes an operator's decision in.
    pub(super) fn decide(&self, decision: Decision) -> std::result::Result<(), Refusal> {
        let discovery = self.seating.discovery();
        let (sources, changed) = {
            let mut known = self.seating.known();
            let known = &mut *known;
            let found = &known.found;
            let is_found = |url: &str| found.iter().any(|it| it.url == url && it.source != Source::Operator);
            let listed = |url: &str| {
                let offer = known.offer.as_ref();
                offer.is_some_and(|offer| offer.sources.targets.iter().any(|target| target.url == url))
            };
            let mut decisions = known.decisions.clone();
            decisions.decide(decision, |url| is_found(url) || listed(url))?;
            let added = decisions.added != known.decisions.added;
            known.decisions = decisions;
            self.seat(known);
            (known.sources(), added)
        };
        if let (Some(discovery), Some(sources), true) = (&*discovery, sources, changed) {
            discovery.put(sources);
        }
        Ok(())
    }

    /// Puts what operators decided before in place of what they decided.
    pub(super) fn take_decisions(&self, decisions: Decisions) {
        let discovery = self.seating.discovery();
        let sources = {
            let mut known = self.seating.known();
            known.decisions = decisions;
            self.seat(&mut known);
            known.sources()
        };
        if let (Some(discovery), Some(sources)) = (&*discovery, sources) {
            discovery.put(sources);
        }
    }

    /// Waits for the first members, while they are looked for.
    ///
    /// # Errors
    /// When there are none, and none will be for now.
    pub(super) async fn arrival(&self, patience: Duration) -> Result<()> {
        let due = tokio::time::Instant::now() + patience;
        loop {
            let arrival = self.seating.arrival.notified();
            let mut arrival = std::pin::pin!(arrival);
            // From here on nothing is missed.
            arrival.as_mut().enable();
            let (pending, named) = {
                let known = self.seating.known();
                // Nobody is seated while this is held.
                if !self.now().seats().is_empty() {
                    return Ok(());
                }
                let named = known.offer.as_ref().is_some_and(|offer| offer.sources.have_names());
                (known.pending, named && known.found.is_empty())
            };
            let unresolved = |why: &'static str| Error::new(&codes::UPSTREAM_DNS).with_cause(why);
            if !pending {
                return Err(match named {
                    true => unresolved("no name of the service resolves"),
                    false => Error::new(&codes::UPSTREAM_UNAVAILABLE),
                });
            }
            if tokio::time::timeout_at(due, arrival).await.is_err() {
                return Err(unresolved("no name of the service resolved in time"));
            }
        }
    }

    fn found(&self, found: &[Found], pending: bool) {
        let mut known = self.seating.known();
        known.found = found.to_vec();
        known.pending = pending;
        self.seat(&mut known);
    }

    /// Seats those who are there by all that is known.
    fn seat(&self, known: &mut Known) {
        let Some(offer) = &known.offer else { return };
        let (moment, now) = (Moment::of(Instant::now()), SystemTime::now());
        let mut places: Vec<Place> = Vec::new();
        for found in known.decisions.apply(&known.found) {
            let key = offer.key(&found.url, found.address);
            let target = match offer.targets.get(key, &self.pending) {
                Ok(target) => target,
                Err(why) => {
                    (offer.journal.warn)(&format!("service {}: {why}", offer.common.service));
                    continue;
                }
            };
            target.standing.set_draining(known.decisions.drains(&found.url), moment);
            let before = known.places.iter().find(|place| Arc::ptr_eq(&place.target, &target));
            places.push(Place {
                since: before.map_or(now, |place| place.since),
                target,
                url: found.url,
                weight: found.weight,
                priority: found.priority,
                source: found.source,
            });
        }
        let seats = places.iter().map(|place| Seat {
            member: place.target.clone(),
            weight: place.weight,
            priority: place.priority,
        });
        self.put(seats.collect());
        known.places = places;
        self.seating.arrival.notify_waiters();
    }
}

impl Known {
    /// Where targets come from, with those that operators added.
    fn sources(&self) -> Option<Sources> {
        let mut sources = self.offer.as_ref()?.sources.clone();
        sources.added.clone_from(&self.decisions.added);
        Some(sources)
    }
}
