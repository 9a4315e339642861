//! The limit beside a simulated server: so many requests at a time, the others wait in a queue.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::time::Duration;

use super::{Limiter, Permit, Settings};
use crate::Moment;

const SETTINGS: Settings = Settings { min: 10, max: 1000 };

/// A server, and clients who send at random moments.
struct World<'a> {
    limiter: &'a Limiter,
    random: fastrand::Rng,
    /// In microseconds.
    now: u64,
    /// How many requests the server works at.
    capacity: usize,
    /// How long it takes for one, in microseconds.
    service: Box<dyn Fn(&mut fastrand::Rng) -> f64>,
    /// Requests for each second.
    rate: f64,
    working: usize,
    waiting: VecDeque<(u64, Permit<'a>)>,
    ends: BinaryHeap<Reverse<End>>,
    permits: HashMap<u64, (u64, Permit<'a>)>,
    names: u64,
}

/// When the work for which request ends.
type End = (u64, u64);

/// What was seen in a while.
#[derive(Debug, Default)]
struct Seen {
    served: u32,
    refused: u32,
    /// Of what was served, in microseconds.
    took: f64,
    limit: f64,
}

impl<'a> World<'a> {
    fn new(
        limiter: &'a Limiter,
        capacity: usize,
        rate: f64,
        service: impl Fn(&mut fastrand::Rng) -> f64 + 'static,
    ) -> World<'a> {
        World {
            limiter,
            random: fastrand::Rng::with_seed(7),
            now: 1_000_000,
            capacity,
            service: Box::new(service),
            rate,
            working: 0,
            waiting: VecDeque::new(),
            ends: BinaryHeap::new(),
            permits: HashMap::new(),
            names: 0,
        }
    }

    fn run(&mut self, length: Duration) -> Seen {
        let end = self.now + u64::try_from(length.as_micros()).expect("it is short");
        let mut seen = Seen::default();
        let (mut limits, mut arrivals) = (0.0, 0.0);
        loop {
            let pause = -self.random.f64().max(1e-9).ln() * 1e6 / self.rate;
            let arrival = self.now + micros(pause);
            self.work_until(arrival.min(end), &mut seen);
            self.now = arrival.min(end);
            if arrival >= end {
                seen.took /= f64::from(seen.served.max(1));
                seen.limit = limits / f64::max(arrivals, 1.0);
                return seen;
            }
            limits += f64::from(self.limiter.limit());
            arrivals += 1.0;
            match self.limiter.try_acquire() {
                Some(permit) => {
                    self.waiting.push_back((self.now, permit));
                    self.work();
                }
                None => seen.refused += 1,
            }
        }
    }

    fn work_until(&mut self, moment: u64, seen: &mut Seen) {
        while let Some(&Reverse((at, name))) = self.ends.peek()
            && at <= moment
        {
            self.ends.pop();
            self.now = at;
            self.working -= 1;
            let (began, permit) = self.permits.remove(&name).expect("it is in progress");
            permit.answered(Duration::from_micros(at - began), Moment::from_micros(at));
            seen.served += 1;
            seen.took += (at - began) as f64;
            self.work();
        }
    }

    fn work(&mut self) {
        while self.working < self.capacity
            && let Some(next) = self.waiting.pop_front()
        {
            self.working += 1;
            self.names += 1;
            let ends = self.now + micros((self.service)(&mut self.random));
            self.ends.push(Reverse((ends, self.names)));
            self.permits.insert(self.names, next);
        }
    }
}

fn micros(micros: f64) -> u64 {
    u64::try_from(Duration::from_secs_f64(micros / 1e6).as_micros()).expect("it is short")
}

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// How long a server works at a request, in microseconds: always as long, more or less as long, now and then much longer.
type Service = fn(&mut fastrand::Rng) -> f64;

const SERVICES: [(&str, Service); 4] = [
    ("fixed", |_| 40_000.0),
    ("uniform", |random| 20_000.0 + random.f64() * 40_000.0),
    ("exponential", |random| -random.f64().max(1e-9).ln() * 40_000.0),
    ("long tail", |random| {
        12_000.0 * (random.f64() * random.f64() * 5.0).exp()
    }),
];

fn mean(service: Service) -> f64 {
    let mut random = fastrand::Rng::with_seed(3);
    (0..20_000).map(|_| service(&mut random)).sum::<f64>() / 20_000.0
}

/// Checks a world where twice as much comes as the server can take, after it had the time to settle.
fn check_settled(what: &str, world: &mut World<'_>, mean: f64) {
    let length = seconds(10);
    let seen = world.run(length);
    let capacity = world.capacity as f64;
    let full = capacity * 1e6 / mean * length.as_secs_f64();
    let (limit, served, took) = (seen.limit / capacity, f64::from(seen.served) / full, seen.took / mean);
    assert!(
        (0.8..1.8).contains(&limit),
        "{what}: the limit is {limit} of what is right"
    );
    assert!(served > 0.8, "{what}: {served} of what could be was served");
    assert!(took < 1.9, "{what}: answers take {took} times as long as unburdened");
}

#[test]
fn the_limit_is_found_and_followed() {
    for (name, service) in SERVICES {
        for capacity in [50, 150] {
            let limiter = Limiter::new(SETTINGS);
            let mean = mean(service);
            let rate = capacity as f64 * 2e6 / mean;
            let mut world = World::new(&limiter, capacity, rate, service);
            world.run(seconds(15));
            check_settled(&format!("{name} {capacity}"), &mut world, mean);
            world.capacity = capacity / 2;
            world.run(seconds(2));
            check_settled(&format!("{name} {capacity} halved"), &mut world, mean);
            world.capacity = capacity;
            world.run(seconds(3));
            check_settled(&format!("{name} {capacity} restored"), &mut world, mean);
            // No queue, but slower by itself.
            world.service = Box::new(move |random| 2.0 * service(random));
            world.run(seconds(15));
            check_settled(&format!("{name} {capacity} slower"), &mut world, 2.0 * mean);
        }
    }
}

#[test]
fn a_service_that_is_not_at_its_end_loses_next_to_nothing() {
    for (name, service) in SERVICES {
        let limiter = Limiter::new(SETTINGS);
        let rate = 100.0 * 0.8e6 / mean(service);
        let mut world = World::new(&limiter, 100, rate, service);
        world.run(seconds(5));
        let seen = world.run(seconds(30));
        let refused = f64::from(seen.refused) / f64::from(seen.refused + seen.served);
        assert!(refused < 0.02, "{name}: {refused} were refused");
    }
}

#[test]
fn a_service_that_loses_nine_servers_of_ten_is_not_overrun() {
    for (name, service) in SERVICES {
        let limiter = Limiter::new(SETTINGS);
        let mean = mean(service);
        let mut world = World::new(&limiter, 400, 400.0 * 1.5e6 / mean, service);
        world.run(seconds(10));
        world.capacity = 40;
        world.run(seconds(10));
        check_settled(name, &mut world, mean);
    }
}
