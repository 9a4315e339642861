//! What keeps requests from a service: the circuit breaker, and the limit that follows latency.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Instant;

use portcullis_config::service as written;
use portcullis_core::{Error, Result, codes};
use portcullis_resilience::Moment;
use portcullis_resilience::breaker::{self, Admit, Admitted, Breaker};
use portcullis_resilience::concurrency::{self, Limiter, Permit};

use super::shard;
use super::target::Met;

/// What keeps requests from a service, as a configuration wants it.
pub(super) struct Protection {
    breaker: Option<Arc<Breaker>>,
    limiter: Option<Arc<Limiter>>,
}

/// What is kept of it through reloads.
#[derive(Default)]
pub(super) struct Kept(Mutex<(Weak<Breaker>, Weak<Limiter>)>);

/// An attempt that was let through. Dropped without a word, it says nothing about the service.
pub(super) struct Pass<'p> {
    breaker: Option<Admitted<'p>>,
    limiter: Option<Permit<'p>>,
}

impl Protection {
    /// As the configuration wants it, for so many workers. What is in use is taken over where the settings are the same.
    pub(super) fn new(config: &written::Service, kept: &Kept, workers: usize) -> Protection {
        let mut kept = kept.lock();
        let breaker = config.circuit_breaker.as_ref().map(|config| {
            let settings = breaker_settings(config);
            let known = kept.0.upgrade().filter(|known| known.settings() == settings);
            known.unwrap_or_else(|| Arc::new(Breaker::new(settings, workers)))
        });
        let limiter = config.adaptive_concurrency.as_ref().map(|config| {
            let new = Limiter::new(concurrency::Settings {
                min: config.min,
                max: config.max,
            });
            let known = kept.1.upgrade().filter(|known| known.settings() == new.settings());
            known.unwrap_or_else(|| Arc::new(new))
        });
        *kept = (
            breaker.as_ref().map(Arc::downgrade).unwrap_or_default(),
            limiter.as_ref().map(Arc::downgrade).unwrap_or_default(),
        );
        Protection { breaker, limiter }
    }

    /// Lets an attempt through.
    ///
    /// # Errors
    /// When the service is left alone, or has enough to do.
    pub(super) fn admit(&self) -> Result<Pass<'_>> {
        let breaker = match &self.breaker {
            None => None,
            Some(breaker) => match breaker.admit(Moment::of(Instant::now())) {
                Admit::Yes(admitted) => Some(admitted),
                Admit::No { retry_after } => {
                    let seconds = retry_after.as_secs_f64().ceil().max(1.0);
                    return Err(Error::new(&codes::CIRCUIT_OPEN).with_header("Retry-After", seconds.to_string()));
                }
            },
        };
        let limiter = match &self.limiter {
            None => None,
            Some(limiter) => match limiter.try_acquire() {
                Some(permit) => Some(permit),
                None => return Err(Error::new(&codes::UPSTREAM_OVERLOADED).with_header("Retry-After", "1")),
            },
        };
        Ok(Pass { breaker, limiter })
    }
}

impl Pass<'_> {
    /// When an attempt begins, where anybody wants to know.
    pub(super) fn begun(&self) -> Option<Instant> {
        self.limiter.as_ref().map(|_| Instant::now())
    }

    /// Tells what an attempt met that began then; nothing, where that says nothing about the service.
    pub(super) fn ended(self, met: Option<&Met>, begun: Option<Instant>) {
        let (Some(met), true) = (met, self.breaker.is_some() || self.limiter.is_some()) else {
            return;
        };
        let now = Instant::now();
        if let Some(admitted) = self.breaker {
            let passed = matches!(met, Met::Status(status) if !matches!(status.code(), 502..=504));
            admitted.ended(passed, shard(), Moment::of(now));
        }
        // What failed at once only seems to be quick.
        if let (Some(permit), Some(begun), Met::Status(_) | Met::Timeout) = (self.limiter, begun, met) {
            permit.answered(now.saturating_duration_since(begun), Moment::of(now));
        }
    }
}

impl Kept {
    /// Whether the circuit of the service is open or half open, and its limit; each where there is one.
    pub(super) fn told(&self) -> (Option<bool>, Option<u32>) {
        let kept = self.lock();
        let breaker = kept.0.upgrade();
        (
            breaker.map(|breaker| breaker.state() != breaker::State::Closed),
            kept.1.upgrade().map(|limiter| limiter.limit()),
        )
    }

    fn lock(&self) -> MutexGuard<'_, (Weak<Breaker>, Weak<Limiter>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn breaker_settings(config: &written::CircuitBreaker) -> breaker::Settings {
    breaker::Settings {
        errors_per_mille: config.errors.per_mille(),
        min_requests: config.min_requests,
        window: config.window.0,
        open: config.open.0,
        probes: config.probes,
    }
}
