//! The backend as a route sees it, over real folders.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime};

use portcullis_config::route::ToFiles;
use portcullis_core::{Backend as _, Connection, Ctx, Headers, Known, Method, Request, RequestId, Result, Target};
use rustix::fs::{CWD, Mode, mkfifoat};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use super::Files;

const CHANGED: u64 = 1_700_000_000;
const CHANGED_DATE: &str = "Tue, 14 Nov 2023 22:13:20 GMT";
const BEFORE: &str = "Tue, 14 Nov 2023 22:13:19 GMT";
const AFTER: &str = "Tue, 14 Nov 2023 22:13:21 GMT";

/// A folder, and the backend over it.
struct Site {
    folder: TempDir,
    runtime: Runtime,
    files: Files,
}

struct Answer {
    status: u16,
    headers: Headers,
    body: Result<Vec<u8>>,
}

impl Answer {
    fn text(&self) -> &str {
        std::str::from_utf8(self.body.as_ref().unwrap()).unwrap()
    }

    fn field(&self, name: &str) -> &str {
        self.headers.get_str(name).unwrap_or("")
    }
}

fn settings(folder: &str) -> ToFiles {
    ToFiles {
        files: folder.into(),
        strip: None,
        index: "index.html".to_owned(),
        fallback: None,
        cache_control: None,
    }
}

fn site(change: impl FnOnce(&mut ToFiles)) -> Site {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("site");
    fs::create_dir_all(root.join("docs/empty")).unwrap();
    fs::create_dir_all(root.join(".well-known")).unwrap();
    fs::write(folder.path().join("secret.txt"), "secret").unwrap();
    for (file, text) in [
        ("index.html", "home"),
        ("docs/index.html", "docs"),
        ("docs/a b.txt", "spaced"),
        ("digits.txt", "0123456789"),
        ("empty.txt", ""),
        (".env", "secret"),
        (".well-known/security.txt", "contact"),
    ] {
        fs::write(root.join(file), text).unwrap();
        changed(&root.join(file), CHANGED);
    }
    let mut config = settings("site");
    change(&mut config);
    let runtime = Builder::new_current_thread().build().unwrap();
    let files = Files::new(&config, folder.path(), "", runtime.handle().clone()).unwrap();
    Site { folder, runtime, files }
}

fn changed(file: &Path, seconds: u64) {
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    fs::File::options()
        .write(true)
        .open(file)
        .unwrap()
        .set_modified(time)
        .unwrap();
}

impl Site {
    fn path(&self, file: &str) -> std::path::PathBuf {
        self.folder.path().join("site").join(file)
    }

    fn ask(&self, method: Method, target: &str, headers: &[(Known, &str)]) -> Answer {
        self.ask_then(method, target, headers, || {})
    }

    /// Does something after the answer has begun, before its content is read.
    fn ask_then(&self, method: Method, target: &str, headers: &[(Known, &str)], then: impl FnOnce()) -> Answer {
        let mut request = Request::new(method, Target::parse(target.as_bytes()).unwrap());
        for (name, value) in headers {
            request.headers.append(*name, value);
        }
        let local = SocketAddr::from(([127, 0, 0, 1], 80));
        let connection = Connection::new(local, local, None, false);
        let id = RequestId::new(b"1").unwrap();
        let mut cx = Ctx::new(Rc::new(connection), id, Instant::now(), SystemTime::now());
        self.runtime.block_on(async {
            match self.files.call(&mut cx, request).await {
                Ok(response) => {
                    then();
                    let body = response.body.read_to_end(1 << 30).await.map(Vec::from);
                    Answer {
                        status: response.status.code(),
                        headers: response.headers,
                        body,
                    }
                }
                Err(error) => Answer {
                    status: error.status().code(),
                    headers: error.headers().clone(),
                    body: Ok(Vec::new()),
                },
            }
        })
    }

    fn get(&self, target: &str) -> Answer {
        self.ask(Method::Get, target, &[])
    }
}

#[test]
fn a_file_comes_with_what_a_client_needs_to_know() {
    let site = site(|config| config.cache_control = Some("max-age=60".to_owned()));
    let answer = site.get("/digits.txt");
    assert_eq!((answer.status, answer.text()), (200, "0123456789"));
    assert_eq!(answer.field("content-type"), "text/plain; charset=utf-8");
    assert_eq!(answer.field("x-content-type-options"), "nosniff");
    assert_eq!(answer.field("last-modified"), CHANGED_DATE);
    assert_eq!(answer.field("etag"), "\"17979cfe362a0000-a\"");
    assert_eq!(answer.field("accept-ranges"), "bytes");
    assert_eq!(answer.field("cache-control"), "max-age=60");
    let head = site.ask(Method::Head, "/digits.txt", &[]);
    assert_eq!(
        (head.status, head.text(), head.field("content-length")),
        (200, "", "10")
    );
    assert_eq!(head.field("etag"), answer.field("etag"));
    let empty = site.get("/empty.txt");
    assert_eq!((empty.status, empty.text()), (200, ""));
}

