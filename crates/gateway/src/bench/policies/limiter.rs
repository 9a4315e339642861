//! Limits of how often clients may ask: three times as much comes as may pass.

mod allowance;

use std::time::Duration;

use portcullis_bench::flow::Expect;
use portcullis_bench::flow::expect::Check;
use portcullis_bench::flow::scope::Scope;
use portcullis_bench::measured::RouteMeasured;
use portcullis_config::policy::rate_limit::RateLimitHeaders;

use self::allowance::Volume;
use super::asked::{Asked, good_or_refused};
use super::finding::{Finding, Refusals, good, lacking, of_answered, others, with_status};
use super::spike::{Spike, steady};
use super::{Bench, Tested};

pub(super) use self::allowance::Allowance;

/// The status of a refusal.
const REFUSED: u16 = 429;

/// What clocks and chance may add to what may pass.
const TOLERANCE: f64 = 0.02;

/// Connections of a spike.
const CONNECTIONS: usize = 32;

/// Tests the limit of a route.
///
/// # Errors
/// Why it can't be tested; that is told, and others are.
pub(super) fn test(bench: &mut Bench<'_>, asked: &Asked<'_>, allowance: &Allowance) -> Result<Tested, String> {
    let volume = allowance.volume()?;
    let gate = bench.gate()?;
    let flow = asked.flow(0, 1.0, &gate.address().to_string(), expect(allowance))?;
    let spike = Spike::on(&gate, vec![flow], vec![asked.name.clone()], CONNECTIONS);
    let phase = steady(format!("limit of {}", asked.name), volume.duration, volume.rate);
    let measured = spike.run(&[phase], bench.watch)?;
    let total = measured.phases.first().map(|phase| phase.total()).unwrap_or_default();
    let mut findings = judge(allowance, volume, &asked.name, &total);
    let refusals = Refusals {
        status: REFUSED,
        own: Duration::ZERO,
        when: "within the limit",
    };
    findings.extend(of_answered(&asked.objectives(), &asked.name, &total, &refusals));
    let mut remarks = vec![format!(
        "{}: its limit is {allowance}; {:.0} requests a second came for {} s.",
        asked.name,
        volume.rate,
        volume.duration.as_secs()
    )];
    remarks.extend(
        allowance
            .not_shown(volume.duration)
            .into_iter()
            .map(|what| format!("{}: {what}", asked.name)),
    );
    Ok(Tested {
        measured,
        findings,
        remarks,
    })
}

/// What a limit should have done with what came.
fn judge(allowance: &Allowance, volume: Volume, name: &str, all: &RouteMeasured) -> Vec<Finding> {
    let late = all.latency.max().unwrap_or_default();
    let most = (allowance.passes_in(volume.duration + late) * (1.0 + TOLERANCE)).floor();
    let least = allowance.passes_at_least(volume, late);
    let (admitted, refused) = (good(all), with_status(all, REFUSED));
    let route = Some(name);
    let mut findings = vec![
        Finding::certain(
            route,
            format!("at most {most} pass the limit"),
            format!("{admitted} of {}", all.ended),
            admitted as f64 <= most,
        ),
        Finding::certain(
            route,
            format!("at least {least} pass the limit"),
            format!("{admitted} of {}", all.ended),
            admitted as f64 >= least,
        )
        .by_generator(),
    ];
    let others = others(all, &[REFUSED]);
    let met = others.is_none() && admitted + refused == all.ended;
    let told = others.unwrap_or_else(|| format!("{admitted} and {refused}"));
    findings.push(Finding::certain(route, "answers are good, or 429", told, met));
    let promised = match allowance.headers {
        None | Some(RateLimitHeaders::Off) => "429 has Retry-After",
        Some(_) => "429 has Retry-After, and all tell of the limit",
    };
    let lacking = lacking(all);
    let met = lacking.is_none() && refused > 0;
    let told = lacking.unwrap_or_else(|| match refused {
        0 => "nothing was refused".to_owned(),
        refused => format!("all of {refused}"),
    });
    findings.push(Finding::certain(route, promised, told, met));
    findings
}

/// A good answer or a refusal, which tell of the limit what they should.
fn expect(allowance: &Allowance) -> Expect {
    let mut expect = good_or_refused(REFUSED, "rate_limited");
    let promised: &[&str] = match allowance.headers {
        Some(RateLimitHeaders::Ietf11) => &["RateLimit", "RateLimit-Policy"],
        Some(RateLimitHeaders::Legacy) => &["X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"],
        Some(RateLimitHeaders::Off) | None => &[],
    };
    let promised = promised.iter().map(|name| Check::header(name, "*", &Scope::default()));
    expect.checks.extend(promised.flatten());
    expect
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use portcullis_bench::outcome::Failure;

    use super::allowance::tests::allowance;
    use super::*;

    /// What came of a spike of 45 a second for 2 seconds on `10/1s`, which lets 30 pass.
    fn judged(admitted: u64, refused: u64, odd: u64) -> Vec<bool> {
        let allowance = allowance(&[("10/1s", 10, 1)]);
        let mut all = RouteMeasured {
            ended: admitted + refused + odd,
            statuses: [(200, admitted), (429, refused), (500, odd)].into(),
            ..RouteMeasured::default()
        };
        all.statuses.retain(|_, count| *count > 0);
        all.latency.record_many(Duration::from_millis(1), all.ended);
        if odd > 0 {
            all.fail(Failure::Status, "500", odd);
        }
        let findings = judge(&allowance, allowance.volume().unwrap(), "/a", &all);
        findings.iter().map(|finding| finding.judged.met).collect()
    }

    #[test]
    fn one_too_many_is_too_many() {
        assert_eq!(judged(30, 60, 0), [true; 4]);
        assert_eq!(judged(31, 59, 0), [false, true, true, true]);
        assert_eq!(judged(26, 64, 0), [true, true, true, true]);
        assert_eq!(
            judged(20, 70, 0),
            [true, false, true, true],
            "a limit that is too strict"
        );
        assert_eq!(judged(29, 60, 1), [true, true, false, true]);
        assert_eq!(judged(90, 0, 0), [false, true, true, false], "no limit at all");
    }

    #[test]
    fn a_refusal_has_to_say_when_to_come_again() {
        let allowance = allowance(&[("10/1s", 10, 1)]);
        let mut all = RouteMeasured {
            ended: 90,
            statuses: [(200, 30), (429, 60)].into(),
            ..RouteMeasured::default()
        };
        all.latency.record_many(Duration::from_millis(1), 90);
        all.fail(Failure::Check, "field Retry-After is there", 2);
        let findings = judge(&allowance, allowance.volume().unwrap(), "/a", &all);
        let last = &findings.last().unwrap().judged;
        assert!(!last.met && last.measured.contains("Retry-After"), "{last:?}");
    }
}
