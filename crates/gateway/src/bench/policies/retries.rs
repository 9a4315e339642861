//! Budgets of retries: a service fails every request, and is not buried under repetitions.

use std::time::Duration;

use portcullis_bench::flow::Expect;
use portcullis_bench::stand_in::{Behaviour, Failures, Fault, Which};
use portcullis_config::service::{Retry, RetryBudget, RetryOn};

use super::asked::Asked;
use super::finding::Finding;
use super::spike::{Spike, steady};
use super::{Bench, Tested};

/// How long how much comes. Each request could be repeated, so that every budget but a very large one is spent.
const LASTS: Duration = Duration::from_secs(3);
const RATE: f64 = 200.0;

/// What clocks may add.
const TOLERANCE: f64 = 0.02;

/// Connections: a request that is repeated takes its pauses.
const CONNECTIONS: usize = 200;

/// Tests the budget of the service that a route leads to.
///
/// # Errors
/// Why it can't be tested; that is told, and others are.
pub(super) fn test(bench: &mut Bench<'_>, asked: &Asked<'_>, service: &str, retry: &Retry) -> Result<Tested, String> {
    let fault = fault(retry).ok_or("no failure of a stand-in is one that is tried again")?;
    let gate = bench.gate()?;
    let expect = Expect {
        statuses: vec![200..=599],
        checks: Vec::new(),
    };
    let flow = asked.flow(0, 1.0, &gate.address().to_string(), expect)?;
    let spike = Spike::on(&gate, vec![flow], vec![asked.name.clone()], CONNECTIONS);
    let stand_in = bench.stand_in(service)?;
    let which = Which::Every(1);
    let failing = Behaviour {
        failures: Some(Failures { which, fault }),
        ..Behaviour::default()
    };
    stand_in.change(failing).map_err(|error| error.to_string())?;
    let before = stand_in.requests();
    let phase = steady(format!("{service} fails, retries"), LASTS, RATE);
    let measured = spike.run(&[phase], bench.watch)?;
    let attempts = stand_in.requests() - before;
    let requests = measured.phases.first().map_or(0, |phase| phase.total().ended);
    let length = measured.phases.first().map_or(LASTS, |phase| phase.lasted);
    Ok(Tested {
        measured,
        findings: vec![judge(&retry.budget, service, requests, attempts, length)],
        remarks: Vec::new(),
    })
}

/// A failure that is tried again.
fn fault(retry: &Retry) -> Option<Fault> {
    match retry.codes.first() {
        Some(status) => Some(Fault::Status(*status)),
        None => retry.on.contains(&RetryOn::Reset).then_some(Fault::Reset),
    }
}

/// In any interval so many repetitions may be made as its requests pay for, and a few for each second of it.
fn judge(budget: &RetryBudget, service: &str, requests: u64, attempts: u64, lasted: Duration) -> Finding {
    let interval = budget.interval.0.max(Duration::from_secs(1)).as_secs_f64();
    let intervals = (lasted.as_secs_f64() / interval).ceil().max(1.0);
    let paid = requests as f64 * budget.percent.ratio() + f64::from(budget.min_rate) * interval * intervals;
    let most = (paid * (1.0 + TOLERANCE)).floor();
    let repeated = attempts.saturating_sub(requests);
    Finding::certain(
        Some(service),
        format!("at most {most} retries of requests that all fail"),
        format!("{repeated} for {requests} requests"),
        repeated as f64 <= most && attempts > 0,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_retry_too_many_is_too_many() {
        let met = |attempts| {
            let finding = judge(&RetryBudget::default(), "up", 600, attempts, LASTS);
            finding.judged.met
        };
        // 20 % of 600, and 10 for each second of an interval of 10 seconds, and 2 %.
        assert!(met(600) && met(600 + 224));
        assert!(!met(600 + 225) && !met(1200) && !met(0));
    }

    #[test]
    fn a_failure_is_found_that_is_tried_again() {
        let usual = Retry::default();
        assert_eq!(fault(&usual), Some(Fault::Reset));
        let codes = Retry {
            codes: vec![503],
            ..usual.clone()
        };
        assert_eq!(fault(&codes), Some(Fault::Status(503)));
        let on = vec![RetryOn::Connect];
        assert_eq!(fault(&Retry { on, ..usual }), None);
    }
}
