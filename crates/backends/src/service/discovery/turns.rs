//! What is known of a name, turn by turn: the answer that holds, and when to ask again. It reads no clock.

use std::net::IpAddr;
use std::time::Duration;

/// What is asked of DNS.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::service) enum Question {
    /// The addresses of a name, A and AAAA. A dot at its end says that no search domain is to be tried.
    Addresses(String),
    /// The SRV records of a name.
    Services(String),
}

/// A record of an answer. The order of records in an answer means nothing, so they are kept in an order of our own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::service) enum Record {
    /// A or AAAA.
    Address(IpAddr),
    /// SRV (RFC 2782).
    Service {
        /// Those of the lowest number are asked first.
        priority: u16,
        /// Its share among those of its priority.
        weight: u16,
        /// The name of the server, without a dot at its end.
        host: String,
        /// Its port.
        port: u16,
    },
}

/// An answer, and for how long it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::service) struct Answer {
    /// None where the name has none of this kind.
    pub(in crate::service) records: Vec<Record>,
    /// The time to live of the record that ends first.
    pub(in crate::service) lasts: Duration,
    /// The family of which nothing was heard while the other answered.
    pub(in crate::service) unheard: Option<Family>,
}

/// A family of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::service) enum Family {
    /// Of A records.
    V4,
    /// Of AAAA records.
    V6,
}

/// What came of a question, or why nothing did.
pub(in crate::service) type Outcome = Result<Answer, String>;

/// An answer holds for this long at the least, even with a time to live of zero: that says only that it must not be cached for
/// others.
pub(in crate::service) const FLOOR: Duration = Duration::from_secs(1);

/// An answer is renewed after this long at the latest. Whoever moves a server and forgot to lower the time to live before
/// needn't wait for a day.
pub(in crate::service) const CEILING: Duration = Duration::from_secs(300);

/// How long after a failure a question is asked again: twice as long each time.
const AGAIN: Duration = Duration::from_millis(500);

/// How long after a failure a question is asked again at the latest.
const AGAIN_AT_THE_LATEST: Duration = Duration::from_secs(10);

/// Records of one answer that are looked at. Who needs more servers behind a name has a name for each part.
pub(in crate::service) const MOST: usize = 1000;

/// What is known of a name.
#[derive(Debug, Default)]
pub(in crate::service) struct Turns {
    records: Vec<Record>,
    answered: bool,
    failures: u32,
}

/// What follows from a turn.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::service) struct Next {
    /// When to ask again.
    pub(in crate::service) after: Duration,
    /// Whether other records hold now.
    pub(in crate::service) changed: bool,
    /// Whether there was no answer.
    pub(in crate::service) failed: bool,
    /// What somebody should be told.
    pub(in crate::service) news: Option<News>,
}

/// What somebody should be told of a turn. A failure that goes on is told once.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::service) enum News {
    /// Answers are missing, and why.
    Fails(String),
    /// There are answers again.
    Recovered,
    /// The answer had so many records, of which not all are used.
    TooMany(usize),
}

impl Turns {
    /// The records that hold: those of the last good answer.
    pub(in crate::service) fn records(&self) -> &[Record] {
        &self.records
    }

    /// Whether nothing has been heard yet, good or bad.
    pub(in crate::service) fn is_pending(&self) -> bool {
        !self.answered
    }

    /// Takes in what came of a question. `random` lies between 0 and 1 and keeps gates from asking all at once.
    ///
    /// An answer without records is taken for a failure: a name without servers would only turn each request into an error,
    /// and the servers of the last answer may still be there.
    pub(in crate::service) fn take(&mut self, outcome: Outcome, random: f64) -> Next {
        self.answered = true;
        let outcome = outcome.and_then(|answer| match answer.records.is_empty() {
            true => Err("it has no records".to_owned()),
            false => Ok(answer),
        });
        match outcome {
            Ok(answer) => self.answered(answer, random),
            Err(why) => self.failed(why, random),
        }
    }

    fn answered(&mut self, answer: Answer, random: f64) -> Next {
        let mut lasts = answer.lasts.clamp(FLOOR, CEILING);
        let mut records = answer.records;
        let unheard = |record: &&Record| match record {
            Record::Address(IpAddr::V4(_)) => answer.unheard == Some(Family::V4),
            Record::Address(IpAddr::V6(_)) => answer.unheard == Some(Family::V6),
            Record::Service { .. } => false,
        };
        let kept: Vec<Record> = self.records.iter().filter(unheard).cloned().collect();
        if !kept.is_empty() {
            records.extend(kept);
            lasts = lasts.min(AGAIN_AT_THE_LATEST);
        }
        records.sort_unstable();
        records.dedup();
        let count = records.len();
        records.truncate(MOST);
        let changed = records != self.records;
        self.records = records;
        let failures = std::mem::take(&mut self.failures);
        let news = match (failures, count > MOST && changed) {
            (_, true) => Some(News::TooMany(count)),
            (1.., false) => Some(News::Recovered),
            (0, false) => None,
        };
        Next {
            after: lasts.mul_f64(1.0 + random / 10.0),
            changed,
            failed: false,
            news,
        }
    }

