//! What is known of a service's targets: where they come from, what of it was answered, and what targets that makes. It does
//! no I/O and is given the time.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use portcullis_config::service::Target;
use portcullis_config::service::discover::Scheme;
use tokio::time::Instant;

use super::place::{Parts, Place};
use super::resolver::Oracle;
use super::turns::{Next, Outcome, Question, Record, Turns};
use super::{Found, Source};

/// Where the targets of a service come from.
#[derive(Clone)]
pub(in crate::service) struct Sources {
    /// Those that the configuration lists.
    pub(in crate::service) targets: Vec<Target>,
    /// Those that operators added.
    pub(in crate::service) added: Vec<Target>,
    /// What else there is.
    pub(in crate::service) more: Option<More>,
    /// Who is asked for names.
    pub(in crate::service) oracle: Arc<dyn Oracle>,
}

impl Sources {
    /// Whether any of them needs DNS.
    pub(in crate::service) fn have_names(&self) -> bool {
        let named = |target: &Target| Parts::of(&target.url).is_ok_and(|parts| matches!(parts.place, Place::Name(..)));
        matches!(self.more, Some(More::Srv(..))) || self.targets.iter().chain(&self.added).any(named)
    }
}

/// Where targets come from that aren't listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::service) enum More {
    /// A file.
    File(PathBuf),
    /// SRV records.
    Srv(String, Scheme),
}

/// What is known of a service's targets.
pub(super) struct State {
    sources: Sources,
    names: HashMap<Question, Known>,
    /// What the file says, once it was read.
    file: Option<Vec<Target>>,
    /// Whether the file was looked at.
    file_seen: bool,
    told: Option<(Vec<Found>, bool)>,
}

#[derive(Default)]
struct Known {
    turns: Turns,
    /// When it is to be asked; nothing while it is.
    due: Option<Instant>,
}

impl State {
    /// Nothing is known yet.
    pub(super) fn new(sources: Sources, now: Instant) -> State {
        let mut state = State {
            sources,
            names: HashMap::new(),
            file: None,
            file_seen: false,
            told: None,
        };
        state.look_for_questions(now);
        state
    }

    pub(super) fn sources(&self) -> &Sources {
        &self.sources
    }

    /// Targets come from elsewhere now. What is known stays known.
    pub(super) fn put(&mut self, sources: Sources, now: Instant) {
        if self.sources.more != sources.more {
            self.file = None;
            self.file_seen = false;
        }
        self.sources = sources;
        self.look_for_questions(now);
    }

    /// The file that is to be watched.
    pub(super) fn file(&self) -> Option<&PathBuf> {
        match &self.sources.more {
            Some(More::File(path)) => Some(path),
            _ => None,
        }
    }

    /// What is to be asked now; it counts as asked from then on.
    pub(super) fn due(&mut self, now: Instant) -> Vec<Question> {
        let mut due = Vec::new();
        for (question, known) in &mut self.names {
            if known.due.is_some_and(|at| at <= now) {
                known.due = None;
                due.push(question.clone());
            }
        }
        due
    }

