//! When to ask a silent server whether it is still there.

use std::time::Duration;

/// How often a connection is looked at. A server from which nothing comes on any stream for this long is asked by PING,
/// and has as long again to answer.
pub(super) const TICK: Duration = Duration::from_secs(20);

/// Looks from one PING to the next within one silence. gRPC servers end connections on which more than two PINGs come
/// within five minutes each of the one before while they send nothing, so the second one waits for longer than that; what
/// ends without a word meanwhile is found by TCP.
const TICKS_BETWEEN: u32 = 16;

/// What to do after a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// Nothing: all is well, or nobody waits.
    Rest,
    /// Ask the server.
    Ping,
    /// The server has not answered: the connection is dead.
    Dead,
}

/// What is known of a connection's silence.
#[derive(Debug, Default)]
pub(super) struct KeepAlive {
    silent: u32,
    asked: bool,
}

impl KeepAlive {
    /// The server answered.
    pub(super) fn answered(&mut self) {
        self.asked = false;
    }

    /// Looks at the connection: whether requests are in progress, and whether anything came for one since the last look.
    pub(super) fn look(&mut self, in_use: bool, heard: bool) -> Look {
        if !in_use || heard {
            self.silent = 0;
            return Look::Rest;
        }
        self.silent += 1;
        if self.asked && self.silent % TICKS_BETWEEN != 1 {
            return Look::Dead;
        }
        if self.silent % TICKS_BETWEEN == 1 && !self.asked {
            self.asked = true;
            return Look::Ping;
        }
        Look::Rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_without_requests_is_left_alone() {
        let mut keep_alive = KeepAlive::default();
        assert!((0..100).all(|_| keep_alive.look(false, false) == Look::Rest));
    }

    #[test]
    fn a_server_that_sends_is_not_asked() {
        let mut keep_alive = KeepAlive::default();
        assert!((0..100).all(|_| keep_alive.look(true, true) == Look::Rest));
    }

    #[test]
    fn a_silent_server_is_asked_once_and_then_rarely() {
        let mut keep_alive = KeepAlive::default();
        assert_eq!(keep_alive.look(true, false), Look::Ping);
        for _ in 1..TICKS_BETWEEN {
            keep_alive.answered();
            assert_eq!(keep_alive.look(true, false), Look::Rest);
        }
        assert_eq!(keep_alive.look(true, false), Look::Ping);
        assert!(TICK * TICKS_BETWEEN > Duration::from_secs(300));
    }

    #[test]
    fn a_server_that_does_not_answer_is_dead() {
        let mut keep_alive = KeepAlive::default();
        assert_eq!(keep_alive.look(true, false), Look::Ping);
        assert_eq!(keep_alive.look(true, false), Look::Dead);
    }

    #[test]
    fn one_that_sends_without_answering_yet_is_alive() {
        let mut keep_alive = KeepAlive::default();
        assert_eq!(keep_alive.look(true, false), Look::Ping);
        assert_eq!(keep_alive.look(true, true), Look::Rest);
        // It was asked before, and is not asked twice at a time.
        assert_eq!(keep_alive.look(true, false), Look::Rest);
        assert_eq!(keep_alive.look(true, false), Look::Dead);
    }
}
