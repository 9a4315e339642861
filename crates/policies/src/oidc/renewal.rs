//! Sessions that their provider is asked about.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;

use super::provider::{Failure, Provider};
use super::session::{Known, Session};
use crate::claimed::Claimed;
use crate::recent::{Mark, Recent};
use crate::single_flight::SingleFlight;

/// For how long requests with the cookie of before get the session that was renewed: those that were under way with it. The
/// token of before is no good any more.
const RENEWED_FOR: Duration = Duration::from_secs(60);

/// How many of them are known.
const RENEWED: usize = 20_000;

/// Renews sessions, each once for all requests that wait for that.
pub(super) struct Renewals {
    provider: Arc<Provider>,
    claimed: Arc<Claimed>,
    runtime: Handle,
    flights: SingleFlight<Renewal>,
    renewed: Recent<Arc<Known>>,
}

/// What the provider says of a session.
#[derive(Clone)]
pub(super) enum Renewal {
    Holds(Arc<Known>),
    Over,
    Away(Arc<str>),
}

impl Renewals {
    pub(super) fn new(provider: Arc<Provider>, claimed: Arc<Claimed>, runtime: Handle) -> Arc<Renewals> {
        Arc::new(Renewals {
            provider,
            claimed,
            runtime,
            flights: SingleFlight::new(),
            renewed: Recent::new(RENEWED),
        })
    }

    /// What the session of that cookie was renewed to a short while ago.
    pub(super) fn find(&self, mark: &Mark) -> Option<Arc<Known>> {
        self.renewed.find(mark, Instant::now())
    }

    /// Asks the provider whether the session of that cookie still holds.
    ///
    /// It is a task of its own, so that no client who goes away can break it off: providers that give a new token for the old one
    /// take the old one for stolen if it comes again.
    pub(super) async fn renew(self: &Arc<Renewals>, mark: Mark, known: &Arc<Known>, now: u64) -> Renewal {
        let (all, known) = (self.clone(), known.clone());
        let renewing = async move { all.flights.answer(&mark, all.renewal(mark, &known.session, now)).await };
        let renewal = self.runtime.spawn(renewing).await;
        renewal.unwrap_or_else(|_| Renewal::Away("the program ends".into()))
    }

    async fn renewal(&self, mark: Mark, session: &Session, now: u64) -> Renewal {
        if let Some(renewed) = self.find(&mark) {
            return Renewal::Holds(renewed);
        }
        let known = match self.renewed_session(session, now).await {
            Ok(session) => session.known(&self.claimed),
            Err(Failure::Refused(_)) => return Renewal::Over,
            Err(Failure::Away(why)) => return Renewal::Away(why),
        };
        let Ok(renewed) = known.map(Arc::new) else {
            return Renewal::Over;
        };
        self.renewed.keep(mark, Instant::now() + RENEWED_FOR, renewed.clone());
        Renewal::Holds(renewed)
    }

    async fn renewed_session(&self, session: &Session, now: u64) -> Result<Session, Failure> {
        let Some(token) = &session.refresh_token else {
            return Err(Failure::Refused("there is no token to renew the session by".into()));
        };
        let tokens = self.provider.renew(token).await?;
        let claims = match &tokens.id_token {
            Some(token) => Some(self.provider.verify(token, None, now).await?),
            None => None,
        };
        // OpenID Connect Core 1.0 §12.2: it must be about the same person.
        if claims
            .as_ref()
            .is_some_and(|claims| claims.get("sub") != session.claims.get("sub"))
        {
            return Err(Failure::Refused("the provider speaks of somebody else".into()));
        }
        Ok(session.renewed(claims, tokens, now))
    }
}
