//! `metrics` counts requests, for each route.
//!
//! ```yaml
//! metrics: {off: true}      # on by default
//! ```
//!
//! - `portcullis_http_requests_total{route,method,status}`: requests that ended.
//! - `portcullis_http_request_duration_seconds{route}`: a histogram from the first byte of the head to the last byte of
//!   the answer, with the bounds of OpenTelemetry's semantic conventions.
//! - `portcullis_http_request_bytes_total{route}`, `portcullis_http_response_bytes_total{route}`: bytes of content.
//! - `portcullis_http_errors_total{route,code}`: answers that the gate itself gave, by their code.
//!
//! No client can grow the set of series. An unknown method is `_OTHER`; a route has at most 48 pairs of method and
//! status, and what is beyond is counted as `_OTHER` and `other`; the first 2,000 routes that get a request have series of
//! their own, and all others share `route="other"`. Names of routes are kept across reloads, and so are their counts.

pub mod family;
pub mod registry;

mod counters;
mod render;

use std::sync::{Arc, OnceLock};

use portcullis_core::{Ctx, Observer, Outcome};

use family::Family;
use registry::{Registry, RouteIndex};

/// Everything that [`Registry::render`] writes.
pub const FAMILIES: &[Family] = render::FAMILIES;

/// Counts the requests of one route.
#[derive(Debug)]
pub struct Metrics {
    registry: Arc<Registry>,
    route: Box<str>,
    /// Found at the first request, so that routes without traffic take no place among those with series of their own.
    index: OnceLock<RouteIndex>,
}

impl Metrics {
    /// Counts for the route of that name.
    pub fn new(registry: Arc<Registry>, route: &str) -> Metrics {
        Metrics {
            registry,
            route: route.into(),
            index: OnceLock::new(),
        }
    }
}

impl Observer for Metrics {
    fn ended(&self, _cx: &Ctx, outcome: &Outcome<'_>) {
        let index = *self.index.get_or_init(|| self.registry.index_of(&self.route));
        self.registry.count(index, outcome);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use std::thread;
    use std::time::Duration;

    use portcullis_core::{Error, Method, Status, Version, codes};

    use super::*;
    use crate::trial::context;

    fn outcome(method: &Method, status: u16, millis: u64) -> Outcome<'_> {
        Outcome {
            method: Some(method),
            target: "/",
            version: Version::Http11,
            host: "",
            user_agent: None,
            referer: None,
            status: Status::new(status).unwrap(),
            error: None,
            bytes_in: 10,
            bytes_out: 100,
            duration: Duration::from_millis(millis),
            complete: true,
        }
    }

    fn rendered(registry: &Registry) -> String {
        let mut out = String::new();
        registry.render(&mut out);
        out
    }

    fn check_holds(text: &str, lines: &[&str]) {
        for line in lines {
            assert!(text.lines().any(|got| got == *line), "no line {line} in\n{text}");
        }
    }

    #[test]
    fn requests_are_counted_by_route_method_and_status() {
        let registry = Arc::new(Registry::default());
        let metrics = Metrics::new(Arc::clone(&registry), "/a \"b\"\\\n");
        let other = Method::from_token("BREW");
        for outcome in [
            outcome(&Method::Get, 200, 5),
            outcome(&Method::Get, 200, 6),
            outcome(&Method::Post, 404, 80),
            outcome(&other, 200, 20_000),
        ] {
            metrics.ended(&context(), &outcome);
        }
        let text = rendered(&registry);
        let route = r#"route="/a \"b\"\\\n""#;
        for line in [
            "_requests_total{R,method=\"GET\",status=\"200\"} 2",
            "_requests_total{R,method=\"POST\",status=\"404\"} 1",
            "_requests_total{R,method=\"_OTHER\",status=\"200\"} 1",
            "_request_duration_seconds_bucket{R,le=\"0.005\"} 1",
            "_request_duration_seconds_bucket{R,le=\"0.01\"} 2",
            "_request_duration_seconds_bucket{R,le=\"0.075\"} 2",
            "_request_duration_seconds_bucket{R,le=\"0.1\"} 3",
            "_request_duration_seconds_bucket{R,le=\"10.0\"} 3",
            "_request_duration_seconds_bucket{R,le=\"+Inf\"} 4",
            "_request_duration_seconds_count{R} 4",
            "_request_duration_seconds_sum{R} 20.091000000",
            "_request_bytes_total{R} 40",
            "_response_bytes_total{R} 400",
        ] {
            check_holds(
                &text,
                &[&format!("portcullis_http{}", line.replace("{R", &format!("{{{route}")))],
            );
        }
    }