#[test]
fn folders_have_an_index_and_a_slash() {
    let site = site(|_| {});
    for (target, status, text, location) in [
        ("/", 200, "home", ""),
        ("/docs/", 200, "docs", ""),
        ("/docs?a=b", 308, "", "/docs/?a=b"),
        ("/docs/a%20b.txt", 200, "spaced", ""),
        ("/docs/empty", 404, "", ""),
        ("/docs/empty/", 404, "", ""),
        ("/digits.txt/", 404, "", ""),
        ("/none", 404, "", ""),
    ] {
        let answer = site.get(target);
        assert_eq!(
            (answer.status, answer.text(), answer.field("location")),
            (status, text, location),
            "{target}"
        );
    }
}

#[test]
fn a_prefix_is_no_folder() {
    let site = site(|config| config.strip = Some("/static/".to_owned()));
    for (target, status) in [
        ("/static/digits.txt", 200),
        ("/static", 308),
        ("/digits.txt", 404),
        ("/statics/x", 404),
    ] {
        assert_eq!(site.get(target).status, status, "{target}");
    }
}

#[test]
fn the_fallback_answers_where_nothing_is_but_not_for_what_is_refused() {
    let site = site(|config| config.fallback = Some("index.html".to_owned()));
    for (target, status, text) in [
        ("/some/page", 200, "home"),
        ("/docs/empty/", 200, "home"),
        ("/digits.txt", 200, "0123456789"),
        ("/.env", 404, ""),
    ] {
        let answer = site.get(target);
        assert_eq!((answer.status, answer.text()), (status, text), "{target}");
    }
}

#[test]
fn nothing_outside_of_the_folder_and_nothing_hidden_is_served() {
    let site = site(|_| {});
    symlink("../secret.txt", site.path("escape.txt")).unwrap();
    symlink(site.folder.path().join("secret.txt"), site.path("absolute.txt")).unwrap();
    symlink("..", site.path("up")).unwrap();
    symlink("/proc/self", site.path("process")).unwrap();
    symlink("again", site.path("again")).unwrap();
    for target in [
        "/escape.txt",
        "/absolute.txt",
        "/up/secret.txt",
        "/up/",
        "/process/environ",
        "/again",
        "/.env",
        "/%2E%2E%2Fsecret.txt",
        "/docs/..%2F..%2Fsecret.txt",
        "/docs%2Findex.html",
        "/a%5C..%5Csecret.txt",
    ] {
        let answer = site.get(target);
        assert_eq!((answer.status, answer.text()), (404, ""), "{target}");
    }
    assert_eq!(site.get("/.well-known/security.txt").text(), "contact");
}

#[test]
fn what_is_no_regular_file_is_not_opened_for_reading() {
    let site = site(|_| {});
    let socket = std::os::unix::net::UnixListener::bind(site.path("socket")).unwrap();
    mkfifoat(CWD, site.path("pipe"), Mode::RUSR).unwrap();
    assert_eq!(site.get("/socket").status, 404);
    assert_eq!(site.get("/pipe").status, 404);
    drop(socket);
}

#[test]
fn other_methods_are_refused() {
    let site = site(|_| {});
    for method in [Method::Post, Method::Put, Method::Delete, Method::Patch, Method::Trace] {
        let answer = site.ask(method, "/digits.txt", &[]);
        assert_eq!((answer.status, answer.field("allow")), (405, "GET, HEAD, OPTIONS"));
    }
    let options = site.ask(Method::Options, "/digits.txt", &[]);
    assert_eq!((options.status, options.field("allow")), (204, "GET, HEAD, OPTIONS"));
}

