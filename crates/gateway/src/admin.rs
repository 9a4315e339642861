//! The operators' listener, on a thread of its own: it answers even when every worker is busy.

use std::fmt::Write as _;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use portcullis_core::{Arrival, Drain, Error, Handler, Known, Method, Request, Response, Sent, Status, codes};
use portcullis_http1::HeadLimits;
use portcullis_http1::server::{self, Accepted, Settings};
use tokio::net::TcpListener;

use crate::event_loop;
use crate::reload::{Asker, Refused, Reloader};
use crate::state::State;
use crate::telemetry::numbers;

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

/// Serves operators until the process ends.
///
/// # Errors
/// When the system gives no thread or event loop.
pub(crate) fn start(socket: StdListener, state: Arc<State>, reloader: Arc<Reloader>) -> Result<(), String> {
    let begin = move || {
        let listener = TcpListener::from_std(socket)?;
        Ok(accept(listener, Desk { state, reloader }))
    };
    event_loop::start("admin".to_owned(), begin)
        .map(drop)
        .map_err(|error| format!("can't start the admin listener: {error}"))
}

async fn accept(listener: TcpListener, desk: Desk) {
    let desk = Rc::new(desk);
    let drain = Drain::new();
    loop {
        match listener.accept().await {
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

impl Handler for Desk {
    type Exchange = ();

    async fn call(&self, request: Request, _: Arrival) -> (Response, ()) {
        let response = match (&request.method, request.target.path()) {
            (Method::Get | Method::Head, "/healthz") => text(Status::OK, "ok\n"),
            (Method::Get | Method::Head, "/readyz") => self.readiness(),
            (Method::Get | Method::Head, "/metrics") => Response::new(Status::OK).with_body(
                "application/openmetrics-text; version=1.0.0; charset=utf-8",
                numbers::render(&self.state),
            ),
            (Method::Get | Method::Head, "/config") => {
                let effective = &self.state.snapshot.load().effective;
                Response::new(Status::OK).with_body("application/json", format!("{effective:#}\n"))
            }
            (Method::Post, "/reload") => self.reload().await,
            (_, "/healthz" | "/readyz" | "/metrics" | "/config") => refused(&codes::METHOD_NOT_ALLOWED, "GET, HEAD"),
            (_, "/reload") => refused(&codes::METHOD_NOT_ALLOWED, "POST"),
            _ => text(
                Status::NOT_FOUND,
                "There are /healthz, /readyz, /metrics, /config and POST /reload.\n",
            ),
        };
        (response.with_header(Known::CacheControl, "no-store"), ())
    }

    fn refuse(&self, error: Error, _: Instant) -> (Response, ()) {
        (text(error.status(), &format!("{error}\n")), ())
    }

    fn ended(&self, (): (), _: Sent) {}
}

impl Desk {
    fn readiness(&self) -> Response {
        if self.state.ready.load(Ordering::Acquire) {
            text(Status::OK, "ready\n")
        } else {
            text(Status::SERVICE_UNAVAILABLE, "starting or draining\n")
        }
    }

    async fn reload(&self) -> Response {
        match self.reloader.reload(Asker::Admin).await {
            Ok(warnings) => {
                let mut said = "the configuration was reloaded\n".to_owned();
                for warning in warnings {
                    let _ = writeln!(said, "warning: {warning}");
                }
                text(Status::OK, &said)
            }
            Err(why @ Refused::NotServing) => text(Status::SERVICE_UNAVAILABLE, &format!("{why}\n")),
            Err(why @ Refused::Unusable(_)) => text(Status::UNPROCESSABLE_CONTENT, &format!("{why}\n")),
        }
    }
}

fn text(status: Status, text: &str) -> Response {
    Response::new(status).with_body("text/plain; charset=utf-8", text.to_owned())
}

fn refused(code: &codes::Code, allow: &str) -> Response {
    text(code.status, &format!("{}\n", code.title)).with_header(Known::Allow, allow)
}
