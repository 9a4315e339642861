use super::*;

const SETTINGS: Settings = Settings {
    consecutive: 5,
    error_rate: None,
    latency: None,
    min_requests: 20,
    eject: Duration::from_secs(30),
    max_eject: Duration::from_secs(300),
    max_ejected: 500,
};

const FAST: Outcome = Outcome::Answered(Duration::from_millis(2));

/// A service whose targets get requests, with a clock of its own.
struct Service {
    settings: Settings,
    targets: Vec<(Standing, Outlier)>,
    now: Moment,
}

impl Service {
    fn of(count: usize, settings: Settings) -> Service {
        Service {
            settings,
            targets: (0..count).map(|_| Default::default()).collect(),
            now: Moment::from_micros(1_000_000),
        }
    }

    fn pass(&mut self, seconds: u64) {
        self.now = self.now + Duration::from_secs(seconds);
    }

    /// Requests to a target that end so. Whether any of them asked for a look.
    fn requests(&self, at: usize, count: u32, outcome: Outcome) -> bool {
        let (standing, outlier) = &self.targets[at];
        (0..count).fold(false, |look, _| {
            outlier.record(standing, outcome, &self.settings, self.now) || look
        })
    }

    fn streaks(&self) -> Vec<(usize, u64)> {
        self.told(&judge_streaks(&self.settings, &self.refs(), self.now))
    }

    fn window(&self) -> Vec<(usize, u64)> {
        self.told(&judge_window(&self.settings, &self.refs(), self.now))
    }

    /// Which targets were ejected, and for how many seconds.
    fn told(&self, ejections: &[Ejection]) -> Vec<(usize, u64)> {
        for ejection in ejections {
            let state = self.targets[ejection.at].0.state(self.now);
            assert_eq!(state, State::Ejected(self.now + ejection.length));
        }
        ejections.iter().map(|it| (it.at, it.length.as_secs())).collect()
    }

    fn refs(&self) -> Vec<(&Standing, &Outlier)> {
        self.targets
            .iter()
            .map(|(standing, outlier)| (standing, outlier))
            .collect()
    }
}

#[test]
fn failures_in_a_row_eject_and_an_answer_between_them_saves() {
    let service = Service::of(3, SETTINGS);
    for _ in 0..10 {
        assert!(!service.requests(0, 4, Outcome::Failed));
        assert!(!service.requests(0, 1, FAST));
    }
    assert_eq!(service.streaks(), []);
    assert!(service.requests(0, 5, Outcome::Failed));
    assert_eq!(service.streaks(), [(0, 30)]);
    // What had begun before counts for nothing, now and after the return.
    assert!(!service.requests(0, 20, Outcome::Failed));
    assert_eq!(service.streaks(), []);
}

#[test]
fn ejections_grow_and_are_made_good() {
    let mut service = Service::of(2, SETTINGS);
    let mut lengths = Vec::new();
    for _ in 0..12 {
        assert!(service.requests(1, 5, Outcome::Failed));
        let [(1, length)] = service.streaks()[..] else {
            panic!("it is ejected");
        };
        lengths.push(length);
        service.pass(length);
        assert!(service.targets[1].0.is_good(service.now));
    }
    assert_eq!(lengths[..4], [30, 60, 90, 120]);
    assert_eq!(lengths[9..], [300, 300, 300]);
    // An ejection is made good by a window in which nothing is to be said against the target.
    for _ in 0..8 {
        service.requests(1, 50, FAST);
        service.pass(10);
        assert_eq!(service.window(), []);
    }
    service.requests(1, 5, Outcome::Failed);
    assert_eq!(service.streaks(), [(1, 60)]);
    // The time of the ejection itself makes nothing good.
    service.pass(20);
    assert_eq!(service.window(), []);
    service.pass(40);
    service.requests(1, 5, Outcome::Failed);
    assert_eq!(service.streaks(), [(1, 90)]);
}

#[test]
fn a_slow_start_follows_an_ejection() {
    let mut service = Service::of(2, SETTINGS);
    service.requests(0, 5, Outcome::Failed);
    service.streaks();
    service.pass(37);
    assert_eq!(service.targets[0].0.age(service.now), Duration::from_secs(7));
}