    fn failed(&mut self, why: String, random: f64) -> Next {
        let doubled = AGAIN * (1 << self.failures.min(8));
        self.failures = self.failures.saturating_add(1);
        Next {
            after: doubled.min(AGAIN_AT_THE_LATEST).mul_f64(1.0 + random / 10.0),
            changed: false,
            failed: true,
            news: (self.failures == 1).then_some(News::Fails(why)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> Record {
        Record::Address([10, 0, 0, last].into())
    }

    fn answer(records: &[Record], seconds: u64) -> Outcome {
        Ok(Answer {
            records: records.to_vec(),
            lasts: Duration::from_secs(seconds),
            unheard: None,
        })
    }

    #[test]
    fn an_answer_holds_for_its_time_to_live_within_limits() {
        let check = |seconds: u64, random: f64, expected: f64| {
            let next = Turns::default().take(answer(&[address(1)], seconds), random);
            assert!((next.after.as_secs_f64() - expected).abs() < 1e-9, "{seconds} {next:?}");
        };
        check(30, 0.0, 30.0);
        check(30, 1.0, 33.0);
        check(0, 0.0, 1.0);
        check(86_400, 0.0, 300.0);
    }

    #[test]
    fn the_order_of_records_is_no_change() {
        let mut turns = Turns::default();
        assert!(turns.is_pending());
        assert!(turns.take(answer(&[address(2), address(1)], 5), 0.0).changed);
        assert!(!turns.is_pending());
        assert!(
            !turns
                .take(answer(&[address(1), address(2), address(1)], 5), 0.0)
                .changed
        );
        assert!(turns.take(answer(&[address(1), address(3)], 5), 0.0).changed);
        assert_eq!(turns.records(), [address(1), address(3)]);
    }

    #[test]
    fn the_last_good_answer_holds_through_failures_that_are_told_once() {
        let mut turns = Turns::default();
        turns.take(answer(&[address(1)], 5), 0.0);
        let fails = |why: &str| Some(News::Fails(why.to_owned()));
        let after = |seconds: f64| Duration::from_secs_f64(seconds);
        let mut turn = |outcome: Outcome| {
            let next = turns.take(outcome, 0.0);
            assert_eq!(turns.records(), [address(1)]);
            assert!(!next.changed);
            (next.after, next.news)
        };
        assert_eq!(turn(Err("timeout".to_owned())), (after(0.5), fails("timeout")));
        assert_eq!(turn(Err("timeout".to_owned())), (after(1.0), None));
        assert_eq!(turn(answer(&[], 60)), (after(2.0), None), "no address is no answer");
        for expected in [4.0, 8.0, 10.0, 10.0] {
            assert_eq!(turn(Err("refused".to_owned())), (after(expected), None));
        }
        assert_eq!(turn(answer(&[address(1)], 5)), (after(5.0), Some(News::Recovered)));
        assert_eq!(turn(answer(&[], 60)), (after(0.5), fails("it has no records")));
    }

    #[test]
    fn a_family_that_is_not_heard_of_stays() {
        let v6 = Record::Address("2001:db8::1".parse().expect("an address"));
        let mut turns = Turns::default();
        turns.take(answer(&[address(1), v6.clone()], 60), 0.0);
        let only_v4 = Ok(Answer {
            records: vec![address(2)],
            lasts: Duration::from_secs(60),
            unheard: Some(Family::V6),
        });
        let next = turns.take(only_v4, 0.0);
        assert_eq!(turns.records(), [address(2), v6]);
        assert_eq!(next.after, AGAIN_AT_THE_LATEST);
        turns.take(answer(&[address(2)], 60), 0.0);
        assert_eq!(turns.records(), [address(2)]);
    }

    #[test]
    fn an_answer_has_a_limit() {
        let many: Vec<Record> = (0..1200_u32)
            .map(|n| Record::Address(IpAddr::from(n.to_be_bytes())))
            .collect();
        let mut turns = Turns::default();
        assert_eq!(turns.take(answer(&many, 5), 0.0).news, Some(News::TooMany(1200)));
        assert_eq!(turns.records().len(), MOST);
        assert_eq!(turns.take(answer(&many, 5), 0.0).news, None);
    }
}
