//! The attempts to have a request answered: at which targets, how often, and at what cost to the service.

mod hedging;

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use portcullis_core::{Body, Ctx, Error, Interim, Response, Result, codes};
use portcullis_resilience::Moment;
use portcullis_resilience::balance::Asked;
use portcullis_resilience::members::{Member, Members};

pub(super) use self::hedging::Hedge;
use super::membership::Reason;
use super::outgoing::{Attempt, Content, Kind, Outgoing};
use super::pending::Waited;
use super::protection::Pass;
use super::target::{Met, Target, Turn};
use super::{Pool, Way, over_http1, over_http2, retry, shard};

/// A response, and how long its head took from the request's first byte.
pub(super) struct Answer {
    pub(super) response: Response,
    pub(super) first_byte: Option<Duration>,
}

/// How an attempt ended, and at which target.
struct Ended {
    target: Arc<Target>,
    result: std::result::Result<Answer, Attempt>,
}

/// What a request asks of the choice of a target, whatever the attempt.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Wish {
    /// See [`Asked::key`].
    pub(super) key: Option<u64>,
    /// See [`Asked::sticky`].
    pub(super) sticky: Option<u64>,
}

/// What an attempt sends, and the right to.
type Sent<'p> = (Body, Pass<'p>);

/// What was tried for a request so far.
struct Tried {
    /// The identities of the targets. Nothing is allocated before something fails.
    targets: Vec<u64>,
    /// How often it was sent again, and paid for.
    repeats: u32,
    /// Whether a kept connection was found ended: another kept one would be no safer.
    stale: bool,
}

/// When an attempt begins, for timers and for those who judge.
#[derive(Clone, Copy)]
struct Start {
    instant: Instant,
    moment: Moment,
}

impl Start {
    fn at(instant: Instant) -> Start {
        Start {
            instant,
            moment: Moment::of(instant),
        }
    }
}

/// Has a request answered by one of the pool's targets, and tells by which.
pub(super) async fn answer(
    pool: &Pool,
    cx: &mut Ctx,
    wish: Wish,
    outgoing: &Outgoing,
    content: &mut Content,
) -> Result<(Response, Arc<Target>)> {
    let mut tried = Tried {
        targets: Vec::new(),
        repeats: 0,
        stale: false,
    };
    let mut now = Start::at(cx.started);
    pool.budget.request(shard(), now.moment);
    loop {
        let pass = pool.protection.admit()?;
        let turn = match room_now(pool, wish, &tried, now.moment)? {
            Some(turn) => turn,
            // Boxed, as all that most requests don't need.
            None => Box::pin(room(pool, wish, outgoing, &tried)).await?,
        };
        let Some(body) = content.take() else {
            return Err(Error::new(&codes::INTERNAL).with_cause("the body was sent already"));
        };
        cx.upstream.attempts += 1;
        let ended = match (&pool.hedge, pool.retry.per_try_timeout) {
            (Some(hedge), _) if outgoing.idempotent && content.can_be_shared() => {
                let first = (turn, (body, pass));
                Box::pin(hedging::race(
                    pool, hedge, cx, wish, outgoing, content, &mut tried, first,
                ))
                .await
            }
            (_, limit) => {
                let begun = pass.begun();
                let how = (now.instant, !tried.stale);
                let interim = cx.interim.clone();
                let ended = match limit {
                    None => attempt(pool, interim, outgoing, turn, body, how).await,
                    Some(limit) => Box::pin(limited(limit, pool, interim, outgoing, turn, body, how)).await,
                };
                learn(pool, &ended, pass, begun, now.moment);
                ended
            }
        };
        cx.upstream.target = Some(ended.target.label.clone());
        let target = ended.target;
        let pause = match ended.result {
            Ok(answer) => match tried.better(pool, outgoing, content, &target, &answer.response) {
                Some(pause) => pause,
                None => {
                    cx.upstream.first_byte = answer.first_byte;
                    return Ok((answer.response, target));
                }
            },
            Err(attempt) => tried.again(pool, outgoing, content, &target, attempt)?,
        };
        if !pause.is_zero() {
            Box::pin(wait(pause, outgoing.deadline)).await?;
        }
        now = Start::at(Instant::now());
    }
}

