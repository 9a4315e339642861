//! Files of a folder, and nothing outside of it.

use super::folder::Folder;
use super::gate::Gate;

const CONFIGURATION: &str = "
listeners: [127.0.0.1:0]
routes:
  - {path: /static/**, to: {files: site, cache_control: max-age=60}}
  - {path: /app/**, to: {files: site, fallback: index.html}}
";

fn site() -> Gate {
    let folder = Folder::new();
    folder.write("secret.txt", "secret");
    folder.write("site/index.html", "<h1>home</h1>");
    folder.write("site/style.css", "body {}");
    folder.write("site/sub/index.html", "sub");
    folder.write("site/.hidden", "hidden");
    folder.write("site/with space.txt", "spaced");
    folder.write(
        "site/big.bin",
        (0..1_000_000_u32).map(|at| at.to_le_bytes()[0]).collect::<Vec<u8>>(),
    );
    std::os::unix::fs::symlink("../secret.txt", folder.path().join("site/link.txt")).unwrap();
    std::os::unix::fs::symlink("/etc", folder.path().join("site/etc")).unwrap();
    Gate::start_in(folder, CONFIGURATION)
}

#[test]
fn files_are_served_with_their_type() {
    let gate = site();
    let mut client = gate.connect();
    for (target, kind, body) in [
        ("/static/style.css", "text/css; charset=utf-8", "body {}"),
        ("/static/", "text/html; charset=utf-8", "<h1>home</h1>"),
        ("/static/sub/", "text/html; charset=utf-8", "sub"),
        ("/static/with%20space.txt", "text/plain; charset=utf-8", "spaced"),
        ("/app/no/such/page", "text/html; charset=utf-8", "<h1>home</h1>"),
    ] {
        let answer = client.get(target);
        assert_eq!(
            (answer.status, answer.field("content-type")),
            (200, Some(kind)),
            "{target}: {answer}"
        );
        assert_eq!(answer.text(), body, "{target}");
        assert_eq!(answer.field("x-content-type-options"), Some("nosniff"));
    }
    assert_eq!(
        client.get("/static/style.css").field("cache-control"),
        Some("max-age=60")
    );
    let folder = client.get("/static/sub");
    assert_eq!((folder.status, folder.field("location")), (308, Some("/static/sub/")));
    let big = client.get("/static/big.bin");
    assert_eq!(big.body.len(), 1_000_000);
    assert!(
        big.body
            .iter()
            .enumerate()
            .all(|(at, byte)| *byte == at.to_le_bytes()[0])
    );
}

#[test]
fn nothing_outside_of_the_folder_is_served() {
    let gate = site();
    let mut client = gate.connect();
    for target in [
        "/static/../secret.txt",
        "/static/..%2fsecret.txt",
        "/static/%2e%2e/secret.txt",
        "/static/%2e%2e%2fsecret.txt",
        "/static/sub/..%2f..%2fsecret.txt",
        "/static/..%5csecret.txt",
        "/static/link.txt",
        "/static/etc/passwd",
        "/static/.hidden",
        "/static//etc/passwd",
        "/static/missing",
    ] {
        let answer = client.get(target);
        assert!([400, 404].contains(&answer.status), "{target}: {answer}");
        assert!(
            !answer.text().contains("secret\n") && !answer.text().contains("root:"),
            "{target}"
        );
    }
}

#[test]
fn a_range_is_served_alone() {
    let gate = site();
    let mut client = gate.connect();
    let mut range = |range: &str| client.ask("GET", "/static/style.css", &[("Range", range)], "");
    let answer = range("bytes=0-3");
    assert_eq!((answer.status, answer.text().as_str()), (206, "body"));
    assert_eq!(answer.field("content-range"), Some("bytes 0-3/7"));
    assert_eq!(range("bytes=5-").text(), "{}");
    assert_eq!(range("bytes=-2").text(), "{}");
    let beyond = range("bytes=100-");
    assert_eq!((beyond.status, beyond.field("content-range")), (416, Some("bytes */7")));
    assert_eq!(range("lines=1-2").status, 200);
}

#[test]
fn a_file_that_the_client_has_isnt_sent_again() {
    let gate = site();
    let mut client = gate.connect();
    let first = client.get("/static/style.css");
    let tag = first.field("etag").unwrap().to_owned();
    let modified = first.field("last-modified").unwrap().to_owned();
    let mut with = |name: &str, value: &str| client.ask("GET", "/static/style.css", &[(name, value)], "").status;
    assert_eq!(with("If-None-Match", &tag), 304);
    assert_eq!(with("If-None-Match", "\"other\""), 200);
    assert_eq!(with("If-Modified-Since", &modified), 304);
    assert_eq!(with("If-Match", "\"other\""), 412);
}

#[test]
fn only_get_and_head_are_taken() {
    let gate = site();
    let mut client = gate.connect();
    let head = client.ask("HEAD", "/static/big.bin", &[], "");
    assert_eq!((head.status, head.field("content-length")), (200, Some("1000000")));
    let refused = client.ask("POST", "/static/style.css", &[], "x");
    refused.assert_problem(405, "method_not_allowed");
    assert!(refused.field("allow").unwrap().contains("GET"));
}
