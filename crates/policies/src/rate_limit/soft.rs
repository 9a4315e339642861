//! Limits that are counted in the soft store, for all nodes that name it.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis_config::policy::rate_limit::{self, RateLimitFallback};
use portcullis_core::{Ctx, Request};
use portcullis_stores::soft;
use sha2::{Digest, Sha256};

use super::counters::{Judged, MOST_QUOTAS, Standing};
use super::gcra::NEVER;
use super::key::Parts;
use super::limit::{Counted, Limit, bursts, undecided};
use super::refusal;
use super::registry::Registry;
use super::store::{Fallback, Store};

/// The limits of a list that are counted in the store.
#[derive(Debug)]
pub(super) struct Shared {
    store: Arc<Store>,
    limits: Vec<SharedLimit>,
}

#[derive(Debug)]
pub(super) struct SharedLimit {
    /// Counts this node's part while the store is away.
    pub(super) limit: Limit,
    /// What its keys begin with: the same on all nodes, and another one when quotas, bursts or `by` change.
    prefix: Box<[u8]>,
    quotas: Box<[soft::Quota]>,
    on_failure: Fallback,
}

impl SharedLimit {
    pub(super) fn new(
        config: &rate_limit::RateLimit,
        name: &str,
        store: &Store,
        registry: &Registry,
    ) -> Result<SharedLimit, String> {
        let limit = Limit::new(config, name, store.nodes(), registry)?;
        let bursts = bursts(config);
        let quotas = config.quota.iter().zip(&bursts).map(|(quota, burst)| soft::Quota {
            limit: quota.limit,
            per: quota.per,
            burst: *burst,
        });
        Ok(SharedLimit {
            limit,
            prefix: prefix(config, name, &bursts),
            quotas: quotas.collect(),
            on_failure: match config.on_failure {
                RateLimitFallback::Local => Fallback::Local,
                RateLimitFallback::Deny => Fallback::Deny,
                RateLimitFallback::Admit => Fallback::Admit,
            },
        })
    }

    fn key(&self, cx: &Ctx, request: &Request) -> portcullis_core::Result<Vec<u8>> {
        let mut parts = Digested(Sha256::new());
        for part in &self.limit.by {
            part.feed(cx, request, &mut parts).map_err(undecided)?;
        }
        let digest = URL_SAFE_NO_PAD.encode(&parts.0.finalize()[..16]);
        Ok([&self.prefix, digest.as_bytes()].concat())
    }
}

impl Shared {
    /// `None` when there is none of them.
    pub(super) fn new(store: &Arc<Store>, limits: Vec<SharedLimit>) -> Option<Shared> {
        let store = Arc::clone(store);
        (!limits.is_empty()).then_some(Shared { store, limits })
    }

    /// Judges the request under all of them, in one round trip.
    ///
    /// # Errors
    /// The refusal; or that nobody can judge, where the limit wants it so.
    pub(super) async fn judge(&self, cx: &mut Ctx, request: &Request, now: u64) -> portcullis_core::Result<()> {
        let mut question = soft::Question::default();
        let mut asked = Vec::with_capacity(self.limits.len());
        for shared in &self.limits {
            if let Some(cost) = shared.limit.cost(cx, request)? {
                question.limit(&shared.key(cx, request)?, cost, &shared.quotas);
                asked.push((shared, cost));
            }
        }
        if asked.is_empty() {
            return Ok(());
        }
        match self.store.ask(question).await {
            Ok(answer) => told(cx, &asked, &answer),
            Err(soft::Away) => self.without(cx, request, &asked, now),
        }
    }

    /// Goes on without the store, as each limit says.
    #[cold]
    fn without(
        &self,
        cx: &mut Ctx,
        request: &Request,
        asked: &[(&SharedLimit, u32)],
        now: u64,
    ) -> portcullis_core::Result<()> {
        for (shared, _) in asked {
            self.store.count(shared.on_failure);
        }
        if asked.iter().any(|(shared, _)| shared.on_failure == Fallback::Deny) {
            return Err(undecided(soft::Away));
        }
        let mut counted: Vec<(&Limit, Counted)> = Vec::with_capacity(asked.len());
        for (shared, cost) in asked {
            if shared.on_failure == Fallback::Admit {
                continue;
            }
            let limit = &shared.limit;
            // What passes the burst of all nodes together must pass that of this one, too.
            let cost = (*cost).min(limit.counters.burst());
            let this = limit.count_as(cost, cx, request, now)?;
            if !this.judged.admitted {
                for (limit, counted) in &counted {
                    limit.give_back(counted);
                }
                limit.fields.put(&mut cx.answer, &this.judged);
                return Err(refusal(&this.judged));
            }
            counted.push((limit, this));
        }
        for (limit, counted) in counted {
            limit.fields.put(&mut cx.answer, &counted.judged);
        }
        Ok(())
    }
}

/// Passes on what the store said.
fn told(cx: &mut Ctx, asked: &[(&SharedLimit, u32)], answer: &soft::Answer) -> portcullis_core::Result<()> {
    let mut rest = answer.standings.as_slice();
    for (shared, _) in asked {
        let (own, others) = rest.split_at(shared.quotas.len().min(rest.len()));
        rest = others;
        let judged = judged(own);
        if answer.admitted {
            shared.limit.fields.put(&mut cx.answer, &judged);
        } else if !judged.admitted {
            shared.limit.fields.put(&mut cx.answer, &judged);
            return Err(refusal(&judged));
        }
    }
    Ok(())
}

fn judged(told: &[soft::Standing]) -> Judged {
    let mut standings = [Standing::default(); MOST_QUOTAS];
    for (standing, told) in standings.iter_mut().zip(told) {
        *standing = Standing {
            refused: told.refused,
            remaining: told.remaining,
            after: match told.after {
                soft::NEVER => NEVER,
                microseconds => microseconds.saturating_mul(1000),
            },
        };
    }
    Judged {
        admitted: !told.iter().any(|told| told.refused),
        standings,
    }
}

/// A digest that all nodes share: what a client says can't be aimed at another's, and takes the same room whatever it is.
struct Digested(Sha256);

impl Parts for Digested {
    fn part(&mut self, value: Option<&[u8]>) {
        // One more than the length, so that what is missing isn't empty.
        let length = value.map_or(0, |value| value.len() as u64 + 1);
        self.0.update(length.to_be_bytes());
        self.0.update(value.unwrap_or_default());
    }
}

fn prefix(config: &rate_limit::RateLimit, name: &str, bursts: &[u32]) -> Box<[u8]> {
    let mut parts = Digested(Sha256::new());
    for (quota, burst) in config.quota.iter().zip(bursts) {
        parts.part(Some(format!("{quota} {burst}").as_bytes()));
    }
    parts.part(None);
    for key in &config.by {
        parts.part(Some(key.to_string().as_bytes()));
    }
    let identity = URL_SAFE_NO_PAD.encode(&parts.0.finalize()[..6]);
    format!("portcullis:rate_limit:{name}:{identity}:").into_bytes().into()
}