    #[test]
    fn errors_are_counted_by_code() {
        let registry = Arc::new(Registry::default());
        let metrics = Metrics::new(Arc::clone(&registry), "a");
        let error = Error::new(&codes::RATE_LIMITED);
        let mut refused = outcome(&Method::Get, 429, 0);
        (refused.error, refused.method) = (Some(&error), None);
        metrics.ended(&context(), &refused);
        let requests = "portcullis_http_requests_total{route=\"a\",method=\"_OTHER\",status=\"429\"} 1";
        let errors = "portcullis_http_errors_total{route=\"a\",code=\"rate_limited\"} 1";
        check_holds(&rendered(&registry), &[requests, errors]);
    }

    #[test]
    fn a_family_is_announced_once_and_stands_together() {
        let registry = Arc::new(Registry::default());
        for route in ["a", "b"] {
            Metrics::new(Arc::clone(&registry), route).ended(&context(), &outcome(&Method::Get, 200, 1));
        }
        let text = rendered(&registry);
        let mut families: Vec<&str> = Vec::new();
        for line in text.lines() {
            if let Some(family) = line.strip_prefix("# TYPE ") {
                let family = family.split(' ').next().unwrap();
                assert!(!families.contains(&family), "{family} twice");
                families.push(family);
            } else if !line.starts_with('#') {
                assert!(line.starts_with(families.last().unwrap()), "{line}");
            }
        }
        assert_eq!(families.len(), 5);
        check_holds(&text, &["# UNIT portcullis_http_request_duration_seconds seconds"]);
        assert!(!text.contains("EOF"));
    }

    #[test]
    fn counts_of_all_workers_are_added_and_survive_a_reload() {
        let registry = Arc::new(Registry::default());
        for _reload in 0..2 {
            let metrics = Metrics::new(Arc::clone(&registry), "a");
            thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| {
                        let cx = context();
                        (0..1000).for_each(|_| metrics.ended(&cx, &outcome(&Method::Get, 200, 1)));
                    });
                }
            });
        }
        let line = "portcullis_http_requests_total{route=\"a\",method=\"GET\",status=\"200\"} 8000";
        check_holds(&rendered(&registry), &[line]);
    }

    #[test]
    fn routes_beyond_the_limit_share_their_series() {
        let registry = Arc::new(Registry::with_room_for(2));
        for route in ["a", "b", "c", "d", "a"] {
            Metrics::new(Arc::clone(&registry), route).ended(&context(), &outcome(&Method::Get, 200, 1));
        }
        let line = |route: &str, count: u32| {
            format!("portcullis_http_requests_total{{route=\"{route}\",method=\"GET\",status=\"200\"}} {count}")
        };
        let text = rendered(&registry);
        check_holds(&text, &[&line("a", 2), &line("b", 1), &line("other", 2)]);
        assert!(!text.contains("\"c\""));
    }

    #[test]
    fn an_upstream_cannot_grow_the_series_of_a_route() {
        let registry = Arc::new(Registry::default());
        let metrics = Metrics::new(Arc::clone(&registry), "a");
        (100..1000).for_each(|status| metrics.ended(&context(), &outcome(&Method::Get, status, 1)));
        let text = rendered(&registry);
        let series = text
            .lines()
            .filter(|line| line.starts_with("portcullis_http_requests_total"));
        assert_eq!(series.count(), 49);
        let line = "portcullis_http_requests_total{route=\"a\",method=\"_OTHER\",status=\"other\"} 852";
        check_holds(&text, &[line]);
    }

    #[test]
    fn routes_without_requests_take_no_room() {
        let registry = Arc::new(Registry::with_room_for(1));
        let _unused: Vec<_> = (0..10_000)
            .map(|at| Metrics::new(Arc::clone(&registry), &at.to_string()))
            .collect();
        Metrics::new(Arc::clone(&registry), "a").ended(&context(), &outcome(&Method::Get, 200, 1));
        check_holds(
            &rendered(&registry),
            &["portcullis_http_request_bytes_total{route=\"a\"} 10"],
        );
    }
}
