//! What a service says about balancing, as the decisions take it.

use portcullis_config::service as written;
use portcullis_resilience::balance::{Algorithm, Balancer};

/// The balancer of a service.
pub(super) fn balancer(config: &written::Service) -> Balancer {
    let balance = &config.balance;
    let algorithm = match balance.algorithm {
        written::Algorithm::RoundRobin => Algorithm::RoundRobin,
        written::Algorithm::LeastRequest => Algorithm::LeastRequest,
        written::Algorithm::Ewma => Algorithm::Ewma,
        written::Algorithm::Random => Algorithm::Random,
        written::Algorithm::ConsistentHash => Algorithm::ConsistentHash {
            bounded_load: balance.bounded_load.map(|load| load.per_mille()),
        },
    };
    Balancer::new(algorithm)
        .with_slow_start(config.slow_start.0)
        .with_panic_threshold(config.panic_threshold.per_mille())
        .with_most_in_progress(config.max_connections)
}
