//! Servers that answer at once, so that what is measured is what stands before them.

pub(crate) mod echo;
mod http1;
mod http2;

use std::io::Read;
use std::net::Ipv4Addr;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

pub(crate) use self::http1::asks_for_websocket;
use crate::answer::LENGTH;

/// What each answer to a GET holds.
pub(crate) const CONTENT: [u8; LENGTH] = [b'x'; LENGTH];

/// Serves on a port that the system chooses, and says which, until standard input ends: when who started it is gone.
///
/// # Errors
/// When no port can be had, or the protocol isn't known.
pub(crate) async fn run(protocol: &str) -> Result<(), String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .map_err(|failure| failure.to_string())?;
    let address = listener.local_addr().map_err(|failure| failure.to_string())?;
    let serve: fn(TcpStream) = match protocol {
        "http1" => |stream| drop(tokio::spawn(http1::serve(stream))),
        "http2" => |stream| drop(tokio::spawn(http2::serve(stream))),
        _ => return Err(format!("an upstream speaks http1 or http2, not `{protocol}`")),
    };
    println!("{address}");
    tokio::select! {
        () = told_to_end() => Ok(()),
        failure = accept(&listener, serve) => Err(failure.to_string()),
    }
}

async fn accept(listener: &TcpListener, serve: fn(TcpStream)) -> std::io::Error {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // Without it answers are slower, and still right.
                let _ = stream.set_nodelay(true);
                serve(stream);
            }
            Err(failure) => return failure,
        }
    }
}

/// Waits until standard input ends.
pub(crate) async fn told_to_end() {
    let (end, ended) = oneshot::channel::<()>();
    std::thread::spawn(move || {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        drop(end);
    });
    let _ = ended.await;
}
