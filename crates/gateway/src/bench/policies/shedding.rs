//! What is sent away when the node is at its limit: more comes than may be in progress, of two priorities.

use std::time::Duration;

use portcullis_bench::measured::RouteMeasured;
use portcullis_bench::stand_in::{Behaviour, Delay};
use portcullis_config::File;
use portcullis_config::route::priority::Priority;
use portcullis_resilience::shedding;

use super::asked::{Asked, good_or_refused};
use super::finding::{Finding, Refusals, good, lacking, of_answered, of_phases, others, with_status};
use super::spike::{Spike, steady};
use super::{Bench, Tested};
use crate::bench::running::ready::descriptors;

/// The status of what is sent away.
const SHED: u16 = 503;

/// How long the stand-ins take for a request.
const DELAY: Duration = Duration::from_millis(250);

/// Requests in progress that are wanted of each class, as shares of the limit: together half as much again as it allows, and of the
/// higher class alone half of it.
const HIGHER: f64 = 0.5;
const LOWER: f64 = 1.0;

/// Limits that are too low to tell classes apart, and those beyond which the machine would be tested.
const LEAST: u32 = 10;
const MOST: u32 = 1_000;

/// How long it takes until all is in progress that will be, and how long it is looked at.
const RISES: Duration = Duration::from_secs(1);
const LASTS: Duration = Duration::from_secs(3);

/// What may be sent away of the higher class.
const HARDLY: f64 = 0.01;

/// Two routes of different priorities, each to a service.
pub(super) struct Classes<'a, 'l> {
    pub(super) higher: &'a Asked<'l>,
    pub(super) lower: &'a Asked<'l>,
}

impl<'a, 'l> Classes<'a, 'l> {
    /// Routes with the highest and the lowest priority of all.
    ///
    /// # Errors
    /// When there are no two.
    pub(super) fn of(asked: &'a [Asked<'l>]) -> Result<Classes<'a, 'l>, String> {
        let delayed = || asked.iter().filter(|asked| asked.service().is_some());
        let by_limit = |asked: &&Asked<'_>| share(asked.route.priority);
        match (delayed().max_by_key(by_limit), delayed().min_by_key(by_limit)) {
            (Some(higher), Some(lower)) if by_limit(&higher) > by_limit(&lower) => Ok(Classes { higher, lower }),
            _ => Err(
                "no two routes to services differ in `priority`, so that none is sent away before the other".to_owned(),
            ),
        }
    }
}

/// The share of the limit up to which requests of a priority are taken, in thousandths.
fn share(priority: Priority) -> u64 {
    match priority {
        Priority::High => shedding::Priority::High,
        Priority::Normal => shedding::Priority::Normal,
        Priority::Low => shedding::Priority::Low,
    }
    .of_requests()
}

/// Tests the limit of requests in progress.
///
/// # Errors
/// Why it can't be tested; that is told.
pub(super) fn test(
    bench: &mut Bench<'_>,
    file: &File,
    classes: &Classes<'_, '_>,
    limit: u32,
) -> Result<Tested, String> {
    if !(LEAST..=MOST).contains(&limit) {
        return Err(format!(
            "a limit of {limit} requests is not from {LEAST} to {MOST}, which a test can tell something of"
        ));
    }
    let Classes { higher, lower } = classes;
    let services: Vec<&str> = [higher, lower].iter().filter_map(|asked| asked.service()).collect();
    let patient = services
        .iter()
        .filter_map(|name| file.services.get(*name))
        .all(|service| {
            let timeout = &service.timeout;
            let most = timeout
                .request
                .map_or(timeout.first_byte.0, |request| request.0.min(timeout.first_byte.0));
            service
                .retry
                .per_try_timeout
                .map_or(most, |per_try| most.min(per_try.0))
                > DELAY * 2
        });
    if !patient {
        return Err("its services' timeouts are too short for stand-ins that take 250 ms".to_owned());
    }
    // The gate has as many connections with clients, and more with stand-ins. It has our limit of descriptors.
    let connections = 2 * limit as usize;
    descriptors(2 * connections)?;
    let gate = bench.gate()?;
    let slow = || Behaviour {
        delay: Delay::Fixed(DELAY),
        ..Behaviour::default()
    };
    for service in services {
        bench
            .stand_in(service)?
            .change(slow())
            .map_err(|error| error.to_string())?;
    }
    let authority = gate.address().to_string();
    let expect = || good_or_refused(SHED, "overloaded");
    let flows = vec![
        higher.flow(0, HIGHER, &authority, expect())?,
        lower.flow(1, LOWER, &authority, expect())?,
    ];
    let routes = vec![higher.name.clone(), lower.name.clone()];
    let rate = (HIGHER + LOWER) * f64::from(limit) / DELAY.as_secs_f64();
    let mut rises = steady("overload rises", RISES, rate);
    rises.counts = false;
    let spike = Spike::on(&gate, flows, routes, connections);
    let measured = spike.run(&[rises, steady("overload", LASTS, rate)], bench.watch)?;
    let of = |asked: &Asked<'_>| of_phases(&measured, &["overload"], &asked.name);
    let (of_higher, of_lower) = (of(higher), of(lower));
    let mut findings = judge(classes, &of_higher, &of_lower);
    let refusals = Refusals {
        status: SHED,
        own: DELAY,
        when: "under overload",
    };
    findings.extend(of_answered(&higher.objectives(), &higher.name, &of_higher, &refusals));
    let remark = format!(
        "Overload: {limit} requests may be in progress; half as many are wanted by {}, and as many by {}, from stand-ins that take \
         {} ms, which are taken off where its objectives are judged.",
        higher.name,
        lower.name,
        DELAY.as_millis()
    );
    Ok(Tested {
        measured,
        findings,
        remarks: vec![remark],
    })
}

