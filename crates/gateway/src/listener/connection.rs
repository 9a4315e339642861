//! The way of one connection: what a proxy before us says of it, TLS, and the protocol that it speaks.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::atomic::Ordering;

use portcullis_core::{Connection, DrainTicket};
use portcullis_http1::server::{self as http1, Accepted, Http2};
use portcullis_http2::server as http2;
use tokio::io::{AsyncRead, AsyncWrite};

use super::protocols::ALPN_HTTP2;
use super::proxy_protocol::{self, Unproxied};
use super::replayed::Replayed;
use super::tls::{Handshake, Unserved, handshake};
use super::{Admitted, Socket};
use crate::pipeline::Pipeline;
use crate::telemetry::log;

/// The two ends of a connection.
#[derive(Clone, Copy)]
pub(super) struct Ends {
    pub(super) peer: SocketAddr,
    pub(super) local: SocketAddr,
}

/// Starts to serve a connection that was taken in. One that a listed proxy makes begins with what it says of the client.
pub(super) fn begin(admitted: Admitted, socket: Socket, ends: Ends) {
    let proxies = &admitted.rules.proxy_protocol;
    let peer = ends.peer.ip().to_canonical();
    if proxies.iter().any(|network| network.contains(&peer)) {
        tokio::task::spawn_local(be_told(admitted, socket, ends));
    } else {
        serve(admitted, socket, ends);
    }
}

/// Reads what the proxy says. Without it the connection is not served: whose it is would be a guess.
async fn be_told(admitted: Admitted, mut socket: Socket, ends: Ends) {
    match proxy_protocol::read(&mut socket, ends, admitted.rules.settings.head_timeout).await {
        Ok(told) => serve(admitted, socket, told),
        Err(unproxied) => {
            let tallies = &admitted.worker.state.tallies;
            tallies.proxy_headers_refused.fetch_add(1, Ordering::Relaxed);
            if let Unproxied::Malformed(why) = unproxied {
                log::refused_proxy(&admitted.rules.name, ends.peer, why);
            }
        }
    }
}

fn serve(admitted: Admitted, socket: Socket, ends: Ends) {
    // Two kinds of tasks, so that a connection in clear text doesn't hold the room that a handshake needs.
    match &admitted.rules.tls {
        None => {
            let connection = Rc::new(Connection::new(ends.peer, ends.local, None, false));
            speak(admitted, socket, connection, Agreed::Nothing);
        }
        Some(tls) => {
            let handshake = handshake(tls, socket, admitted.rules.settings.head_timeout);
            tokio::task::spawn_local(decrypt(admitted, handshake, ends));
        }
    }
}

/// Does the TLS handshake, then speaks HTTP.
async fn decrypt(admitted: Admitted, handshake: Handshake, ends: Ends) {
    let secured = match handshake.await {
        Ok(secured) => secured,
        Err(Unserved::Proved) => return,
        Err(unserved) => {
            let tallies = &admitted.worker.state.tallies;
            tallies.handshakes_failed.fetch_add(1, Ordering::Relaxed);
            if let Unserved::Refused(error) = unserved {
                log::refused_client(&admitted.rules.name, ends.peer, &error);
            }
            return;
        }
    };
    let mut connection = Connection::new(ends.peer, ends.local, secured.server_name, true);
    connection.client_certificate = secured.client;
    let agreed = match secured.stream.get_ref().1.alpn_protocol() {
        None => Agreed::Nothing,
        Some(ALPN_HTTP2) => Agreed::Http2,
        Some(_) => Agreed::Http1,
    };
    speak(admitted, secured.stream, Rc::new(connection), agreed);
}

/// The protocol that was agreed on in a TLS handshake.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Agreed {
    Nothing,
    Http1,
    Http2,
}

/// Speaks HTTP on a connection until it ends: the version that was agreed on, or that the client begins with. Each in a
/// task of its own kind, so that an idle connection holds no more than it needs.
fn speak<IO>(admitted: Admitted, io: IO, connection: Rc<Connection>, agreed: Agreed)
where
    IO: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let ticket = admitted.worker.drain.join();
    let protocols = admitted.rules.protocols;
    let pipeline = Rc::new(Pipeline { admitted, connection });
    if agreed == Agreed::Http2 || !protocols.http1 {
        tokio::task::spawn_local(speak_http2(io, pipeline, ticket));
        return;
    }
    let may_turn = protocols.http2 && agreed == Agreed::Nothing;
    let accepted = Accepted::new(io, &pipeline.admitted.rules.settings);
    tokio::task::spawn_local(async move {
        let begun = http1::serve(accepted, &*pipeline, &pipeline.admitted.rules.settings, &ticket).await;
        if let Some(Http2 { io, received }) = begun
            && may_turn
        {
            tokio::task::spawn_local(speak_http2(Replayed::new(io, received), pipeline, ticket));
        }
    });
}

async fn speak_http2<IO>(io: IO, pipeline: Rc<Pipeline>, ticket: DrainTicket)
where
    IO: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let rules = pipeline.admitted.rules.clone();
    http2::serve(io, pipeline, &rules.settings, rules.max_streams, &ticket).await;
}
