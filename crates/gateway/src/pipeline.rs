//! The way of one request: who asks, which route claims it, its policies, its backend, its answer.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::{Duration, Instant};

use portcullis_config::bans::BanAnswer;
use portcullis_core::codes::Fault;
use portcullis_core::{
    Arrival, Backend, Connection, Ctx, Error, Handler, Known, Method, Next, Outcome, Reply, Request, Response, Sent,
    Version, Watch, codes, grpc,
};
use portcullis_http1::hop_by_hop;

use crate::acme;
use crate::bans::{self, Held};
use crate::client_identity;
use crate::https_redirect;
use crate::in_force::InForce;
use crate::listener::Admitted;
use crate::overload::{InProgress, TooMuch};
use crate::request_id;
use crate::respond::{self, Wants};
use crate::router::Found;
use crate::snapshot::{Route, Snapshot};
use crate::telemetry::log;

/// Answers the requests of one connection.
pub(crate) struct Pipeline {
    pub(crate) admitted: Admitted,
    pub(crate) connection: Rc<Connection>,
}

/// What is remembered of a request until its answer has been sent.
pub(crate) struct Exchange {
    /// Boxed, for it is handed on several times and is not small.
    cx: Box<Ctx>,
    error: Option<Error>,
    /// The snapshot that the request was answered by; its route's observers learn how it ended.
    snapshot: Rc<InForce>,
    method: Option<Method>,
    version: Version,
    texts: Texts,
    /// Until it has ended, where requests in progress are limited.
    in_progress: Option<InProgress>,
}

/// Texts of the request that a log may want to show.
#[derive(Default)]
struct Texts {
    target: String,
    host: String,
    user_agent: Option<String>,
    referer: Option<String>,
}

impl Texts {
    fn of(request: &Request) -> Texts {
        let text = |name| request.headers.get_str(name).map(str::to_owned);
        Texts {
            target: request.target.as_str().to_owned(),
            host: text(Known::Host).unwrap_or_default(),
            user_agent: text(Known::UserAgent),
            referer: text(Known::Referer),
        }
    }
}

impl Handler for Pipeline {
    type Exchange = Exchange;

    // Not an `async fn`, which would hold the request twice.
    fn call(&self, mut request: Request, arrival: Arrival) -> impl Future<Output = (Response, Exchange)> {
        let snapshot = self.admitted.worker.snapshot();
        let mut cx = self.context(arrival.started);
        cx.interim = arrival.interim;
        let rules = &*self.admitted.rules;
        client_identity::establish(&mut cx, &mut request.headers, &rules.trusted_proxies);
        if arrival.client.in_early_data() {
            // RFC 8470 §5.1
            request.headers.set(Known::EarlyData, "1");
        }
        if rules.forward_certificates {
            client_identity::forward_certificate(&cx, &mut request.headers);
        }
        hop_by_hop::strip_hop_by_hop(&mut request.headers);
        self.answered(snapshot, cx, request, arrival.client)
    }

    fn refuse(&self, error: Error, started: Instant) -> (Response, Exchange) {
        let snapshot = self.admitted.worker.snapshot();
        let cx = self.context(started);
        let mut response = respond::failure(&cx, &error, Wants::Problem);
        respond::complete(&cx, self.admitted.rules.answer.as_ref(), &mut response);
        let exchange = Exchange {
            cx,
            error: Some(error),
            snapshot,
            method: None,
            version: Version::Http11,
            texts: Texts::default(),
            in_progress: None,
        };
        (response, exchange)
    }

    fn ended(&self, exchange: Exchange, sent: Sent) {
        let Exchange {
            cx,
            error,
            snapshot,
            method,
            version,
            texts,
            in_progress,
        } = exchange;
        // A response that had begun has no error of its own.
        let broke_off = error.is_none() && !sent.complete && snapshot.is_over();
        let error = error.or_else(|| broke_off.then(|| Error::new(&codes::CONFIGURATION_RETIRED)));
        if let Some(error) = &error
            && *error.code() == codes::CONFIGURATION_RETIRED
        {
            let tallies = &self.admitted.worker.state.tallies;
            tallies.requests_retired.fetch_add(1, Ordering::Relaxed);
        }
        if let Some(error) = &error
            && matches!(error.fault(), Fault::Upstream | Fault::Gate)
        {
            log::failure(&cx, error);
        }
        // A refused call of gRPC goes out as 200, and whether a request is one the client says itself.
        let meant = error.as_ref().map_or(sent.status, Error::status);
        if let Some(bans) = &snapshot.bans
            && bans.counts(meant.code())
        {
            self.offence(&cx, bans, error.as_ref());
        }
        let outcome = Outcome {
            method: method.as_ref(),
            target: &texts.target,
            version,
            host: &texts.host,
            user_agent: texts.user_agent.as_deref(),
            referer: texts.referer.as_deref(),
            status: sent.status,
            error: error.as_ref(),
            bytes_in: sent.bytes_in,
            bytes_out: sent.bytes_out,
            duration: sent.at.saturating_duration_since(cx.started),
            complete: sent.complete,
        };
        snapshot.observers_of(cx.route.as_ref()).ended(&cx, &outcome);
        drop(in_progress);
    }
}

