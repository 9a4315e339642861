//! The operators' listener, on a thread of its own: it answers even when every worker is busy.
//!
//! Each family of endpoints has its own file; [`Desk`] asks one after the other whether a request is theirs.

mod bans;
mod browsers;
mod configuration;
mod consumers;
mod explain;
mod health;
mod indexes;
mod parameters;
mod rollouts;
mod services;
mod swap;

use std::net::{SocketAddr, TcpListener as StdListener};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use portcullis_core::{Arrival, Drain, Error, Handler, Known, Method, Request, Response, Sent, Status, codes};
use portcullis_http1::HeadLimits;
use portcullis_http1::server::{self, Accepted, Settings};
use tokio::net::TcpListener;
use tokio::sync::Notify;

use crate::event_loop;
use crate::reload::Reloader;
use crate::state::State;

/// Connections that operators may have open at a time.
const CONNECTIONS: usize = 256;

/// Binds the operators' address.
///
/// # Errors
/// One line that names the address.
pub(crate) fn bind(address: SocketAddr) -> Result<StdListener, String> {
    let cannot = |error: std::io::Error| format!("can't listen on {address} (admin): {error}");
    let socket = StdListener::bind(address).map_err(cannot)?;
    socket.set_nonblocking(true).map_err(cannot)?;
    Ok(socket)
}

/// Serves operators until `end` is notified, which leaves the socket to another process.
///
/// # Errors
/// When the system gives no thread or event loop.
pub(crate) fn start(
    socket: StdListener,
    state: Arc<State>,
    reloader: Arc<Reloader>,
    end: Arc<Notify>,
) -> Result<(), String> {
    let begin = move || {
        let listener = TcpListener::from_std(socket)?;
        Ok(accept(listener, Desk { state, reloader }, end))
    };
    event_loop::start("admin".to_owned(), begin)
        .map(drop)
        .map_err(|error| format!("can't start the admin listener: {error}"))
}

async fn accept(listener: TcpListener, desk: Desk, end: Arc<Notify>) {
    let desk = Rc::new(desk);
    let drain = Drain::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = end.notified() => break,
        };
        match accepted {
            Ok((stream, _)) if drain.connections() < CONNECTIONS => {
                let (desk, ticket) = (desk.clone(), drain.join());
                tokio::task::spawn_local(async move {
                    // Operators' tools speak HTTP/1.1: a client that greets with HTTP/2 finds the connection closed.
                    let settings = settings();
                    let accepted = Accepted::new(stream, &settings);
                    let _ = server::serve(accepted, &*desk, &settings, &ticket).await;
                });
            }
            Ok(_) => {}
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
    drop(listener);
    drain.start();
    while drain.connections() > 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn settings() -> Settings {
    let limits = HeadLimits {
        head_bytes: 16 * 1024,
        target_bytes: 1024,
        fields: 64,
    };
    let patience = Duration::from_secs(10);
    Settings {
        limits,
        head_timeout: patience,
        body_timeout: patience,
        idle_timeout: Duration::from_secs(60),
        write_timeout: patience,
    }
}

/// Answers operators.
struct Desk {
    state: Arc<State>,
    reloader: Arc<Reloader>,
}

impl Desk {
    async fn answer(&self, request: &mut Request) -> Response {
        if let Err(error) = browsers::check(request) {
            return problem(&error);
        }
        if let Some(response) = health::answer(self, request).or_else(|| bans::answer(self, request)) {
            return response;
        }
        if let Some(response) = swap::answer(self, request).or_else(|| rollouts::answer(self, request)) {
            return response;
        }
        if let Some(response) = configuration::answer(self, request).await {
            return response;
        }
        if let Some(response) = services::answer(self, request).await {
            return response;
        }
        if let Some(response) = consumers::answer(self, request).await {
            return response;
        }
        if let Some(response) = indexes::answer(self, request).await {
            return response;
        }
        if let Some(response) = explain::answer(self, request) {
            return response;
        }
        text(Status::NOT_FOUND, &format!("There are {}.\n", PATHS.join(", ")))
    }
}

impl Handler for Desk {
    type Exchange = ();

    async fn call(&self, mut request: Request, _: Arrival) -> (Response, ()) {
        let response = self.answer(&mut request).await;
        (response.with_header(Known::CacheControl, "no-store"), ())
    }

    fn refuse(&self, error: Error, _: Instant) -> (Response, ()) {
        (text(error.status(), &format!("{error}\n")), ())
    }

    fn ended(&self, (): (), _: Sent) {}
}

/// What there is to ask, for those who asked for something else.
const PATHS: &[&str] = &[
    "/healthz",
    "/readyz",
    "/metrics",
    "/config",
    "POST /reload",
    "POST /rollback",
    "/rollouts",
    "POST /rollouts/ROUTE/{pause,resume,abort,promote}",
    "/swap",
    "POST /swap?services=ONE,OTHER",
    "/explain?method=&url=&header=",
    "/indexes",
    "/services",
    "/services/NAME",
    "POST and DELETE /services/NAME/targets",
    "POST /services/NAME/drain, …/undrain and …/weight",
    "/bans",
    "POST /bans?network=&for=&reason=",
    "DELETE /bans?network=",
    "/consumers",
    "POST /consumers?name=&scope=&role=",
    "GET and DELETE /consumers/NAME",
    "POST /consumers/NAME/keys?expires=&overlap=",
    "DELETE /consumers/NAME/keys/ID",
];

/// Whether a request only asks.
fn reads(request: &Request) -> bool {
    matches!(request.method, Method::Get | Method::Head)
}

fn text(status: Status, text: &str) -> Response {
    Response::new(status).with_body("text/plain; charset=utf-8", text.to_owned())
}

/// Tells of an error as a problem document (RFC 9457).
fn problem(error: &Error) -> Response {
    let code = error.code();
    let document = serde_json::json!({
        "type": format!("{}{}", crate::respond::TYPE_PREFIX, code.name),
        "title": code.title,
        "status": code.status.code(),
        "code": code.name,
        "detail": error.detail(),
    });
    Response::new(code.status).with_body("application/problem+json", format!("{document:#}\n"))
}

/// Refuses a method that a path doesn't have.
fn only(allow: &str) -> Response {
    let code = &codes::METHOD_NOT_ALLOWED;
    text(code.status, &format!("{}\n", code.title)).with_header(Known::Allow, allow)
}
