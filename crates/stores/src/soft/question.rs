//! What is asked of the soft store, and what it answers: requests judged under limits, all in one round trip.

use std::time::Duration;

use super::wire::{self, Reply};

/// What the server runs: it judges and counts at once, so that no other request comes between.
pub(super) const SCRIPT: &str = include_str!("judge.lua");

/// In place of a time: it will never come.
pub const NEVER: u64 = u64::MAX;

/// Limits of a request. It passes, and is counted, if all let it.
#[derive(Clone, Debug, Default)]
pub struct Question {
    keys: Vec<u8>,
    arguments: Vec<u8>,
    limits: usize,
    parts: usize,
    quotas: usize,
}

/// So many in a period, and so many at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// How many, at least one.
    pub limit: u32,
    /// In how long, at least a microsecond.
    pub per: Duration,
    /// How many at once, at least one.
    pub burst: u32,
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Whether it may pass, and was counted.
    pub admitted: bool,
    /// How it stands with each quota of each limit, in the order in which they were asked.
    pub standings: Vec<Standing>,
}

/// How a request stands with one quota. Times are microseconds from now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Whether this quota refuses it.
    pub refused: bool,
    /// How many more may pass at once.
    pub remaining: u32,
    /// When it may pass, if it is refused ([`NEVER`] is possible); else when the whole burst will be there again.
    pub after: u64,
}

impl Question {
    /// Adds a limit: where it is counted, and what the request costs there.
    pub fn limit(&mut self, key: &[u8], cost: u32, quotas: &[Quota]) {
        wire::part(&mut self.keys, key);
        self.limits += 1;
        self.quotas += quotas.len();
        let mut numbers = itoa::Buffer::new();
        let mut argument = |number: u128| {
            wire::part(&mut self.arguments, numbers.format(number).as_bytes());
            self.parts += 1;
        };
        argument(u128::from(cost));
        argument(quotas.len() as u128);
        for quota in quotas {
            argument(u128::from(quota.limit));
            argument(quota.per.as_micros().max(1));
            argument(u128::from(quota.burst));
        }
    }

    /// How many quotas the answer tells of.
    pub(super) fn quotas(&self) -> usize {
        self.quotas
    }

    /// Writes it as a command that runs the script, which is named in one of the two ways.
    pub(super) fn write(&self, out: &mut Vec<u8>, command: &[u8], script: &[u8]) {
        wire::begin(out, 3 + self.limits + self.parts);
        wire::part(out, command);
        wire::part(out, script);
        wire::part(out, itoa::Buffer::new().format(self.limits).as_bytes());
        out.extend_from_slice(&self.keys);
        out.extend_from_slice(&self.arguments);
    }
}

impl Answer {
    /// Reads what the script gives for so many quotas; `None` when it is something else.
    pub(super) fn read(reply: &Reply, quotas: usize) -> Option<Answer> {
        let Reply::List(values) = reply else {
            return None;
        };
        let mut numbers = values.iter().map(|value| match value {
            Reply::Number(number) => Some(*number),
            _ => None,
        });
        let admitted = numbers.next()?? == 1;
        let mut standings = Vec::with_capacity(quotas);
        for _ in 0..quotas {
            let (refused, remaining, after) = (numbers.next()??, numbers.next()??, numbers.next()??);
            standings.push(Standing {
                refused: refused == 1,
                remaining: u32::try_from(remaining.max(0)).unwrap_or(u32::MAX),
                after: u64::try_from(after).unwrap_or(NEVER),
            });
        }
        numbers.next().is_none().then_some(Answer { admitted, standings })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_one_command() {
        let mut question = Question::default();
        let quota = |limit, seconds, burst| Quota {
            limit,
            per: Duration::from_secs(seconds),
            burst,
        };
        question.limit(b"a", 2, &[quota(10, 1, 3), quota(100, 60, 100)]);
        question.limit(b"b", 1, &[quota(5, 1, 5)]);
        assert_eq!(question.quotas(), 3);
        let mut out = Vec::new();
        question.write(&mut out, b"EVALSHA", b"0123");
        let parts: Vec<&str> = std::str::from_utf8(&out)
            .expect("it is text")
            .split("\r\n")
            .filter(|part| !part.starts_with('$'))
            .collect();
        assert_eq!(
            parts.join(" "),
            "*18 EVALSHA 0123 2 a b 2 2 10 1000000 3 100 60000000 100 1 1 5 1000000 5 "
        );
    }

    #[test]
    fn an_answer_is_of_the_form_that_was_asked_for() {
        let list = |numbers: &[i64]| Reply::List(numbers.iter().map(|number| Reply::Number(*number)).collect());
        let standing = |refused, remaining, after| Standing {
            refused,
            remaining,
            after,
        };
        let read = |reply: &Reply| Answer::read(reply, 2);
        assert_eq!(
            read(&list(&[0, 0, 7, 250, 1, 0, -1])),
            Some(Answer {
                admitted: false,
                standings: vec![standing(false, 7, 250), standing(true, 0, NEVER)],
            })
        );
        for wrong in [
            list(&[]),
            list(&[1, 0, 7, 250, 1, 0]),
            list(&[1, 0, 7, 250, 1, 0, 1, 1]),
            Reply::Nothing,
            Reply::List(vec![Reply::Nothing]),
        ] {
            assert_eq!(read(&wrong), None, "{wrong:?}");
        }
    }
}
