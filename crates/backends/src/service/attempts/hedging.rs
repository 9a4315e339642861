//! A second attempt beside the first, once that takes longer than most do.

use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use portcullis_config::service::{self as written, HedgeDelay};
use portcullis_core::{Ctx, Interim};
use portcullis_resilience::Moment;
use portcullis_resilience::members::Member;
use portcullis_resilience::percentile::{Histogram, Remembered, Settings};

use super::{Ended, Sent, Tried, Wish, attempt, find_room, learn, limited};
use crate::service::outgoing::{Content, Outgoing};
use crate::service::target::Turn;
use crate::service::{Pool, shard};

/// What a service says about second attempts.
pub(in crate::service) struct Hedge {
    after: After,
    attempts: u32,
}

enum After {
    Fixed(Duration),
    Percentile(Histogram, Remembered),
}

/// How fast latencies are forgotten, and how many are believed. With fewer, nothing is sent twice.
const LATELY: Settings = Settings {
    half_life: Duration::from_secs(30),
    minimum: 100,
};

impl Hedge {
    /// For so many workers.
    pub(in crate::service) fn new(config: &written::Hedge, workers: usize) -> Hedge {
        Hedge {
            after: match config.after {
                HedgeDelay::Fixed(span) => After::Fixed(span.0),
                HedgeDelay::Percentile(share) => {
                    After::Percentile(Histogram::new(LATELY, workers), Remembered::new(share))
                }
            },
            attempts: config.attempts,
        }
    }

    fn delay(&self, now: Moment) -> Option<Duration> {
        match &self.after {
            After::Fixed(delay) => Some(*delay),
            After::Percentile(histogram, remembered) => remembered.get(histogram, now),
        }
    }

    fn observe(&self, took: Duration, now: Moment) {
        if let After::Percentile(histogram, _) = &self.after {
            histogram.observe(shard(), took, now);
        }
    }
}

/// An attempt under way.
struct Runner<'r> {
    ending: Pin<Box<dyn Future<Output = Ended> + 'r>>,
    /// It was begun beside the first.
    is_hedge: bool,
}

impl<'r> Runner<'r> {
    fn start(
        pool: &'r Pool,
        outgoing: &'r Outgoing,
        interim: Option<Rc<dyn Interim>>,
        turn: Turn,
        (body, pass): Sent<'r>,
        may_reuse: bool,
    ) -> Runner<'r> {
        let begun = pass.begun();
        let how = (Instant::now(), may_reuse);
        Runner {
            ending: Box::pin(async move {
                let ended = match pool.retry.per_try_timeout {
                    None => attempt(pool, interim, outgoing, turn, body, how).await,
                    Some(limit) => limited(limit, pool, interim, outgoing, turn, body, how).await,
                };
                learn(pool, &ended, pass, begun, Moment::of(how.0));
                ended
            }),
            is_hedge: false,
        }
    }
}

/// Sends the request, and once more to others where that takes long. The first response wins; the other attempts are dropped, which breaks them
/// off. Without a response, the end of the last attempt is what came of it.
#[allow(
    clippy::too_many_arguments,
    reason = "they are what an attempt needs, and one call hands them on"
)]
pub(super) async fn race<'r>(
    pool: &'r Pool,
    hedge: &Hedge,
    cx: &mut Ctx,
    wish: Wish,
    outgoing: &'r Outgoing,
    content: &Content,
    tried: &mut Tried,
    (turn, sent): (Turn, Sent<'r>),
) -> Ended {
    let started = Instant::now();
    tried.targets.push(turn.target().identity());
    let mut runners = vec![Runner::start(
        pool,
        outgoing,
        cx.interim.clone(),
        turn,
        sent,
        !tried.stale,
    )];
    let mut hedges = 0;
    let delay = hedge.delay(Moment::of(started));
    // Without a delay nothing is sent twice.
    let mut sleep = Box::pin(tokio::time::sleep(delay.unwrap_or_default()));
    let ended = poll_fn(|task| {
        loop {
            if let Some(ended) = first_ended(&mut runners, task) {
                return Poll::Ready(ended);
            }
            if delay.is_none() || hedges == hedge.attempts || sleep.as_mut().poll(task).is_pending() {
                return Poll::Pending;
            }
            hedges += 1;
            sleep
                .as_mut()
                .reset(tokio::time::Instant::now() + delay.unwrap_or_default());
            if let Some((turn, sent)) = second(pool, wish, content, tried) {
                cx.upstream.attempts += 1;
                pool.membership.tallies.hedges.fetch_add(1, Ordering::Relaxed);
                // Early hints come from one server, or they would contradict each other.
                let runner = Runner::start(pool, outgoing, None, turn, sent, true);
                runners.push(Runner {
                    is_hedge: true,
                    ..runner
                });
            }
        }
    })
    .await;
    let (ended, is_hedge) = ended;
    if let Ok(answer) = &ended.result {
        // Attempts that lost took at least as long as until now, and don't count: a slow target would raise the percentile
        // until nothing was hedged any more.
        hedge.observe(
            answer.first_byte.unwrap_or_else(|| started.elapsed()),
            Moment::of(Instant::now()),
        );
        if is_hedge {
            pool.membership.tallies.hedges_won.fetch_add(1, Ordering::Relaxed);
        }
    }
    ended
}

/// The first response; or the end of the last attempt.
fn first_ended(runners: &mut Vec<Runner<'_>>, task: &mut Context<'_>) -> Option<(Ended, bool)> {
    let mut at = 0;
    while let Some(runner) = runners.get_mut(at) {
        match runner.ending.as_mut().poll(task) {
            Poll::Ready(ended) => {
                let runner = runners.swap_remove(at);
                if ended.result.is_ok() || runners.is_empty() {
                    return Some((ended, runner.is_hedge));
                }
            }
            Poll::Pending => at += 1,
        }
    }
    None
}

/// Another target with room, and the body for it, where the budget allows that.
fn second<'p>(pool: &'p Pool, wish: Wish, content: &Content, tried: &mut Tried) -> Option<(Turn, Sent<'p>)> {
    let pass = pool.protection.admit().ok()?;
    let now = Moment::of(Instant::now());
    let turn = find_room(pool, &pool.membership.now(), wish, &tried.targets, now).ok()??;
    let identity = turn.target().identity();
    if tried.targets.contains(&identity) {
        return None;
    }
    let body = content.copy()?;
    if !pool.budget.try_retry(Moment::of(Instant::now())) {
        pool.membership.tallies.retries_denied.fetch_add(1, Ordering::Relaxed);
        return None;
    }
    tried.targets.push(identity);
    Some((turn, (body, pass)))
}