/// Sends the request to the target of that turn and waits for the head of its response. With the moment, it is told whether
/// a kept connection may be used.
async fn attempt(
    pool: &Pool,
    interim: Option<Rc<dyn Interim>>,
    outgoing: &Outgoing,
    turn: Turn,
    body: Body,
    (now, may_reuse): (Instant, bool),
) -> Ended {
    let target = turn.target().clone();
    if let Err(error) = outgoing.address_to(&target, pool) {
        let result = Err(Attempt::new(Kind::Request, error));
        return Ended { target, result };
    }
    let way = match pool.kept_way(turn, now, may_reuse, outgoing) {
        Ok(way) => Ok(way),
        // Boxed, for a new connection needs much room, and most requests need none.
        Err(turn) => Box::pin(pool.new_way(turn, now, may_reuse, outgoing)).await,
    };
    let result = match way {
        Ok(Way::Http1(way)) => over_http1::attempt(pool, interim, &target, way, outgoing, body).await,
        Ok(Way::Http2(way)) => over_http2::attempt(pool, interim, &target, way, outgoing, body).await,
        Err(error) => Err(Attempt::untouched(without_connection(&error), error, body)),
    };
    Ended { target, result }
}

/// The same, within so much time.
async fn limited(
    limit: Duration,
    pool: &Pool,
    interim: Option<Rc<dyn Interim>>,
    outgoing: &Outgoing,
    turn: Turn,
    body: Body,
    how: (Instant, bool),
) -> Ended {
    let target = turn.target().clone();
    let attempt = attempt(pool, interim, outgoing, turn, body, how);
    tokio::time::timeout(limit, attempt).await.unwrap_or_else(|_| {
        let error = Error::new(&codes::UPSTREAM_TIMEOUT).with_cause("the time of one attempt was over");
        let result = Err(Attempt::new(Kind::Timeout, error));
        Ended { target, result }
    })
}

/// Tells those who judge the target and the service how an attempt ended that was begun at `now`.
fn learn(pool: &Pool, ended: &Ended, pass: Pass<'_>, begun: Option<Instant>, now: Moment) {
    let met = met(&ended.result);
    pass.ended(met.as_ref().map(|(met, _)| met), begun);
    if let Some((met, took)) = met
        && ended.target.ended(met, took, now, pool.rules.outlier.as_ref())
    {
        pool.membership.watch.stir();
    }
}

/// What it means that there is no connection. Where the request's own time was over, or the gate lacks something, another target would not
/// help.
fn without_connection(error: &Error) -> Kind {
    let code = error.code();
    if [&codes::UPSTREAM_TIMEOUT, &codes::OVERLOADED, &codes::INTERNAL]
        .iter()
        .any(|ours| code.name == ours.name)
    {
        return Kind::Request;
    }
    Kind::Connect
}

/// What the end of an attempt says about the target; nothing where it says nothing.
fn met(result: &std::result::Result<Answer, Attempt>) -> Option<(Met, Option<Duration>)> {
    match result {
        Ok(answer) => Some((Met::Status(answer.response.status), answer.first_byte)),
        Err(attempt) => match attempt.kind {
            Kind::Connect => Some((Met::Unreachable, None)),
            Kind::Reset => Some((Met::Broken, None)),
            Kind::Timeout => Some((Met::Timeout, None)),
            Kind::Final if attempt.error.code().name == codes::UPSTREAM_TIMEOUT.name => Some((Met::Timeout, None)),
            Kind::Final => Some((Met::Broken, None)),
            // A server that ends idle connections, or says that it is leaving, does what it should.
            Kind::Stale | Kind::Unprocessed | Kind::Request => None,
        },
    }
}

/// A target with room for one more request, where nobody else waits for one and nothing has to be waited for.
fn room_now(pool: &Pool, wish: Wish, tried: &Tried, now: Moment) -> Result<Option<Turn>> {
    if pool.max_pending.requests > 0 && pool.membership.pending.has_queue() {
        return Ok(None);
    }
    let members = pool.membership.now();
    if members.seats().is_empty() {
        return Ok(None);
    }
    find_room(pool, &members, wish, &tried.targets, now)
}

/// Waits for a target with room for one more request.
async fn room(pool: &Pool, wish: Wish, outgoing: &Outgoing, tried: &Tried) -> Result<Turn> {
    if pool.membership.now().seats().is_empty() {
        pool.membership.arrival(pool.timeout.connect.0).await?;
        if let Some(turn) = room_now(pool, wish, tried, Moment::of(Instant::now()))? {
            return Ok(turn);
        }
    }
    if pool.max_pending.requests == 0 {
        return Err(busy());
    }
    queue(pool, wish, outgoing, tried).await
}

async fn queue(pool: &Pool, wish: Wish, outgoing: &Outgoing, tried: &Tried) -> Result<Turn> {
    let (membership, limits) = (&pool.membership, &pool.max_pending);
    let due = Instant::now() + limits.timeout.0;
    let due = outgoing.deadline.map_or(due, |deadline| due.min(deadline));
    membership.tallies.queued.fetch_add(1, Ordering::Relaxed);
    loop {
        let patience = due.saturating_duration_since(Instant::now());
        match membership.pending.wait(limits.requests, patience).await {
            Waited::Freed => {
                let now = Moment::of(Instant::now());
                if let Some(turn) = find_room(pool, &membership.now(), wish, &tried.targets, now)? {
                    return Ok(turn);
                }
            }
            Waited::Full => return Err(busy()),
            Waited::Timeout => {
                membership.tallies.queue_timeouts.fetch_add(1, Ordering::Relaxed);
                return Err(busy());
            }
        }
    }
}