#[test]
fn no_more_than_the_share_are_out_at_a_time() {
    for (count, max_ejected, expected) in [
        (1, 1000, 0),
        (2, 500, 1),
        (2, 1000, 1),
        (3, 100, 1),
        (3, 500, 1),
        (4, 500, 2),
        (10, 300, 3),
        (10, 1000, 9),
        (10, 0, 0),
    ] {
        let service = Service::of(
            count,
            Settings {
                max_ejected,
                ..SETTINGS
            },
        );
        for at in 0..count {
            service.requests(at, 5, Outcome::Failed);
        }
        assert_eq!(service.streaks().len(), expected, "{count} targets, {max_ejected}");
        assert_eq!(service.streaks(), [], "{count} targets, {max_ejected}");
    }
}

#[test]
fn those_that_had_to_stay_are_looked_at_again_now_and_then() {
    let mut service = Service::of(2, SETTINGS);
    service.requests(0, 5, Outcome::Failed);
    service.requests(1, 5, Outcome::Failed);
    assert_eq!(service.streaks(), [(0, 30)]);
    assert!(!service.requests(1, 4, Outcome::Failed));
    assert!(service.requests(1, 1, Outcome::Failed));
    service.pass(30);
    assert_eq!(service.streaks(), [(1, 30)]);
}

#[test]
fn a_target_that_is_out_already_is_not_ejected() {
    let mut service = Service::of(4, SETTINGS);
    service.targets[0]
        .0
        .set_checked(crate::standing::Checked::Failing, service.now);
    service.targets[1].0.set_draining(true, service.now);
    for at in 0..4 {
        service.requests(at, 5, Outcome::Failed);
    }
    assert_eq!(service.streaks(), [(2, 30), (3, 30)]);
    service.pass(60);
    assert_eq!(service.window(), []);
}

#[test]
fn a_share_of_failures_ejects_at_the_end_of_a_window_that_is_large_enough() {
    let settings = Settings {
        consecutive: 0,
        error_rate: Some(500),
        ..SETTINGS
    };
    let service = Service::of(3, settings);
    let window = |answered, failed| {
        for _ in 0..failed {
            assert!(!service.requests(1, 1, Outcome::Failed));
        }
        service.requests(1, answered, FAST);
        service.window()
    };
    assert_eq!(window(10, 9), []);
    assert_eq!(window(11, 9), []);
    // Windows don't add up.
    assert_eq!(window(0, 0), []);
    assert_eq!(window(10, 10), [(1, 30)]);
}

#[test]
fn the_slow_one_is_ejected_and_few_requests_say_nothing() {
    let settings = Settings {
        latency: Some(5),
        max_ejected: 500,
        ..SETTINGS
    };
    let service = Service::of(4, settings);
    let took = |at, count, millis| service.requests(at, count, Outcome::Answered(Duration::from_millis(millis)));
    for (at, millis) in [(0, 10), (1, 12), (2, 14), (3, 60)] {
        took(at, 100, millis);
    }
    assert_eq!(service.window(), []);
    for (at, millis) in [(0, 10), (1, 12), (2, 14), (3, 73)] {
        took(at, 100, millis);
    }
    // The median of the others is 12 ms.
    let ejected = judge_window(&service.settings, &service.refs(), service.now);
    let evidence = Evidence::Latency(Duration::from_millis(73), Duration::from_millis(12));
    assert_eq!(ejected.iter().map(|it| it.evidence).collect::<Vec<_>>(), [evidence]);
    assert_eq!(
        evidence.to_string(),
        "it took 73.0ms in the mean, and the others 12.0ms"
    );
    for (at, count) in [(0, 19), (1, 19), (2, 100)] {
        took(at, count, if at == 2 { 900 } else { 10 });
    }
    assert_eq!(service.window(), []);
}

#[test]
fn two_targets_can_tell_the_slow_one_too() {
    let settings = Settings {
        latency: Some(3),
        ..SETTINGS
    };
    let service = Service::of(2, settings);
    service.requests(0, 50, FAST);
    service.requests(1, 50, Outcome::Answered(Duration::from_secs(1)));
    assert_eq!(service.window(), [(1, 30)]);
}

#[test]
fn answers_are_counted_only_where_a_rule_asks() {
    let service = Service::of(2, SETTINGS);
    service.requests(0, 3, FAST);
    let outlier = &service.targets[0].1;
    assert_eq!(outlier.answered.load(Ordering::Relaxed), 0);
    assert_eq!(outlier.micros.load(Ordering::Relaxed), 0);
}
