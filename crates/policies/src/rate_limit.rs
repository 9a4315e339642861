//! `rate_limit` bounds how often a client may ask.
//!
//! ```yaml
//! rate_limit: {quota: 100/1m, burst: 20, by: client_ip}
//! rate_limit:
//!   - {quota: [10/1s, 1000/1h], by: [consumer, route]}
//!   - {quota: 50/1s, by: claim:tenant, cost: "request.method == 'GET' ? 1 : 5", store: soft}
//! ```
//!
//! Requests are spread evenly: `100/1m` lets one through each 0.6 s, and up to `burst` of them at once (by default as
//! many as the quota) after a pause. One more is refused with 429 (`rate_limited`) and `Retry-After`. Every answer that
//! passes here carries `RateLimit-Policy` and `RateLimit`, as revision 11 of draft-ietf-httpapi-ratelimit-headers
//! has them, unless `headers` says otherwise. Of several quotas and of several limits each must let a request through, and
//! one that doesn't takes nothing from the others.
//!
//! `by` tells clients apart: by address (for IPv6 the /64 network, which is what one customer gets), by what they sent,
//! by who they are, or by several of these together. Requests without it, and those with several fields of that name,
//! share one quota. Limits that ask who a client is stand behind what finds that out, all others before.
//!
//! A named set of policies that several routes use counts their requests together. Counts are exact over all workers of
//! a node, and a reload that leaves name, quotas, bursts and `by` as they are loses none. A million clients can be told
//! apart at a time by each limit. When there are more, those that are known are judged as before, and each group of
//! strangers shares the quota of one client until others have been silent for long enough.
//!
//! In the store `soft` all nodes that name the same server count together, exactly, in one round trip for all limits of a
//! list. While the server is away nobody waits for it: `on_failure` says whether this node goes on with its share, refuses
//! (503, `guard_unavailable`) or lets all through. Each time it goes, a client may have this node's share of a burst anew;
//! when it comes back without its counts, a whole burst.

pub mod counters;
pub mod gcra;
pub mod key;
pub mod registry;
pub mod store;

mod clock;
mod fields;
mod limit;
mod soft;

use std::sync::Arc;

use portcullis_config::policy::rate_limit::{self, RateLimitStore};
use portcullis_core::{Ctx, Error, Known, Next, Policy, Reply, Request, codes};

use counters::Judged;
use gcra::NEVER;
use limit::{Counted, Limit};
use registry::Registry;
use soft::{Shared, SharedLimit};
use store::Store;

/// Bounds how often a client may ask.
#[derive(Debug)]
pub struct RateLimit {
    here: Vec<Limit>,
    shared: Option<Shared>,
}

/// A list of limits, parted by where they stand.
#[derive(Debug, Default)]
pub struct Stages {
    /// Those that any request can be judged by, before it is known who it comes from.
    pub before: Option<RateLimit>,
    /// Those that ask who it is.
    pub behind: Option<RateLimit>,
}

/// Where limits are counted.
#[derive(Clone, Copy, Debug)]
pub struct Where<'w> {
    /// The counts of this node.
    pub registry: &'w Registry,
    /// The server that several nodes share, where the file names one.
    pub store: Option<&'w Arc<Store>>,
}

/// Limits of a list that stand in one place.
#[derive(Default)]
struct Sorted {
    here: Vec<Limit>,
    shared: Vec<SharedLimit>,
}

