//! Many who want to know the same at the same time, of whom one asks.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::recent::Mark;

/// Questions under way, by their hashes. Whoever asks what somebody is asking already waits for that answer. When the one who
/// asks goes away, the next who waits asks in its place. There are never more than requests that wait.
pub(crate) struct SingleFlight<T> {
    flights: Mutex<HashMap<Mark, Weak<Flight<T>>>>,
}

type Flight<T> = tokio::sync::Mutex<Option<T>>;

impl<T: Clone> SingleFlight<T> {
    pub(crate) fn new() -> SingleFlight<T> {
        SingleFlight {
            flights: Mutex::default(),
        }
    }

    /// The answer to the question of that hash, from whoever asks it.
    pub(crate) async fn answer(&self, mark: &Mark, ask: impl Future<Output = T>) -> T {
        let joined = Joined {
            flight: self.join(mark),
            mark,
            all: self,
        };
        let mut landed = joined.flight.lock().await;
        if let Some(answer) = &*landed {
            return answer.clone();
        }
        let answer = ask.await;
        *landed = Some(answer.clone());
        // Whoever comes from now on asks anew: how long an answer holds is not decided here.
        self.flights().remove(mark);
        answer
    }

    fn join(&self, mark: &Mark) -> Arc<Flight<T>> {
        let mut flights = self.flights();
        if let Some(flight) = flights.get(mark).and_then(Weak::upgrade) {
            return flight;
        }
        let flight = Arc::new(Flight::new(None));
        flights.insert(*mark, Arc::downgrade(&flight));
        flight
    }

    fn flights(&self) -> MutexGuard<'_, HashMap<Mark, Weak<Flight<T>>>> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One who waits. The last one who goes takes the flight with it.
struct Joined<'s, T: Clone> {
    flight: Arc<Flight<T>>,
    mark: &'s Mark,
    all: &'s SingleFlight<T>,
}

impl<T: Clone> Drop for Joined<'_, T> {
    fn drop(&mut self) {
        let mut flights = self.all.flights();
        let is_ours = |known: &Weak<Flight<T>>| std::ptr::eq(known.as_ptr(), Arc::as_ptr(&self.flight));
        if Arc::strong_count(&self.flight) == 1 && flights.get(self.mark).is_some_and(is_ours) {
            flights.remove(self.mark);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn poll<T>(future: std::pin::Pin<&mut impl Future<Output = T>>) -> Poll<T> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn one_asks_for_all() {
        let flights = SingleFlight::new();
        let asked = Cell::new(0);
        let (answer, waits) = tokio::sync::oneshot::channel();
        let ask = async {
            asked.set(asked.get() + 1);
            waits.await.ok()
        };
        let mut first = pin!(flights.answer(&[1; 32], ask));
        let mut second = pin!(flights.answer(&[1; 32], async {
            asked.set(asked.get() + 1);
            None
        }));
        assert!(poll(first.as_mut()).is_pending());
        assert!(poll(second.as_mut()).is_pending());
        answer.send(7).expect("somebody waits");
        assert_eq!(poll(first.as_mut()), Poll::Ready(Some(7)));
        assert_eq!(poll(second.as_mut()), Poll::Ready(Some(7)));
        assert_eq!(asked.get(), 1);
        assert!(flights.flights().is_empty());
    }

    #[test]
    fn when_the_one_who_asks_goes_away_another_asks() {
        let flights = SingleFlight::new();
        let mut first = Box::pin(flights.answer(&[1; 32], std::future::pending()));
        let mut second = pin!(flights.answer(&[1; 32], async { 2 }));
        assert!(poll(first.as_mut()).is_pending());
        assert!(poll(second.as_mut()).is_pending());
        drop(first);
        assert_eq!(poll(second.as_mut()), Poll::Ready(2));
        let mut third = Box::pin(flights.answer(&[1; 32], std::future::pending()));
        assert!(poll(third.as_mut()).is_pending());
        assert_eq!(flights.flights().len(), 1);
        drop(third);
        assert!(flights.flights().is_empty());
    }
}
