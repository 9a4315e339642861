//! curl, by every version of HTTP that it speaks.

use std::process::Command;

use super::super::json::json;
use super::super::upstream::Upstream;
use super::{Front, plain_and_forwarded, said};

/// A call of curl that trusts the front, and fails where a transfer does.
fn curl(front: &Front) -> Command {
    let mut command = Command::new("curl");
    command.args([
        "--silent",
        "--show-error",
        "--max-time",
        "60",
        "--noproxy",
        "*",
        "--cacert",
    ]);
    command.arg(front.certificate());
    command
}

fn clear(front: &Front, path: &str) -> String {
    format!("http://{}{path}", front.clear())
}

fn secure(front: &Front, path: &str) -> String {
    format!("https://localhost:{}{path}", front.secure().port())
}

/// How curl is told which version to speak, whether by TLS, and what it then must speak.
const VERSIONS: &[(&str, bool, &str)] = &[
    ("--http1.0", false, "1.1"),
    ("--http1.1", false, "1.1"),
    ("--http2-prior-knowledge", false, "2"),
    ("--http1.1", true, "1.1"),
    ("--http2", true, "2"),
    ("--tls-max=1.2", true, "2"),
];

fn each_version(check: impl Fn(&Front, &[&str], &dyn Fn(&str) -> String, &str)) {
    let upstream = Upstream::echo();
    let front = Front::start(&plain_and_forwarded(upstream.address()));
    for (flag, by_tls, version) in VERSIONS {
        let flags: Vec<&str> = flag.split('=').collect();
        let url = |path: &str| {
            if *by_tls {
                secure(&front, path)
            } else {
                clear(&front, path)
            }
        };
        check(&front, &flags, &url, version);
    }
}

#[test]
fn the_version_is_the_one_that_was_wanted() {
    each_version(|front, flags, url, version| {
        let output = said(
            curl(front)
                .args(flags)
                .args(["--write-out", " %{http_code} %{http_version}"])
                .arg(url("/plain")),
        );
        assert_eq!(output, format!("here 200 {version}"), "{flags:?}");
        let output = said(
            curl(front)
                .args(flags)
                .args([
                    "--head",
                    "--output",
                    "/dev/null",
                    "--write-out",
                    "%{http_code} %header{content-length}",
                ])
                .arg(url("/plain")),
        );
        assert_eq!(output, "200 4", "{flags:?}");
    });
}

#[test]
fn an_upgrade_to_2_in_clear_text_is_not_taken() {
    // RFC 9113 §3.1: the upgrade of `h2c` is obsolete. The request is answered as it is, and the upstream is not asked.
    let upstream = Upstream::echo();
    let front = Front::start(&plain_and_forwarded(upstream.address()));
    let output = said(curl(&front).arg("--http2").arg(clear(&front, "/echo/a")));
    let seen = json(output.as_bytes());
    assert_eq!(seen["line"], "GET /echo/a HTTP/1.1");
    let request = upstream.last();
    assert_eq!(
        (request.field("upgrade"), request.field("http2-settings")),
        (None, None)
    );
}

#[test]
fn uploads_and_downloads_come_whole() {
    each_version(|front, flags, url, _| {
        let body: Vec<u8> = (0..1_500_000_u32).map(|at| b'a' + at.to_le_bytes()[0] % 26).collect();
        let file = front.gate.folder.write("upload", &body);
        for chunked in [false, true] {
            let mut command = curl(front);
            command
                .args(flags)
                .arg("--data-binary")
                .arg(format!("@{}", file.display()));
            if chunked && !flags.contains(&"--http1.0") {
                command.args(["--header", "Transfer-Encoding: chunked"]);
            }
            let seen = json(said(command.arg(url("/echo/up"))).as_bytes());
            assert_eq!(seen["length"], body.len(), "{flags:?}");
            assert!(
                seen["body"].as_str().unwrap().as_bytes() == body,
                "{flags:?}: the body changed"
            );
        }
    });
}

#[test]
fn many_transfers_share_connections() {
    each_version(|front, flags, url, _| {
        if flags == ["--http2-prior-knowledge"] {
            // curl 7.88 breaks such a crowd off by itself, whatever the server is.
            return;
        }
        let output = said(
            curl(front)
                .args(flags)
                .args(["--parallel", "--parallel-max", "40", "--output", "/dev/null"])
                .args(["--write-out", "%{http_code}\n"])
                .arg(url("/echo/[1-150]")),
        );
        assert_eq!(output.lines().filter(|line| *line == "200").count(), 150, "{flags:?}");
    });
}

#[test]
fn what_expects_100_gets_it() {
    each_version(|front, flags, url, _| {
        if flags == ["--http1.0"] {
            // RFC 9110 §10.1.1: a client of 1.0 gets none, and has to wait in vain.
            return;
        }
        let output = said(
            curl(front)
                .args(flags)
                .args([
                    "--header",
                    "Expect: 100-continue",
                    "--expect100-timeout",
                    "30",
                    "--data",
                    "hello",
                ])
                .arg(url("/echo/expect")),
        );
        assert_eq!(json(output.as_bytes())["body"], "hello", "{flags:?}");
    });
}

#[test]
fn a_failure_of_ours_is_a_problem_by_every_version() {
    each_version(|front, flags, url, _| {
        let output = said(
            curl(front)
                .args(flags)
                .args(["--write-out", "\n%{http_code} %{content_type}"])
                .arg(url("/nothing")),
        );
        let (body, end) = output.rsplit_once('\n').unwrap();
        assert_eq!(end, "404 application/problem+json", "{flags:?}");
        assert_eq!(json(body.as_bytes())["code"], "route_not_found", "{flags:?}");
    });
}