impl Stages {
    /// Compiles what the file says. `name` is that of the policy set, or of the route for a set of its own: clients see
    /// it, and together with quotas, bursts and `by` it finds the counts of the time before a reload.
    ///
    /// # Errors
    /// When quota or burst admit nobody, a period can't be counted, or an expression can't be used.
    pub fn new(config: &[rate_limit::RateLimit], name: &str, counted: Where<'_>) -> Result<Stages, String> {
        let mut sorted = [Sorted::default(), Sorted::default()];
        for (at, config) in config.iter().enumerate() {
            // The first one has the name by itself, as if it were the only one.
            let of_list = match at {
                0 => name.to_owned(),
                _ => format!("{name}-{}", at + 1),
            };
            let name = config.name.clone().unwrap_or(of_list);
            let store = counted.store.filter(|_| config.store != Some(RateLimitStore::Node));
            match store {
                Some(store) => {
                    let limit = SharedLimit::new(config, &name, store, counted.registry)?;
                    sorted[usize::from(limit.limit.needs_identity())].shared.push(limit);
                }
                None => {
                    let limit = Limit::new(config, &name, 1, counted.registry)?;
                    sorted[usize::from(limit.needs_identity())].here.push(limit);
                }
            }
        }
        let [before, behind] = sorted.map(|sorted| sorted.into_policy(counted.store));
        Ok(Stages { before, behind })
    }
}

impl Sorted {
    fn into_policy(self, store: Option<&Arc<Store>>) -> Option<RateLimit> {
        let shared = store.and_then(|store| Shared::new(store, self.shared));
        let any = shared.is_some() || !self.here.is_empty();
        any.then_some(RateLimit {
            here: self.here,
            shared,
        })
    }
}

impl RateLimit {
    /// Judges by what this node counts; gives what was counted, if that is to be told or given back later.
    fn judge(&self, cx: &mut Ctx, request: &Request, now: u64) -> Result<Vec<(usize, Counted)>, Error> {
        let alone = self.here.len() == 1 && self.shared.is_none();
        let mut counted = Vec::new();
        for (at, limit) in self.here.iter().enumerate() {
            let this = match limit.count(cx, request, now) {
                Ok(Some(this)) => this,
                Ok(None) => continue,
                Err(error) => {
                    self.give_back(&counted);
                    return Err(error);
                }
            };
            if !this.judged.admitted {
                self.give_back(&counted);
                limit.fields.put(&mut cx.answer, &this.judged);
                return Err(refusal(&this.judged));
            }
            if alone {
                limit.fields.put(&mut cx.answer, &this.judged);
            } else {
                counted.push((at, this));
            }
        }
        Ok(counted)
    }

    fn give_back(&self, counted: &[(usize, Counted)]) {
        for (at, counted) in counted {
            self.here[*at].give_back(counted);
        }
    }

    fn tell(&self, cx: &mut Ctx, counted: &[(usize, Counted)]) {
        for (at, counted) in counted {
            self.here[*at].fields.put(&mut cx.answer, &counted.judged);
        }
    }
}

impl Policy for RateLimit {
    fn call<'a>(&'a self, cx: &'a mut Ctx, request: Request, next: Next<'a>) -> Reply<'a> {
        let now = clock::nanoseconds(cx.started);
        let counted = match self.judge(cx, &request, now) {
            Ok(counted) => counted,
            Err(error) => return error.into(),
        };
        let Some(shared) = &self.shared else {
            self.tell(cx, &counted);
            return next.run(cx, request);
        };
        Reply::later(async move {
            if let Err(error) = shared.judge(cx, &request, now).await {
                self.give_back(&counted);
                return Err(error);
            }
            self.tell(cx, &counted);
            next.run(cx, request).await
        })
    }
}

#[cold]
fn refusal(judged: &Judged) -> Error {
    let refused = judged.standings.iter().filter(|standing| standing.refused);
    let wait = refused.map(|standing| standing.after).max().unwrap_or(0);
    let error = Error::new(&codes::RATE_LIMITED).by_policy("rate_limit");
    if wait == NEVER {
        return error.with_detail("the request costs more than may pass at once");
    }
    let seconds = fields::whole_seconds(wait).max(1);
    error
        .with_detail(format!("ask again in {seconds} s"))
        .with_header(Known::RetryAfter, seconds.to_string())
}

#[cfg(test)]
mod tests;
