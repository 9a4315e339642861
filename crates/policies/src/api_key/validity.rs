//! When a key is good.

use std::time::UNIX_EPOCH;

use portcullis_config::units::Moment;
use portcullis_core::Ctx;

use super::Refusal;

/// Milliseconds since 1970.
pub(super) type Millis = i64;

/// The time of a key: from its first millisecond on, and until its last one is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Validity {
    from: Millis,
    until: Millis,
}

impl Validity {
    pub(super) fn new(from: Option<Millis>, until: Option<Millis>) -> Validity {
        Validity {
            from: from.unwrap_or(Millis::MIN),
            until: until.unwrap_or(Millis::MAX),
        }
    }

    /// The time that both the consumer and its key have.
    ///
    /// # Errors
    /// When there is none.
    pub(super) fn of_both([consumer, key]: [(Option<Moment>, Option<Moment>); 2]) -> Result<Validity, &'static str> {
        let validity = Validity::new(
            consumer.0.max(key.0).map(Moment::millis),
            [consumer.1, key.1].into_iter().flatten().min().map(Moment::millis),
        );
        if validity.from >= validity.until {
            return Err("is never good: it expires before it begins");
        }
        Ok(validity)
    }

    pub(super) fn judge(self, now: Millis) -> Result<(), Refusal> {
        if now < self.from {
            Err(Refusal::NotYet)
        } else if now >= self.until {
            Err(Refusal::Expired)
        } else {
            Ok(())
        }
    }
}

/// When a request came.
pub(super) fn now(cx: &Ctx) -> Millis {
    let since = cx.received.duration_since(UNIX_EPOCH).unwrap_or_default();
    Millis::try_from(since.as_millis()).unwrap_or(Millis::MAX)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_the_time_that_its_consumer_has_too() {
        let at = |second: u64| Some(Moment::from_seconds(second));
        for (both, good) in [
            ([(None, None), (None, None)], Some((0, i64::MAX / 2))),
            ([(at(1), at(9)), (None, None)], Some((1000, 8999))),
            ([(None, None), (at(1), at(9))], Some((1000, 8999))),
            ([(at(1), at(9)), (at(2), at(8))], Some((2000, 7999))),
            ([(at(2), at(8)), (at(1), at(9))], Some((2000, 7999))),
            ([(at(1), at(5)), (at(5), at(9))], None),
        ] {
            let Some((first, last)) = good else {
                assert!(Validity::of_both(both).is_err());
                continue;
            };
            let validity = Validity::of_both(both).unwrap();
            assert_eq!((validity.judge(first), validity.judge(last)), (Ok(()), Ok(())));
            if both[0].0.is_some() || both[1].0.is_some() {
                assert_eq!(validity.judge(first - 1), Err(Refusal::NotYet));
                assert_eq!(validity.judge(last + 1), Err(Refusal::Expired));
            }
        }
    }
}
