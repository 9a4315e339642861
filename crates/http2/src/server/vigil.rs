//! When a connection has waited long enough, and for what. Nothing here reads a clock.

use std::time::{Duration, Instant};

use portcullis_http1::server::Settings;

/// How long a client with requests in progress may be silent before it is asked whether it is there. Each request has
/// limits of its own for a client that stalls; this is for one that is gone without a word.
const SILENCE: Duration = Duration::from_secs(30);

/// How long it may take to answer.
const ANSWER: Duration = Duration::from_secs(20);

/// How long a connection that must end, and has no request in progress, waits for the client to see that too.
const FAREWELL: Duration = Duration::from_secs(5);

/// How long the last frame may take to go out when a connection is broken off.
const BREAK: Duration = Duration::from_secs(2);

/// What is known of a connection.
pub(super) struct Facts {
    pub(super) in_progress: usize,
    /// Since when there is no request in progress.
    pub(super) idle_since: Instant,
    /// Bytes that the client has sent.
    pub(super) received: u64,
    /// Since when the client is in the middle of a head.
    pub(super) head_since: Option<Instant>,
    /// Since when the client takes nothing of what it should.
    pub(super) blocked_since: Option<Instant>,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Wait,
    /// Ask the client whether it is there.
    Ask,
    /// Tell the client to send no more requests, and answer those that it has sent.
    Leave,
    /// Tell the client that it is at fault, and end.
    Break,
    /// End without a word.
    End,
}

/// Watches over a connection.
pub(super) struct Vigil {
    /// What the client had sent when it was last looked at, and when that was.
    heard: (u64, Instant),
    asked_at: Option<Instant>,
    left_at: Option<Instant>,
    broken_at: Option<Instant>,
}

impl Vigil {
    pub(super) fn new(now: Instant) -> Vigil {
        Vigil {
            heard: (0, now),
            asked_at: None,
            left_at: None,
            broken_at: None,
        }
    }

    pub(super) fn is_leaving(&self) -> bool {
        self.left_at.is_some()
    }

    pub(super) fn is_breaking(&self) -> bool {
        self.broken_at.is_some()
    }

    pub(super) fn leave(&mut self, now: Instant) -> Step {
        self.left_at = Some(now);
        Step::Leave
    }

    pub(super) fn break_off(&mut self, now: Instant) -> Step {
        self.left_at = Some(now);
        self.broken_at = Some(now);
        Step::Break
    }

    /// When it is time to look.
    pub(super) fn due(&self, facts: &Facts, settings: &Settings) -> Instant {
        if let Some(at) = self.broken_at {
            return at + BREAK;
        }
        let mut due = self.silence_due(facts, settings);
        if let Some(since) = facts.head_since {
            due = due.min(since + settings.head_timeout);
        }
        if let Some(since) = facts.blocked_since {
            due = due.min(since + settings.write_timeout);
        }
        due
    }

    /// What is to be done at this time, which is when something is due or later.
    pub(super) fn act(&mut self, facts: &Facts, settings: &Settings, now: Instant) -> Step {
        let is_over = |since: Option<Instant>, patience| since.is_some_and(|since| now >= since + patience);
        if is_over(self.broken_at, BREAK) || is_over(facts.blocked_since, settings.write_timeout) {
            return Step::End;
        }
        if is_over(facts.head_since, settings.head_timeout) && !self.is_breaking() {
            return self.break_off(now);
        }
        if now < self.silence_due(facts, settings) {
            return Step::Wait;
        }
        if facts.in_progress == 0 {
            return if self.is_leaving() { Step::End } else { self.leave(now) };
        }
        let (received, _) = std::mem::replace(&mut self.heard, (facts.received, now));
        match self.asked_at.take() {
            _ if received != facts.received => Step::Wait,
            Some(_) => Step::End,
            None => {
                self.asked_at = Some(now);
                Step::Ask
            }
        }
    }

    fn silence_due(&self, facts: &Facts, settings: &Settings) -> Instant {
        match (facts.in_progress, self.left_at, self.asked_at) {
            (0, None, _) => facts.idle_since + settings.idle_timeout,
            (0, Some(left_at), _) => left_at.max(facts.idle_since) + FAREWELL,
            (_, _, None) => self.heard.1 + SILENCE,
            (_, _, Some(asked_at)) => asked_at + ANSWER,
        }
    }
}

#[cfg(test)]
mod tests {
    use portcullis_http1::HeadLimits;

    use super::*;

    const SETTINGS: Settings = Settings {
        limits: HeadLimits {
            head_bytes: 1024,
            target_bytes: 256,
            fields: 16,
        },
        head_timeout: Duration::from_secs(10),
        body_timeout: Duration::from_secs(11),
        idle_timeout: Duration::from_secs(60),
        write_timeout: Duration::from_secs(12),
    };

    fn facts(start: Instant) -> Facts {
        Facts {
            in_progress: 0,
            idle_since: start,
            received: 0,
            head_since: None,
            blocked_since: None,
        }
    }

    /// What is done, and after how many seconds, until the end or for ten steps.
    fn course(start: Instant, mut vigil: Vigil, mut facts: impl FnMut(u64) -> Facts) -> Vec<(u64, Step)> {
        let mut steps = Vec::new();
        let mut second = 0;
        while steps.len() < 10 && steps.last().is_none_or(|(_, step)| *step != Step::End) {
            let facts = facts(second);
            second = (vigil.due(&facts, &SETTINGS) - start).as_secs().max(second);
            steps.push((
                second,
                vigil.act(&facts, &SETTINGS, start + Duration::from_secs(second)),
            ));
        }
        steps
    }

    #[test]
    fn an_idle_client_is_told_and_then_left() {
        let start = Instant::now();
        let steps = course(start, Vigil::new(start), |_| facts(start));
        assert_eq!(steps, [(60, Step::Leave), (65, Step::End)]);
    }

    #[test]
    fn a_silent_client_is_asked_and_then_left() {
        let start = Instant::now();
        let busy = || Facts {
            in_progress: 1,
            ..facts(start)
        };
        let steps = course(start, Vigil::new(start), |_| busy());
        assert_eq!(steps, [(30, Step::Ask), (50, Step::End)]);
        let steps = course(start, Vigil::new(start), |second| Facts {
            received: second,
            ..busy()
        });
        assert!(!steps.contains(&(50, Step::End)), "{steps:?}");
        assert_eq!(steps.len(), 10);
    }

    #[test]
    fn a_stalled_head_breaks_the_connection() {
        let start = Instant::now();
        let steps = course(start, Vigil::new(start), |_| Facts {
            head_since: Some(start),
            in_progress: 3,
            ..facts(start)
        });
        assert_eq!(steps, [(10, Step::Break), (12, Step::End)]);
    }

    #[test]
    fn a_client_that_takes_nothing_is_left() {
        let start = Instant::now();
        let steps = course(start, Vigil::new(start), |_| Facts {
            blocked_since: Some(start),
            in_progress: 3,
            ..facts(start)
        });
        assert_eq!(steps, [(12, Step::End)]);
    }

    #[test]
    fn requests_in_progress_are_finished_first() {
        let start = Instant::now();
        let mut vigil = Vigil::new(start);
        assert_eq!(vigil.leave(start), Step::Leave);
        let steps = course(start, vigil, |second| Facts {
            in_progress: usize::from(second < 100),
            received: second,
            idle_since: start + Duration::from_secs(second.min(100)),
            ..facts(start)
        });
        assert_eq!(steps.last(), Some(&(110, Step::End)), "{steps:?}");
    }
}