#[test]
fn conditions_are_judged_in_their_order() {
    use Known::{IfMatch, IfModifiedSince, IfNoneMatch, IfRange, IfUnmodifiedSince, Range};
    let site = site(|_| {});
    let tag = site.get("/digits.txt").field("etag").to_owned();
    let (tag, weak) = (tag.as_str(), format!("W/{tag}"));
    let weak = weak.as_str();
    let part = (Range, "bytes=1-2");
    let check = |headers: &[(Known, &str)], status: u16| {
        for (method, text) in [(Method::Get, true), (Method::Head, false)] {
            let answer = site.ask(method, "/digits.txt", headers);
            // Range is for GET alone.
            let status = if status == 206 && !text { 200 } else { status };
            let expected = match status {
                200 if text => "0123456789",
                206 => "12",
                _ => "",
            };
            assert_eq!((answer.status, answer.text()), (status, expected), "{headers:?}");
            if status == 304 {
                assert_eq!(answer.field("etag"), tag);
                assert!(!answer.headers.contains(Known::ContentLength));
            }
        }
    };
    check(&[(IfMatch, tag)], 200);
    check(&[(IfMatch, "*")], 200);
    check(&[(IfMatch, "\"x\"")], 412);
    check(&[(IfMatch, weak)], 412);
    check(&[(IfMatch, "\"x\""), (IfMatch, tag)], 200);
    check(&[(IfUnmodifiedSince, CHANGED_DATE)], 200);
    check(&[(IfUnmodifiedSince, BEFORE)], 412);
    check(&[(IfUnmodifiedSince, "yesterday")], 200);
    check(&[(IfMatch, tag), (IfUnmodifiedSince, BEFORE)], 200);
    check(&[(IfNoneMatch, tag)], 304);
    check(&[(IfNoneMatch, weak)], 304);
    check(&[(IfNoneMatch, "*")], 304);
    check(&[(IfNoneMatch, "\"x\", \"y\"")], 200);
    check(&[(IfModifiedSince, CHANGED_DATE)], 304);
    check(&[(IfModifiedSince, AFTER)], 304);
    check(&[(IfModifiedSince, BEFORE)], 200);
    check(&[(IfModifiedSince, "never")], 200);
    check(&[(IfNoneMatch, "\"x\""), (IfModifiedSince, AFTER)], 200);
    check(&[(IfMatch, "\"x\""), (IfNoneMatch, tag)], 412);
    check(&[part], 206);
    check(&[part, (IfNoneMatch, tag)], 304);
    check(&[part, (IfRange, tag)], 206);
    check(&[part, (IfRange, "\"x\"")], 200);
    check(&[part, (IfRange, weak)], 200);
    check(&[part, (IfRange, CHANGED_DATE)], 206);
    check(&[part, (IfRange, AFTER)], 200);
    check(&[part, (IfRange, "nonsense")], 200);
    check(&[part, (IfMatch, "\"x\"")], 412);
    check(&[part, part], 200);
}

#[test]
fn ranges_say_what_they_are() {
    let site = site(|_| {});
    for (range, status, text, content_range) in [
        ("bytes=0-0", 206, "0", "bytes 0-0/10"),
        ("bytes=8-", 206, "89", "bytes 8-9/10"),
        ("bytes=-2", 206, "89", "bytes 8-9/10"),
        ("bytes=0-99", 206, "0123456789", "bytes 0-9/10"),
        ("bytes=0-1,4-5", 200, "0123456789", ""),
        ("bytes=10-", 416, "", "bytes */10"),
        ("bytes=-0", 416, "", "bytes */10"),
        ("lines=1-2", 200, "0123456789", ""),
    ] {
        let answer = site.ask(Method::Get, "/digits.txt", &[(Known::Range, range)]);
        assert_eq!(
            (answer.status, answer.text(), answer.field("content-range")),
            (status, text, content_range),
            "{range}"
        );
    }
}

#[test]
fn large_files_are_streamed_whole_and_in_parts() {
    let site = site(|_| {});
    let content: Vec<u8> = (0_u32..150_000).flat_map(u32::to_be_bytes).collect();
    fs::write(site.path("large.bin"), &content).unwrap();
    let answer = site.get("/large.bin");
    assert_eq!(
        (answer.status, answer.field("content-type")),
        (200, "application/octet-stream")
    );
    assert!(answer.body.unwrap() == content);
    let part = site.ask(Method::Get, "/large.bin", &[(Known::Range, "bytes=1000-499999")]);
    assert_eq!(
        (part.status, part.field("content-range")),
        (206, "bytes 1000-499999/600000")
    );
    assert!(part.body.unwrap() == content[1000..500_000]);
}

#[test]
fn a_file_that_is_cut_short_breaks_the_answer_off() {
    let site = site(|_| {});
    let file = site.path("large.bin");
    fs::write(&file, vec![1; 1 << 20]).unwrap();
    let cut = || {
        fs::File::options()
            .write(true)
            .open(&file)
            .unwrap()
            .set_len(1000)
            .unwrap();
    };
    let answer = site.ask_then(Method::Get, "/large.bin", &[], cut);
    assert_eq!(answer.body.unwrap_err().code().name, "file_failed");
}

#[test]
fn a_setting_that_can_never_work_is_refused() {
    let site = site(|_| {});
    let check = |change: &dyn Fn(&mut ToFiles), expected: &str| {
        let mut config = settings("site");
        change(&mut config);
        let handle = site.runtime.handle().clone();
        let problem = Files::new(&config, site.folder.path(), "", handle).err().unwrap();
        assert!(problem.contains(expected), "{problem}");
    };
    check(&|config| config.files = "none".into(), "can't open the folder");
    check(&|config| config.files = "secret.txt".into(), "can't open the folder");
    check(&|config| config.index = "../index.html".to_owned(), "`index`");
    check(&|config| config.index = String::new(), "`index`");
    check(
        &|config| config.fallback = Some("none.html".to_owned()),
        "can't open the fallback none.html",
    );
    check(
        &|config| config.fallback = Some("docs".to_owned()),
        "can't open the fallback docs",
    );
    check(&|config| config.strip = Some("static".to_owned()), "`strip`");
    check(
        &|config| config.cache_control = Some("a\r\nb: c".to_owned()),
        "`cache_control`",
    );
}
