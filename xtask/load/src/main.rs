//! Load for a proxy, and servers for behind it. `cargo xtask bench` starts this as processes of their own, so that they are
//! built as the gate is, and so that their time isn't taken for the proxy's.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "its output is what it is started for"
)]

mod answer;
mod connect;
mod grpc;
mod handshakes;
mod idle;
mod requests;
mod steady;
mod tally;
mod target;
mod tls;
mod upstream;
mod websocket;

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use crate::tally::Tally;

const USAGE: &str = "\
portcullis-load upstream http1|http2        serve until standard input ends; prints the address
portcullis-load requests ADDRESS SECONDS FILE
                                            requests of a file over HTTP/1.1, each behind its length on a line of its own
portcullis-load grpc ADDRESS SECONDS        unary calls over HTTP/2 in clear text
portcullis-load websocket ADDRESS SECONDS SIZE
                                            messages of so many bytes, to be echoed
portcullis-load handshakes ADDRESS SECONDS full|resumed default|classical
                                            TLS 1.3 with one request each
portcullis-load idle ADDRESS COUNT          hold connections by TLS until standard input ends
portcullis-load target ADDRESS DELAY PLACES serve until standard input ends, so many at a time, in so many microseconds each; obey
                                            delay MICROSECONDS, mode well|unavailable|reset, count
portcullis-load steady SECONDS STREAM...    NAME=http1|http2|websocket,ADDRESS,METHOD,PATH,RATE each: so many in a second,
                                            whatever fails; prints JSON

Another load prints how many were done, in how many seconds, and a note where there is one.";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(failure) => {
            eprintln!("no event loop: {failure}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(run(&arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("{reason}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &[&str]) -> Result<(), String> {
    match arguments {
        ["upstream", protocol] => upstream::run(protocol).await,
        ["target", address, delay, places] => target::run(parsed(address)?, parsed(delay)?, parsed(places)?).await,
        ["steady", seconds, streams @ ..] => steady::run(parsed(seconds)?, streams).await,
        ["idle", address, count] => idle::run(parsed(address)?, parsed(count)?).await,
        [kind, address, seconds, rest @ ..] => load(kind, parsed(address)?, parsed(seconds)?, rest).await,
        _ => Err(USAGE.to_owned()),
    }
}

async fn load(kind: &str, address: SocketAddr, seconds: u64, rest: &[&str]) -> Result<(), String> {
    let started = Instant::now();
    let tally = Arc::new(Tally::new(seconds));
    match (kind, rest) {
        ("requests", [file]) => requests::run(address, file, &tally).await?,
        ("grpc", []) => grpc::run(address, &tally).await?,
        ("websocket", [size]) => websocket::run(address, parsed(size)?, &tally).await?,
        ("handshakes", [kind, groups]) => {
            handshakes::run(address, parsed(kind)?, parsed(groups)?, &tally).await?;
        }
        _ => return Err(USAGE.to_owned()),
    }
    println!(
        "{} {:.3} {}",
        tally.done(),
        started.elapsed().as_secs_f64(),
        tally.noted()
    );
    Ok(())
}

fn parsed<T: std::str::FromStr>(word: &str) -> Result<T, String> {
    word.parse().map_err(|_| format!("`{word}` makes no sense\n{USAGE}"))
}