/// What should have been sent away.
fn judge(classes: &Classes<'_, '_>, of_higher: &RouteMeasured, of_lower: &RouteMeasured) -> Vec<Finding> {
    let share_shed = |route: &RouteMeasured| match route.ended {
        0 => 0.0,
        ended => with_status(route, SHED) as f64 / ended as f64,
    };
    let shown = |route: &RouteMeasured| {
        let (shed, ended) = (with_status(route, SHED), route.ended);
        format!("{shed} of {ended}")
    };
    // What the higher class leaves of the lower one's share is what the lower one gets. Half of what that makes too much is demanded.
    let gets = (share(classes.lower.route.priority) as f64 / 1000.0 - HIGHER) / LOWER;
    let least = (1.0 - gets) / 2.0;
    let (high, low) = (share_shed(of_higher), share_shed(of_lower));
    let (higher, lower) = (Some(&*classes.higher.name), Some(&*classes.lower.name));
    let mut findings = vec![
        Finding::certain(
            lower,
            format!("at least {:.0} % are sent away", least * 100.0),
            shown(of_lower),
            low >= least,
        )
        .by_generator(),
        Finding::certain(
            higher,
            "at most 1 % are sent away",
            shown(of_higher),
            of_higher.ended > 0 && high <= HARDLY,
        )
        .by_generator(),
    ];
    for (name, all) in [(higher, of_higher), (lower, of_lower)] {
        let wrong = others(all, &[SHED]);
        let met = wrong.is_none() && good(all) > 0;
        let told = wrong.unwrap_or_else(|| format!("{} and {}", good(all), with_status(all, SHED)));
        findings.push(Finding::certain(name, "answers are good, or 503", told, met));
    }
    let lacking = lacking(of_lower).or_else(|| lacking(of_higher));
    let met = lacking.is_none();
    let told = lacking.unwrap_or_else(|| "all".to_owned());
    findings.push(Finding::certain(
        lower,
        "503 has `overloaded` and Retry-After",
        told,
        met,
    ));
    findings
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use std::path::Path;

    use portcullis_config::Loaded;

    use super::super::asked;
    use super::*;
    use crate::bench::sources::Wish;

    fn loaded(priorities: [&str; 2]) -> Loaded {
        let [a, b] = priorities;
        let text = format!(
            "listeners: [127.0.0.1:0]\noverload: {{requests: 100}}\nservices: {{up: 'http://127.0.0.1:1'}}\nroutes:\n\
             - {{path: /a, priority: {a}, to: {{service: up}}}}\n- {{path: /b, priority: {b}, to: {{service: up}}}}\n"
        );
        let read = |_: &Path| Err(std::io::ErrorKind::NotFound.into());
        portcullis_config::parse(&text, "gate.yaml".as_ref(), &|_| None, &read).unwrap()
    }

    fn came(good: u64, shed: u64) -> RouteMeasured {
        RouteMeasured {
            ended: good + shed,
            statuses: [(200, good), (503, shed)].into(),
            ..RouteMeasured::default()
        }
    }

    /// Whether each assertion holds, by what of each class was answered and sent away.
    fn met(higher: (u64, u64), lower: (u64, u64)) -> Vec<bool> {
        let loaded = loaded(["low", "high"]);
        let (asked, _) = asked::asked(&loaded, &Wish::default(), None);
        let classes = Classes::of(&asked).unwrap();
        assert_eq!((&*classes.higher.name, &*classes.lower.name), ("/b", "/a"));
        let findings = judge(&classes, &came(higher.0, higher.1), &came(lower.0, lower.1));
        findings.iter().map(|finding| finding.judged.met).collect()
    }

    #[test]
    fn the_lower_class_is_sent_away_and_the_higher_one_is_not() {
        assert_eq!(met((1000, 0), (600, 1400)), [true; 5]);
        assert_eq!(met((990, 10), (600, 1400)), [true; 5]);
        assert_eq!(met((989, 11), (600, 1400)), [true, false, true, true, true]);
        assert_eq!(met((1000, 0), (1400, 600)), [false, true, true, true, true]);
        assert_eq!(
            met((0, 1000), (2000, 0)),
            [false, false, false, true, true],
            "the wrong class"
        );
    }

    #[test]
    fn routes_of_one_priority_are_not_told_apart() {
        let loaded = loaded(["low", "low"]);
        let (asked, _) = asked::asked(&loaded, &Wish::default(), None);
        assert!(Classes::of(&asked).is_err());
    }
}
