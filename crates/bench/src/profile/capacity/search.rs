//! Which rate to try next.

/// By which factor rates grow until one is bad.
const GROWTH: f64 = 1.5;

/// The lowest rate that is tried: one flow in ten seconds.
const LEAST: f64 = 0.1;

/// How near to where the limit is expected a rate is tried, in parts of the precision: one such rate on each side of it, and the
/// search is over.
const NEAR: f64 = 0.4;

/// What is known of a limit: a bracket, and perhaps where in it the limit should be.
#[derive(Debug)]
pub(super) struct Search {
    begin: f64,
    most: f64,
    precision: f64,
    good: Option<f64>,
    bad: Option<f64>,
    /// Whether it was the load generator that failed at the upper end of the bracket.
    unknown: bool,
    /// What the target served when it was asked too much.
    served: Option<f64>,
}

/// What a search has found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Known {
    /// The highest good rate, and the lowest bad one.
    Between { good: f64, bad: f64 },
    /// No rate that was allowed is bad.
    AtLeast { good: f64 },
    /// The load generator failed first.
    BelowGenerator { good: Option<f64>, unknown: f64 },
    /// No rate was good.
    None { bad: f64 },
    /// Nothing was tried.
    Nothing,
}

impl Search {
    pub(super) fn new(begin: f64, most: f64, precision: f64) -> Search {
        Search {
            begin: begin.clamp(LEAST.min(most), most),
            most,
            precision,
            good: None,
            bad: None,
            unknown: false,
            served: None,
        }
    }

    /// The next rate to try; nothing, when all is known.
    pub(super) fn next(&self) -> Option<f64> {
        match (self.good, self.bad) {
            (None, None) => Some(self.begin),
            (Some(good), None) => (good < self.most).then(|| (good * GROWTH).min(self.most)),
            (None, Some(bad)) => (bad > LEAST).then(|| self.below(bad).max(LEAST)),
            (Some(good), Some(bad)) => (bad > good * (1.0 + self.precision)).then(|| self.between(good, bad)),
        }
    }

    fn below(&self, bad: f64) -> f64 {
        let half = bad / 2.0;
        match self.served {
            // A target may serve less than it could when it is asked too much, but hardly more.
            Some(served) => (served * (1.0 - NEAR * self.precision)).clamp(half, bad * 0.95),
            None => half,
        }
    }

    fn between(&self, good: f64, bad: f64) -> f64 {
        let margin = 1.0 + self.precision / 4.0;
        let near = self.served.into_iter().flat_map(|served| {
            let distance = NEAR * self.precision;
            [served * (1.0 - distance), served * (1.0 + distance)]
        });
        near.filter(|rate| (good * margin..bad / margin).contains(rate))
            .min_by(f64::total_cmp)
            .unwrap_or_else(|| (good * bad).sqrt())
    }

    pub(super) fn good(&mut self, rate: f64) {
        self.good = Some(rate);
    }

    /// A rate was too much, and the target served so much of it, where that is known.
    pub(super) fn bad(&mut self, rate: f64, served: Option<f64>) {
        self.bad = Some(rate);
        self.unknown = false;
        self.served = served.or(self.served);
    }

    /// A rate was more than the load generator could do.
    pub(super) fn unknown(&mut self, rate: f64) {
        self.bad = Some(rate);
        self.unknown = true;
    }

    /// What is known by now.
    pub(super) fn known(&self) -> Known {
        match (self.good, self.bad) {
            (good, Some(unknown)) if self.unknown => Known::BelowGenerator { good, unknown },
            (Some(good), Some(bad)) => Known::Between { good, bad },
            (Some(good), None) => Known::AtLeast { good },
            (None, Some(bad)) => Known::None { bad },
            (None, None) => Known::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Searches for a limit that is known, and counts the steps.
    fn search(mut search: Search, limit: f64, says_what_it_serves: bool) -> (Known, usize) {
        let mut steps = 0;
        while let Some(rate) = search.next() {
            match rate <= limit {
                true => search.good(rate),
                false => search.bad(rate, says_what_it_serves.then_some(limit)),
            }
            steps += 1;
            assert!(steps < 200, "it never ends: {search:?}");
        }
        (search.known(), steps)
    }

    #[test]
    fn what_is_served_leads_to_the_limit_in_few_steps() {
        let (known, steps) = search(Search::new(250.0, 1e6, 0.02), 500.0, true);
        assert_eq!(
            known,
            Known::Between {
                good: 496.0,
                bad: 504.0
            }
        );
        assert_eq!(steps, 5);
    }

    #[test]
    fn the_highest_rate_may_be_good() {
        let (known, _) = search(Search::new(250.0, 450.0, 0.02), 500.0, true);
        assert_eq!(known, Known::AtLeast { good: 450.0 });
    }

    #[test]
    fn there_may_be_no_good_rate() {
        let (known, _) = search(Search::new(250.0, 450.0, 0.02), 0.0, false);
        assert_eq!(known, Known::None { bad: LEAST });
    }

    #[test]
    fn the_generator_may_fail_first() {
        let mut search = Search::new(100.0, 1e6, 0.02);
        while let Some(rate) = search.next() {
            match rate <= 300.0 {
                true => search.good(rate),
                false => search.unknown(rate),
            }
        }
        let Known::BelowGenerator { good: Some(good), .. } = search.known() else {
            panic!("{search:?}");
        };
        assert!((294.0..=300.0).contains(&good), "{good}");
    }

    proptest! {
        #[test]
        fn any_limit_is_found(limit in 0.2..900_000.0_f64, begin in 0.0..2e6_f64, precision in 0.001..0.5_f64, serves: bool) {
            let (known, _) = search(Search::new(begin, 1e6, precision), limit, serves);
            match known {
                Known::Between { good, bad } => {
                    prop_assert!(good <= limit && limit < bad);
                    prop_assert!(bad <= good * (1.0 + precision) * 1.000_001);
                }
                other => prop_assert!(false, "{other:?}"),
            }
        }
    }
}