impl Pipeline {
    /// The answer of the route that claims a request, or what stands in its place.
    fn answered(
        &self,
        snapshot: Rc<InForce>,
        mut cx: Box<Ctx>,
        request: Request,
        client: Rc<dyn Watch>,
    ) -> impl Future<Output = (Response, Exchange)> {
        let method = Some(request.method.clone());
        let version = request.version;
        let wants = Wants::of(&request.headers);
        async move {
            let mut in_progress = None;
            let found = self.find(&snapshot, &mut cx, &request).and_then(|route| {
                in_progress = self.enter(&snapshot, route)?;
                Ok(route)
            });
            let observers = snapshot.observers_of(cx.route.as_ref());
            let texts = if observers.want_texts() {
                Texts::of(&request)
            } else {
                Texts::default()
            };
            let next = match &found {
                Ok(route) => Next::new(&route.policies, &*route.backend),
                // What leads to HTTPS has nothing to guard, and a client that is asked for a key would send it in clear text.
                // An authority that asks whether a name is ours knows no key either.
                Err(refusal @ (Refusal::ClearText(_) | Refusal::Challenge(_) | Refusal::Banned(_))) => {
                    Next::new(&[], refusal)
                }
                // What guards a request costs time, which is what lacks.
                Err(refusal @ Refusal::TooMuch) => Next::new(&[], refusal),
                Err(refusal) => Next::new(&snapshot.unrouted.policies, refusal),
            };
            let goes_on = may_go_on(&request).then(Rc::default);
            cx.goes_on.clone_from(&goes_on);
            let reply = next.run(&mut cx, request);
            let result = unless_over(reply, goes_on.as_deref(), &*client, &snapshot).await;
            let (mut response, error) = match result {
                Ok(response) => (response, None),
                Err(error) => {
                    if let Wants::Grpc(_) = wants {
                        let status = grpc::Status::of(error.code()).number();
                        cx.upstream.grpc_status = Some(Rc::new(Cell::new(Some(status.into()))));
                    }
                    (respond::failure(&cx, &error, wants), Some(error))
                }
            };
            respond::complete(&cx, self.admitted.rules.answer.as_ref(), &mut response);
            response.body = snapshot.limit(response.body);
            drop(found);
            (
                response,
                Exchange {
                    cx,
                    error,
                    snapshot,
                    method,
                    version,
                    texts,
                    in_progress,
                },
            )
        }
    }

    /// Finds what answers a request.
    fn find<'s>(&self, snapshot: &'s Snapshot, cx: &mut Ctx, request: &Request) -> Result<&'s Route, Refusal> {
        let rules = &*self.admitted.rules;
        let bans = &self.admitted.worker.state.kept.bans;
        if bans.forbids(cx.client, cx.received) {
            bans.requests.fetch_add(1, Ordering::Relaxed);
            return Err(Refusal::Banned(self.tarpit(snapshot)));
        }
        let asked = match rules.tls {
            None => acme::answer(&self.admitted.worker.state.kept.acme, request),
            Some(_) => None,
        };
        match (asked, rules.redirect_to_https) {
            (Some(answer), _) => Err(Refusal::Challenge(answer)),
            (None, Some(port)) if https_redirect::is_due(cx, request) => Err(Refusal::ClearText(port)),
            _ => find_route(snapshot, cx, request),
        }
    }

    /// Counts an offence against whoever asked, but not what is done to those who are banned already, nor to proxies for what others
    /// ask through them.
    fn offence(&self, cx: &Ctx, settings: &bans::Settings, error: Option<&Error>) {
        let is_banned = error.is_some_and(|error| *error.code() == codes::BANNED);
        let proxies = &self.admitted.rules.trusted_proxies;
        if !is_banned && !client_identity::is_trusted(cx.client, proxies) {
            let state = &self.admitted.worker.state;
            if state.kept.bans.offence(cx.client, settings, cx.received) {
                state.handover.changed();
            }
        }
    }

    /// How long a banned client is held, where that is wanted and there is room.
    fn tarpit(&self, snapshot: &Snapshot) -> Option<(Duration, Held)> {
        let settings = snapshot.bans.as_ref().filter(|bans| bans.answer == BanAnswer::Tarpit)?;
        Some((settings.tarpit, self.admitted.worker.state.kept.bans.hold()?))
    }

    /// Lets a request in, unless that is too much for the node.
    fn enter(&self, snapshot: &Snapshot, route: &Route) -> Result<Option<InProgress>, Refusal> {
        let limits = snapshot.overload.as_ref();
        let entered = self.admitted.worker.load.enter(limits, route.name.index);
        entered.map_err(|TooMuch| Refusal::TooMuch)
    }

    fn context(&self, started: Instant) -> Box<Ctx> {
        let received = self.admitted.worker.clock(started);
        Box::new(Ctx::new(
            self.connection.clone(),
            request_id::new(received),
            started,
            received,
        ))
    }
}

