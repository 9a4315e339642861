//! A bounded queue between the workers that ask and the threads that own connections.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// A queue of at most `limit` items that wait.
pub(super) struct Queue<T> {
    limit: usize,
    state: Mutex<State<T>>,
    changed: Condvar,
}

struct State<T> {
    items: VecDeque<T>,
    waiting: usize,
    closed: bool,
}

impl<T> Queue<T> {
    pub(super) fn new(limit: usize) -> Queue<T> {
        Queue {
            limit: limit.max(1),
            state: Mutex::new(State {
                items: VecDeque::new(),
                waiting: 0,
                closed: false,
            }),
            changed: Condvar::new(),
        }
    }

    /// Adds an item, or gives it back when the queue is full or closed. Never waits for room. Tells whether a thread
    /// waits for it.
    pub(super) fn push(&self, item: T) -> Result<bool, T> {
        let mut state = self.lock();
        if state.closed || state.items.len() >= self.limit {
            return Err(item);
        }
        state.items.push_back(item);
        let taken = state.waiting >= state.items.len();
        let wake = state.waiting > 0;
        drop(state);
        if wake {
            self.changed.notify_one();
        }
        Ok(taken)
    }

    /// The next item, as soon as there is one; `None` once the queue is closed and empty.
    pub(super) fn pop(&self) -> Option<T> {
        let mut state = self.lock();
        loop {
            if let Some(item) = state.items.pop_front() {
                return Some(item);
            }
            if state.closed {
                return None;
            }
            state.waiting += 1;
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.waiting -= 1;
        }
    }

    /// The next item, where one is there already.
    pub(super) fn pop_ready(&self) -> Option<T> {
        self.lock().items.pop_front()
    }

    /// How many items wait, and how many threads wait for one.
    pub(super) fn waiting(&self) -> (usize, usize) {
        let state = self.lock();
        (state.items.len(), state.waiting)
    }

    /// Takes no more items; those that wait are still given out.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        // The state is consistent between any two statements above, so a thread that died holding the lock does no harm.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_comes_back() {
        let queue = Queue::new(1);
        assert_eq!(queue.push(1), Ok(false));
        assert_eq!(queue.push(2), Err(2));
        assert_eq!(queue.pop(), Some(1));
        assert_eq!(queue.push(3), Ok(false));
        queue.close();
        assert_eq!(queue.push(4), Err(4));
        assert_eq!((queue.pop(), queue.pop()), (Some(3), None));
    }
}