    /// When the next question is due.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.names.values().filter_map(|known| known.due).min()
    }

    /// Asks again what was asked and will never be answered.
    pub(super) fn forget_asked(&mut self, now: Instant) {
        for known in self.names.values_mut() {
            known.due.get_or_insert(now);
        }
    }

    /// Takes in what came of a question; nothing follows where nobody wants to know any more. `random` lies between 0 and 1.
    pub(super) fn answered(
        &mut self,
        question: &Question,
        outcome: Outcome,
        now: Instant,
        random: f64,
    ) -> Option<Next> {
        let known = self.names.get_mut(question)?;
        let next = known.turns.take(outcome, random);
        known.due = Some(now + next.after);
        if next.changed {
            self.look_for_questions(now);
        }
        Some(next)
    }

    /// Whether there ever was a good answer.
    pub(super) fn is_known(&self, question: &Question) -> bool {
        self.names
            .get(question)
            .is_some_and(|known| !known.turns.records().is_empty())
    }

    /// Takes in what the file says; nothing where it can't be used: then what it said before holds.
    pub(super) fn file_read(&mut self, targets: Option<Vec<Target>>, now: Instant) {
        self.file_seen = true;
        if let Some(targets) = targets {
            self.file = Some(targets);
            self.look_for_questions(now);
        }
    }

    /// The targets, and whether something hasn't been heard of, when either is another than when this was asked last; or
    /// `anyway`.
    pub(super) fn untold(&mut self, anyway: bool) -> Option<(Vec<Found>, bool)> {
        let now = (self.found(), self.is_pending());
        if !anyway && self.told.as_ref() == Some(&now) {
            return None;
        }
        self.told = Some(now.clone());
        Some(now)
    }

    /// Whether something hasn't been heard of for the first time.
    pub(super) fn is_pending(&self) -> bool {
        (self.file().is_some() && !self.file_seen) || self.names.values().any(|known| known.turns.is_pending())
    }

    /// Whether something has to be watched at all.
    pub(super) fn is_moving(&self) -> bool {
        self.file().is_some() || !self.names.is_empty()
    }

    /// The targets as they are known now. Of several that lead to the same place, the one that an operator added goes first,
    /// then the one that the configuration lists.
    pub(super) fn found(&self) -> Vec<Found> {
        let mut seen = HashSet::new();
        let mut found = Vec::new();
        for item in self.items() {
            let Ok(parts) = Parts::of(&item.url) else { continue };
            let mut add = |address: Option<SocketAddr>| {
                if seen.insert((item.url.clone(), address)) {
                    found.push(Found {
                        url: item.url.clone(),
                        address,
                        weight: item.weight,
                        priority: item.priority,
                        source: item.source,
                    });
                }
            };
            match parts.place {
                Place::Unix(_) => add(None),
                Place::Address(address) => add(Some(address)),
                Place::Name(host, port) => {
                    for address in self.addresses(&item.question(host)) {
                        add(Some(SocketAddr::new(address, port)));
                    }
                }
            }
        }
        found
    }

    fn addresses(&self, question: &Question) -> impl Iterator<Item = std::net::IpAddr> {
        let records = self.names.get(question).map(|known| known.turns.records());
        records.unwrap_or_default().iter().filter_map(|record| match record {
            Record::Address(address) => Some(*address),
            Record::Service { .. } => None,
        })
    }

    fn items(&self) -> Vec<Item> {
        let of = |source: Source| {
            move |target: &Target| Item {
                url: target.url.clone(),
                weight: target.weight,
                priority: target.priority,
                source,
            }
        };
        let mut items: Vec<Item> = self.sources.added.iter().map(of(Source::Operator)).collect();
        items.extend(self.sources.targets.iter().map(of(Source::File)));
        items.extend(self.file.iter().flatten().map(of(Source::DiscoveryFile)));
        if let Some(More::Srv(name, scheme)) = &self.sources.more {
            let known = self.names.get(&Question::Services(name.clone()));
            items.extend(items_of_srv(known.map_or(&[], |known| known.turns.records()), *scheme));
        }
        items
    }

    /// Begins to ask what has to be known for the targets, and forgets what hasn't any more.
    fn look_for_questions(&mut self, now: Instant) {
        let mut wanted = HashSet::new();
        if let Some(More::Srv(name, _)) = &self.sources.more {
            wanted.insert(Question::Services(name.clone()));
        }
        for item in self.items() {
            if let Ok(Parts {
                place: Place::Name(host, _),
                ..
            }) = Parts::of(&item.url)
            {
                wanted.insert(item.question(host));
            }
        }
        self.names.retain(|question, _| wanted.contains(question));
        for question in wanted {
            self.names.entry(question).or_insert_with(|| Known {
                turns: Turns::default(),
                due: Some(now),
            });
        }
    }
}

/// A target before its name is resolved.
struct Item {
    url: String,
    weight: u32,
    priority: u8,
    source: Source,
}

impl Item {
    /// The question for the addresses of its host. Names in records are whole: no search domain is tried with them.
    fn question(&self, host: &str) -> Question {
        Question::Addresses(match self.source {
            Source::Srv => format!("{host}."),
            _ => host.to_ascii_lowercase(),
        })
    }
}

/// The largest weight of a target.
const MOST_WEIGHT: u32 = 1000;

/// The lowest priority of a target.
const LAST_PRIORITY: u8 = 7;