/// Whether a policy may want the request to go on although its client goes away: `idempotency`, which keeps the answer.
fn may_go_on(request: &Request) -> bool {
    !matches!(request.method, Method::Get | Method::Head) && request.headers.contains("Idempotency-Key")
}

/// The reply, unless the client goes away or the configuration is over before it is there: then whatever makes it is stopped.
fn unless_over<'r>(
    mut reply: Reply<'r>,
    goes_on: Option<&'r Cell<bool>>,
    client: &'r dyn Watch,
    snapshot: &'r InForce,
) -> impl Future<Output = portcullis_core::Result<Response>> + 'r {
    let mut ticket = None;
    poll_fn(move |cx| match Pin::new(&mut reply).poll(cx) {
        Poll::Pending if snapshot.poll_over(&mut ticket, cx).is_ready() => {
            Poll::Ready(Err(Error::new(&codes::CONFIGURATION_RETIRED)))
        }
        Poll::Pending if goes_on.is_some_and(Cell::get) => Poll::Pending,
        Poll::Pending => client.poll_gone(cx).map(|()| Err(Error::new(&codes::CLIENT_GONE))),
        ready => ready,
    })
}

/// Finds the route that claims a request; where none does, the refusal that the policies of every request guard.
fn find_route<'s>(snapshot: &'s Snapshot, cx: &mut Ctx, request: &Request) -> Result<&'s Route, Refusal> {
    let target = &request.target;
    let host = if snapshot.router.reads_host() {
        request.host()
    } else {
        ""
    };
    let found = snapshot
        .router
        .find(host, &request.method, target.path(), &request.headers, target.query());
    match found {
        Found::Route { index, params } => {
            let route = &snapshot.routes[snapshot.route_of_rule[index as usize] as usize];
            cx.route = Some(route.name);
            cx.params = params;
            Ok(route)
        }
        Found::MethodNotAllowed { allow } => Err(Refusal::MethodNotAllowed(allow)),
        Found::None => Err(Refusal::NotFound),
    }
}

/// The backend of requests that no route claims.
enum Refusal {
    NotFound,
    MethodNotAllowed(String),
    /// The listener leads to HTTPS, on this port.
    ClearText(u16),
    /// None was looked for: it is for an authority, with this answer.
    Challenge(String),
    /// The node has enough to do.
    TooMuch,
    /// The client is kept out; for a tarpit, how long it is held.
    Banned(Option<(Duration, Held)>),
}

impl Backend for Refusal {
    fn call<'a>(&'a self, _: &'a mut Ctx, request: Request) -> Reply<'a> {
        if let Refusal::Banned(Some((pause, _))) = self {
            return Reply::later(async {
                tokio::time::sleep(*pause).await;
                Err(Error::new(&codes::BANNED))
            });
        }
        Reply::now(match self {
            Refusal::Banned(_) => Err(Error::new(&codes::BANNED)),
            Refusal::NotFound => Err(Error::new(&codes::ROUTE_NOT_FOUND)),
            Refusal::MethodNotAllowed(allow) => {
                Err(Error::new(&codes::METHOD_NOT_ALLOWED).with_header(Known::Allow, allow))
            }
            Refusal::Challenge(answer) => Ok(acme::response(answer)),
            Refusal::TooMuch => Err(Error::new(&codes::OVERLOADED).with_header("Retry-After", "1")),
            Refusal::ClearText(port) => https_redirect::answer(&request, *port),
        })
    }
}