fn busy() -> Error {
    Error::new(&codes::UPSTREAM_BUSY).with_header("Retry-After", "1")
}

/// How many targets are asked for room.
const LOOKS: usize = 8;

/// A target with room for one more request, if the balancer finds one.
fn find_room(pool: &Pool, members: &Members<Target>, wish: Wish, tried: &[u64], now: Moment) -> Result<Option<Turn>> {
    let choose = |tried: &[u64]| {
        let asked = Asked {
            now,
            key: wish.key,
            sticky: wish.sticky,
            tried,
        };
        pool.balancer.choose(members, &asked, || fastrand::u64(..))
    };
    let Some(target) = choose(tried) else {
        return Err(Error::new(&codes::UPSTREAM_UNAVAILABLE));
    };
    if let Some(turn) = target.enter(pool.max_connections) {
        return Ok(Some(turn));
    }
    let mut full = [tried, &[target.identity()]].concat();
    for _ in 1..LOOKS.min(members.seats().len()) {
        match choose(&full) {
            Some(target) if !full.contains(&target.identity()) => match target.enter(pool.max_connections) {
                Some(turn) => return Ok(Some(turn)),
                None => full.push(target.identity()),
            },
            _ => break,
        }
    }
    Ok(None)
}

impl Tried {
    /// What to do after an attempt came to nothing: how long to wait before the next.
    ///
    /// # Errors
    /// The attempt's own, where there is to be no other.
    fn again(
        &mut self,
        pool: &Pool,
        outgoing: &Outgoing,
        content: &mut Content,
        target: &Target,
        attempt: Attempt,
    ) -> Result<Duration> {
        let Some(reason) = pool.retry.after(attempt.kind, outgoing.idempotent) else {
            return Err(attempt.error);
        };
        content.give_back(attempt.unsent);
        if !content.is_left() || !self.may_repeat(pool, reason) {
            return Err(attempt.error);
        }
        if reason == Reason::Stale {
            // That an idle connection had ended says nothing against the target, and whoever is kept with it stays.
            return Ok(Duration::ZERO);
        }
        Ok(self.next(pool, target, None).unwrap_or_default())
    }

    /// How long to wait before another attempt that may have a better end than this response; `None` where there is to be none.
    fn better(
        &mut self,
        pool: &Pool,
        outgoing: &Outgoing,
        content: &Content,
        target: &Target,
        response: &Response,
    ) -> Option<Duration> {
        if !pool.retry.is_unwelcome(response, outgoing) || !outgoing.idempotent || !content.is_left() {
            return None;
        }
        // Whether there is time for it is found out before it is paid for.
        let pause = self.next(pool, target, retry::retry_after(response))?;
        self.may_repeat(pool, Reason::Status).then_some(pause)
    }

    /// Whether a request may be sent again for that reason, which is then counted.
    fn may_repeat(&mut self, pool: &Pool, reason: Reason) -> bool {
        let tallies = &pool.membership.tallies;
        if reason == Reason::Stale && !self.stale {
            // Nothing was begun with, and the next connection is a new one: it costs the target nothing.
            self.stale = true;
            tallies.retried(reason);
            return true;
        }
        if self.repeats >= pool.retry.attempts {
            return false;
        }
        if !pool.budget.try_retry(Moment::of(Instant::now())) {
            tallies.retries_denied.fetch_add(1, Ordering::Relaxed);
            return false;
        }
        self.repeats += 1;
        self.stale = true;
        tallies.retried(reason);
        true
    }

    /// How long to wait before the next attempt: not at all, where there is a good target that was not tried.
    fn next(&mut self, pool: &Pool, target: &Target, retry_after: Option<Duration>) -> Option<Duration> {
        let identity = target.identity();
        if !self.targets.contains(&identity) {
            self.targets.push(identity);
        }
        let now = Moment::of(Instant::now());
        let members = pool.membership.now();
        let other = members
            .seats()
            .iter()
            .any(|seat| seat.member.standing().is_good(now) && !self.targets.contains(&seat.member.identity()));
        if other {
            return Some(Duration::ZERO);
        }
        pool.retry.pause(self.repeats.max(1), retry_after)
    }
}

/// Waits, unless the request's time would be over.
async fn wait(pause: Duration, deadline: Option<Instant>) -> Result<()> {
    let until = Instant::now() + pause;
    if deadline.is_some_and(|deadline| deadline <= until) {
        return Err(Error::new(&codes::UPSTREAM_TIMEOUT).with_cause("no time was left for another attempt"));
    }
    tokio::time::sleep(pause).await;
    Ok(())
}
