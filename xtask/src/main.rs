//! The project's chores, one file for each: `cargo xtask test`, `tidy`, `docs`, `bench`.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it talks to people")]

mod bench;
mod clients;
mod docs;
mod gate;
mod process;
mod setup;
mod test;
mod tidy;

use std::process::ExitCode;

const USAGE: &str = "\
cargo xtask COMMAND

  test [--fast] [--only STEP]   everything that CI runs, with its set-up; --fast leaves out browser, clients, deny and fuzz
  tidy                          the rules of the source tree
  docs [--check]                write the generated references, or tell which are not current
  bench routes|idle|reload|rate-limit
                                measure the release binary; prints a table
  bench idle --tls              the same with connections by TLS
  bench CASE [--rounds N] [--seconds S] [--peers NAMES]
                                compare the release binary with nginx, HAProxy, Envoy and Caddy, where they are installed, at
                                http1, tls, http2, guarded (beside ours without policies), http2-upstream, grpc, handshakes, websocket, http3, idle-tls, waf, waf-embedded or
                                waf-without; prints a table. For waf, CRS is a folder of the Core Rule Set
  bench soak|balance|storm [--rounds N] [--seconds S] [--rate R] [--peers NAMES]
                                what clients notice of targets and proxies that fail and change, beside nginx, HAProxy,
                                Envoy and Traefik; prints tables
  bench tables [--engine sqlite|postgres|mariadb] [--rounds N] [--seconds S] [--peers NAMES]
                                tables as resources beside a service written by hand, and beside PocketBase, Datasette and
                                PostGraphile, where they are installed; prints tables
  bench generators [--rounds N] [--seconds S] [--peers NAMES]
                                our load tester beside wrk, h2load, oha, hey, k6 and autocannon; prints tables
  bench truths [--comparisons N] [--slower N] [--minutes N]
                                whether our load tester finds what is known of servers that stand in; prints a table
  bench page [CASE...]          measures what docs/performance.md shows, or these cases of it, and writes it there";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments.as_slice() {
        ["test"] => test::run(test::Scope::All),
        ["test", "--fast"] => test::run(test::Scope::Fast),
        ["test", "--only", step] => test::run(test::Scope::Only(step)),
        ["tidy"] => tidy::run(),
        ["docs"] => docs::write(),
        ["docs", "--check"] => docs::check(),
        ["bench", "idle", "--tls"] => bench::run("idle --tls"),
        ["bench", case, options @ ..] => bench::compare(case, options),
        [] | ["help" | "--help" | "-h"] => {
            println!("{USAGE}");
            Ok(())
        }
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("{reason}");
            ExitCode::FAILURE
        }
    }
}