/// What SRV records say of targets. Their weights are kept where they fit beside each other; otherwise they are brought into
/// our range, in which a weight of zero (of which RFC 2782 says that it gets a very small share) is the smallest one.
fn items_of_srv(records: &[Record], scheme: Scheme) -> Vec<Item> {
    let services = records.iter().filter_map(|record| match record {
        Record::Service {
            priority,
            weight,
            host,
            port,
        } => Some((*priority, u32::from(*weight), host, *port)),
        Record::Address(_) => None,
    });
    let services: Vec<_> = services.filter(|(_, _, _, port)| *port != 0).collect();
    let mut ranks: Vec<u16> = services.iter().map(|(priority, ..)| *priority).collect();
    ranks.sort_unstable();
    ranks.dedup();
    let weights = || services.iter().map(|(_, weight, ..)| *weight);
    let largest = weights().max().unwrap_or(0);
    let fit = largest <= MOST_WEIGHT && weights().min().is_none_or(|least| least > 0);
    let weight = |weight: u32| match fit || largest == 0 {
        true => weight.max(1),
        false => (weight * MOST_WEIGHT / largest).max(1),
    };
    let rank = |priority: u16| ranks.iter().position(|rank| *rank == priority).unwrap_or(0);
    services
        .iter()
        .map(|(priority, written, host, port)| Item {
            url: format!("{}://{host}:{port}", scheme.as_str()),
            weight: weight(*written),
            priority: u8::try_from(rank(*priority)).map_or(LAST_PRIORITY, |rank| rank.min(LAST_PRIORITY)),
            source: Source::Srv,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::resolver::Asking;
    use super::super::turns::Answer;
    use super::*;

    /// Nobody who is asked here.
    struct Silent;

    impl Oracle for Silent {
        fn ask(self: Arc<Self>, _: Question) -> Asking {
            Box::pin(std::future::pending())
        }
    }

    fn target(url: &str, weight: u32) -> Target {
        Target {
            url: url.to_owned(),
            weight,
            priority: 0,
        }
    }

    fn sources(urls: &[&str], more: Option<More>) -> Sources {
        Sources {
            targets: urls.iter().map(|url| target(url, 1)).collect(),
            added: Vec::new(),
            more,
            oracle: Arc::new(Silent),
        }
    }

    fn addresses(addresses: &[&str]) -> Outcome {
        records(
            addresses
                .iter()
                .map(|it| Record::Address(it.parse().expect("an address")))
                .collect(),
        )
    }

    fn records(records: Vec<Record>) -> Outcome {
        Ok(Answer {
            records,
            lasts: Duration::from_secs(10),
            unheard: None,
        })
    }

    fn service(priority: u16, weight: u16, host: &str) -> Record {
        Record::Service {
            priority,
            weight,
            host: host.to_owned(),
            port: 9000,
        }
    }

    fn shown(state: &State) -> Vec<String> {
        let found = state.found();
        let address = |found: &Found| {
            found
                .address
                .map_or_else(|| "-".to_owned(), |address| address.to_string())
        };
        found
            .iter()
            .map(|it| format!("{} {} {}/{}", it.url, address(it), it.weight, it.priority))
            .collect()
    }

    fn name(name: &str) -> Question {
        Question::Addresses(name.to_owned())
    }

    #[test]
    fn a_name_is_a_target_for_each_of_its_addresses() {
        let now = Instant::now();
        let mut state = State::new(
            sources(&["http://10.0.0.1:80", "https://Shop.test", "unix:/x"], None),
            now,
        );
        assert_eq!(shown(&state), ["http://10.0.0.1:80 10.0.0.1:80 1/0", "unix:/x - 1/0"]);
        assert!(state.is_pending());
        assert_eq!(state.due(now), [name("shop.test")]);
        assert_eq!(state.due(now), [], "it is asked once");
        state.answered(&name("shop.test"), addresses(&["10.1.0.2", "fd00::1"]), now, 0.0);
        assert!(!state.is_pending());
        let found = shown(&state);
        assert_eq!(
            found[1..3],
            [
                "https://Shop.test 10.1.0.2:443 1/0",
                "https://Shop.test [fd00::1]:443 1/0"
            ]
        );
        assert_eq!(state.due(now + Duration::from_secs(9)), []);
        assert_eq!(state.next_due(), Some(now + Duration::from_secs(10)));
        assert_eq!(state.due(now + Duration::from_secs(10)), [name("shop.test")]);
        state.answered(&name("shop.test"), Err("broken".to_owned()), now, 0.0);
        assert_eq!(shown(&state), found, "the last answer holds");
    }

    #[test]
    fn what_is_known_stays_known_when_targets_come_from_elsewhere() {
        let now = Instant::now();
        let mut state = State::new(sources(&["http://a.test", "http://b.test"], None), now);
        assert_eq!(state.due(now).len(), 2);
        state.answered(&name("a.test"), addresses(&["10.0.0.1"]), now, 0.0);
        state.put(sources(&["http://a.test:81", "http://c.test"], None), now);
        assert_eq!(shown(&state), ["http://a.test:81 10.0.0.1:81 1/0"]);
        assert_eq!(state.due(now), [name("c.test")]);
        assert_eq!(
            state.answered(&name("b.test"), addresses(&["10.0.0.2"]), now, 0.0),
            None
        );
        state.put(sources(&["http://10.0.0.9"], None), now);
        assert!(!state.is_moving());
    }

    #[test]
    fn srv_records_are_targets_whose_names_are_whole() {
        let now = Instant::now();
        let srv = "_http._tcp.shop.test".to_owned();
        let mut state = State::new(sources(&[], Some(More::Srv(srv.clone(), Scheme::Https))), now);
        assert_eq!(state.due(now), [Question::Services(srv.clone())]);
        let services = vec![
            service(20, 5, "two.test"),
            service(10, 3, "one.test"),
            service(10, 1, "one.test"),
        ];
        state.answered(&Question::Services(srv), records(services), now, 0.0);
        assert!(state.is_pending());
        let mut due = state.due(now);
        due.sort_by_key(|question| format!("{question:?}"));
        assert_eq!(due, [name("one.test."), name("two.test.")]);
        state.answered(&name("one.test."), addresses(&["10.0.0.1"]), now, 0.0);
        state.answered(&name("two.test."), addresses(&["10.0.0.2"]), now, 0.0);
        assert_eq!(
            shown(&state),
            [
                "https://one.test:9000 10.0.0.1:9000 1/0",
                "https://two.test:9000 10.0.0.2:9000 5/1"
            ],
        );
    }

    #[test]
    fn weights_and_priorities_are_brought_into_our_range() {
        let check = |records: &[Record], expected: &[(u32, u8)]| {
            let items = items_of_srv(records, Scheme::Http);
            let found: Vec<_> = items.iter().map(|item| (item.weight, item.priority)).collect();
            assert_eq!(found, expected);
        };
        check(&[service(0, 0, "a"), service(0, 0, "b")], &[(1, 0), (1, 0)]);
        check(&[service(0, 0, "a"), service(0, 10, "b")], &[(1, 0), (1000, 0)]);
        check(&[service(5, 65_535, "a"), service(9, 30, "b")], &[(1000, 0), (1, 1)]);
        check(&[service(1, 60, "a"), service(1, 40, "b")], &[(60, 0), (40, 0)]);
        let many: Vec<Record> = (0..10).map(|priority| service(priority * 100, 1, "a")).collect();
        let ranks: Vec<u8> = items_of_srv(&many, Scheme::Http)
            .iter()
            .map(|item| item.priority)
            .collect();
        assert_eq!(ranks, [0, 1, 2, 3, 4, 5, 6, 7, 7, 7]);
    }

    #[test]
    fn of_two_that_lead_to_one_place_the_operators_goes_first() {
        let now = Instant::now();
        let mut of_both = sources(&["http://10.0.0.1", "http://10.0.0.1", "http://10.0.0.2"], None);
        of_both.added = vec![target("http://10.0.0.2", 7)];
        let state = State::new(of_both, now);
        assert_eq!(
            shown(&state),
            ["http://10.0.0.2 10.0.0.2:80 7/0", "http://10.0.0.1 10.0.0.1:80 1/0"]
        );
    }

    #[test]
    fn a_file_that_cannot_be_used_changes_nothing() {
        let now = Instant::now();
        let mut state = State::new(sources(&[], Some(More::File("targets.yaml".into()))), now);
        assert!(state.is_pending() && state.is_moving());
        state.file_read(Some(vec![target("http://10.0.0.1", 2)]), now);
        assert!(!state.is_pending());
        state.file_read(None, now);
        assert_eq!(shown(&state), ["http://10.0.0.1 10.0.0.1:80 2/0"]);
        state.put(sources(&[], Some(More::File("others.yaml".into()))), now);
        assert!(state.is_pending());
        assert_eq!(state.found(), []);
    }
}
