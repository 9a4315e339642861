//! A worker's own handle of a configuration, and the end of the requests that outlive it.
//!
//! A request is served to its end by the configuration that it began with. One that goes on for longer than `max_age` after
//! that was replaced is ended, so that what was changed is true for everybody at some time, and no configuration is kept in
//! memory for ever.

use std::cell::RefCell;
use std::ops::Deref;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use portcullis_core::{Body, BodyStream, Drain, DrainTicket, Error, Frame, Result, codes};

use crate::snapshot::Snapshot;

/// A response of a known length that has no more content is over before anybody could call it old.
const SHORT: u64 = 256 * 1024;

/// A worker's own handle of the configuration that was in force when a request came.
pub(crate) struct InForce {
    snapshot: Arc<Snapshot>,
    /// Ends the requests that are still served by it.
    end: Rc<Drain>,
}

impl Deref for InForce {
    type Target = Snapshot;

    fn deref(&self) -> &Snapshot {
        &self.snapshot
    }
}

impl InForce {
    pub(crate) fn new(snapshot: Arc<Snapshot>) -> InForce {
        InForce {
            snapshot,
            end: Drain::new(),
        }
    }

    /// Whether it is this configuration.
    pub(crate) fn is(&self, snapshot: &Arc<Snapshot>) -> bool {
        Arc::ptr_eq(&self.snapshot, snapshot)
    }

    /// Whether requests that began with it must end.
    pub(crate) fn is_over(&self) -> bool {
        self.end.is_draining()
    }

    /// Ready when requests that began with it must end. Whoever waits has a ticket, which it takes the first time.
    pub(crate) fn poll_over(&self, ticket: &mut Option<DrainTicket>, cx: &Context<'_>) -> Poll<()> {
        let ticket = ticket.get_or_insert_with(|| self.end.join());
        match ticket.poll_draining(cx) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }

    /// The body of a response, which breaks off when requests that began with this configuration must end. Ordinary
    /// responses are handed on as they are.
    pub(crate) fn limit(&self, body: Body) -> Body {
        match body {
            Body::Stream(stream) if stream.remaining().is_none_or(|remaining| remaining > SHORT) => {
                Body::Stream(Box::new(Limited {
                    stream,
                    end: self.end.join(),
                }))
            }
            body => body,
        }
    }
}

/// Content that may last, and breaks off when its configuration is over.
struct Limited {
    stream: Box<dyn BodyStream>,
    end: DrainTicket,
}

impl BodyStream for Limited {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame>>> {
        if self.end.poll_draining(cx) {
            return Poll::Ready(Some(Err(Error::new(&codes::CONFIGURATION_RETIRED))));
        }
        self.stream.poll_frame(cx)
    }

    fn remaining(&self) -> Option<u64> {
        self.stream.remaining()
    }

    fn poll_background(&mut self, cx: &mut Context<'_>) {
        self.stream.poll_background(cx);
    }
}

/// Configurations of a worker that were replaced and may still have requests.
#[derive(Default)]
pub(crate) struct Replaced(RefCell<Vec<(Weak<InForce>, Instant)>>);

impl Replaced {
    /// Takes one in that was replaced now. However many reloads there are, only those are kept that have requests.
    pub(crate) fn add(&self, replaced: &Rc<InForce>, now: Instant) {
        let mut all = self.0.borrow_mut();
        all.retain(|(one, _)| one.strong_count() > 0);
        all.push((Rc::downgrade(replaced), now));
    }

    /// Ends those that were replaced longer than `max_age` ago; when the next one is to be ended, if there is one.
    pub(crate) fn end_old(&self, max_age: Duration, now: Instant) -> Option<Instant> {
        let mut all = self.0.borrow_mut();
        all.retain(|(one, since)| match one.upgrade() {
            Some(one) if *since + max_age <= now => {
                one.end.start();
                false
            }
            one => one.is_some(),
        });
        all.iter().map(|(_, since)| *since + max_age).min()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Wake, Waker};

    use super::*;

    /// A stream that has nothing to say.
    struct Silent(Option<u64>);

    impl BodyStream for Silent {
        fn poll_frame(&mut self, _: &mut Context<'_>) -> Poll<Option<Result<Frame>>> {
            Poll::Pending
        }

        fn remaining(&self) -> Option<u64> {
            self.0
        }
    }

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn in_force() -> Rc<InForce> {
        Rc::new(InForce::new(Arc::new(Snapshot::empty())))
    }

    #[test]
    fn a_stream_breaks_off_when_its_configuration_is_too_old_and_not_before() {
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(woken.clone());
        let mut cx = Context::from_waker(&waker);
        let (replaced, old) = (Replaced::default(), in_force());
        let mut body = old.limit(Body::Stream(Box::new(Silent(None))));
        assert!(body.poll_frame(&mut cx).is_pending());
        let now = Instant::now();
        let age = Duration::from_secs(60);
        replaced.add(&old, now);
        assert_eq!(replaced.end_old(age, now), Some(now + age));
        assert_eq!(replaced.end_old(age, now + age / 2), Some(now + age));
        assert!(body.poll_frame(&mut cx).is_pending());
        assert_eq!(woken.0.load(Ordering::Relaxed), 0);
        assert_eq!(replaced.end_old(age, now + age), None);
        assert_eq!(woken.0.load(Ordering::Relaxed), 1, "a silent stream must be woken");
        let Poll::Ready(Some(Err(error))) = body.poll_frame(&mut cx) else {
            panic!("the stream goes on");
        };
        assert_eq!(error.code().name, "configuration_retired");
    }

    #[test]
    fn a_shorter_age_counts_for_those_that_were_replaced_before() {
        let (replaced, old) = (Replaced::default(), in_force());
        let now = Instant::now();
        replaced.add(&old, now);
        let later = now + Duration::from_secs(10);
        assert!(replaced.end_old(Duration::from_secs(3600), later).is_some());
        assert!(!old.is_over());
        assert!(replaced.end_old(Duration::from_secs(5), later).is_none());
        assert!(old.is_over());
    }

    #[test]
    fn short_responses_are_handed_on_as_they_are() {
        let old = in_force();
        let _short = old.limit(Body::Stream(Box::new(Silent(Some(SHORT)))));
        assert_eq!(old.end.connections(), 0);
        let _long = old.limit(Body::Stream(Box::new(Silent(Some(SHORT + 1)))));
        assert_eq!(old.end.connections(), 1);
    }

    #[test]
    fn only_configurations_with_requests_are_kept() {
        let replaced = Replaced::default();
        for _ in 0..1000 {
            replaced.add(&in_force(), Instant::now());
        }
        assert!(replaced.0.borrow().len() <= 1);
    }
}
