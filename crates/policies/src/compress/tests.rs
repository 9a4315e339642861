#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::VecDeque;
use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use portcullis_core::{BodyStream, Error, Frame, codes};
use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest};

use super::*;
use crate::trial::{Trial, exchange, request};

const TEXT: &str = "text/plain; charset=utf-8";

/// What a source does next.
#[derive(Clone, Debug)]
enum Step {
    Piece(Vec<u8>),
    Wait,
    Trailers,
    Fail,
}

/// A source of content that a test has written down.
struct Source(VecDeque<Step>);

impl BodyStream for Source {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame>>> {
        Poll::Ready(match self.0.pop_front() {
            None => None,
            Some(Step::Piece(piece)) => Some(Ok(Frame::Data(piece.into()))),
            Some(Step::Wait) => {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            Some(Step::Trailers) => {
                let mut trailers = Headers::new();
                trailers.append("content-digest", "sha-256=:x:");
                trailers.append("x-sum", "1");
                Some(Ok(Frame::Trailers(trailers)))
            }
            Some(Step::Fail) => Some(Err(Error::new(&codes::UPSTREAM_CLOSED))),
        })
    }
}

fn source(steps: impl IntoIterator<Item = Step>) -> Body {
    Body::Stream(Box::new(Source(steps.into_iter().collect())))
}

fn policy(config: &compress::Compress) -> Arc<dyn Policy> {
    Arc::new(Compress::new(config).unwrap())
}

fn answer_with(config: &compress::Compress, request: Request, response: Response) -> Trial {
    exchange(&policy(config), request, response)
}

fn answer(request: Request, response: Response) -> Trial {
    answer_with(&compress::Compress::default(), request, response)
}

fn get(accept_encoding: &str) -> Request {
    request("GET", "/", &[("Accept-Encoding", accept_encoding)])
}

fn text(length: usize) -> String {
    "All work and no play makes Jack a dull boy. "
        .chars()
        .cycle()
        .take(length)
        .collect()
}

fn response(length: usize) -> Response {
    Response::new(Status::OK).with_body(TEXT, text(length))
}

/// Counts how often it was woken.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// What comes out of a body: bytes, the fields of trailers, an error; and how often others had their turn.
#[derive(Debug, Default)]
struct Out {
    content: Vec<u8>,
    trailers: Option<Vec<String>>,
    error: Option<Error>,
    turns: usize,
}

/// Reads to the end. A body that is pending must have taken care that it is woken.
fn read(mut body: Body) -> Out {
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    let mut cx = Context::from_waker(&waker);
    let mut out = Out::default();
    loop {
        match body.poll_frame(&mut cx) {
            Poll::Pending => {
                assert!(woken.0.swap(0, Ordering::Relaxed) > 0, "nobody would wake the task");
                out.turns += 1;
            }
            Poll::Ready(None) => return out,
            Poll::Ready(Some(Err(error))) => {
                out.error = Some(error);
                return out;
            }
            Poll::Ready(Some(Ok(Frame::Data(data)))) => {
                assert!(!data.is_empty(), "a piece of nothing");
                out.content.extend_from_slice(&data);
            }
            Poll::Ready(Some(Ok(Frame::Trailers(trailers)))) => {
                out.trailers = Some(trailers.iter().map(|(name, _)| name.to_owned()).collect());
            }
        }
    }
}

/// All that can be decoded, whether or not the end is there.
fn plain(content: &[u8], encoding: Encoding) -> Vec<u8> {
    let mut decoder: Box<dyn Read + '_> = match encoding {
        Encoding::Gzip => Box::new(flate2::read::GzDecoder::new(content)),
        Encoding::Br => Box::new(brotli::Decompressor::new(content, 4096)),
        Encoding::Zstd => Box::new(zstd::stream::read::Decoder::new(content).unwrap()),
    };
    let mut out = Vec::new();
    let mut piece = [0; 4096];
    while let Ok(length @ 1..) = decoder.read(&mut piece) {
        out.extend_from_slice(&piece[..length]);
    }
    out
}

/// All of the content, which must be whole.
fn decoded(content: &[u8], encoding: Encoding) -> Vec<u8> {
    let mut out = Vec::new();
    match encoding {
        Encoding::Gzip => flate2::read::GzDecoder::new(content).read_to_end(&mut out),
        Encoding::Br => brotli::Decompressor::new(content, 4096).read_to_end(&mut out),
        Encoding::Zstd => zstd::stream::read::Decoder::new(content).unwrap().read_to_end(&mut out),
    }
    .unwrap();
    out
}

const ALL: [Encoding; 3] = [Encoding::Zstd, Encoding::Br, Encoding::Gzip];

#[test]
fn small_content_is_compressed_whole_and_keeps_a_length() {
    for encoding in ALL {
        let trial = answer(get(encoder::coding_name(encoding)), response(20_000));
        assert_eq!(trial.field("content-encoding").unwrap(), encoder::coding_name(encoding));
        assert_eq!(trial.field("vary").unwrap(), "Accept-Encoding");
        let body = trial.result.unwrap().body;
        assert!(body.remaining().unwrap() < 1000, "{body:?}");
        assert_eq!(decoded(&read(body).content, encoding), text(20_000).as_bytes());
    }
}

#[test]
fn large_content_goes_out_in_slices() {
    let length = 10 * SLICE + 1;
    for encoding in ALL {
        let trial = answer(get(encoder::coding_name(encoding)), response(length));
        let body = trial.result.unwrap().body;
        assert_eq!(body.remaining(), None);
        let out = read(body);
        assert_eq!(decoded(&out.content, encoding), text(length).as_bytes());
        assert_eq!(out.turns, 10, "{encoding:?}");
    }
}

#[test]
fn what_goes_out_early_counts_for_the_slice_all_the_same() {
    // The source waits, but has more by the time that the flushed content is taken: nobody else has had a turn.
    for first in [SLICE + 1, 25_000] {
        let steps = [
            Step::Piece(text(first).into()),
            Step::Wait,
            Step::Piece(text(2 * SLICE + 1 - first).into()),
        ];
        for encoding in ALL {
            let response = Response::new(Status::OK).with_body(TEXT, source(steps.clone()));
            let body = answer(get(encoder::coding_name(encoding)), response)
                .result
                .unwrap()
                .body;
            assert_eq!(read(body).turns, 2, "{encoding:?}");
        }
    }
}

#[test]
fn fields_tell_of_the_encoded_form() {
    let response = response(20_000)
        .with_header(Known::Etag, "\"a\"")
        .with_header(Known::AcceptRanges, "bytes")
        .with_header(Known::ContentEncoding, "identity")
        .with_header(Known::ContentLength, "20000")
        .with_header(Known::Vary, "Origin")
        .with_header("Content-Digest", "sha-256=:x:")
        .with_header("Repr-Digest", "sha-256=:x:")
        .with_header("Digest", "sha-256=x")
        .with_header("Content-MD5", "x")
        .with_header("X-Other", "stays");
    let answer = answer(get("gzip"), response).answer();
    let fields: Vec<_> = answer
        .iter()
        .map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value)))
        .collect();
    let expected = [
        "Content-Type: text/plain; charset=utf-8",
        "Vary: Origin",
        "X-Other: stays",
        "Content-Encoding: gzip",
        "ETag: W/\"a~gzip\"",
        "Vary: Accept-Encoding",
    ];
    assert_eq!(fields, expected);
}

/// Checks a response that stays as it is; whether it says that it depends on what the client takes.
#[track_caller]
fn check_left(request: Request, response: Response, varies: bool) {
    let before = response.body.remaining();
    let encoding = response.headers.get_str(Known::ContentEncoding).map(str::to_owned);
    let tag = response.headers.get_str(Known::Etag).map(str::to_owned);
    let trial = answer(request, response);
    assert_eq!(trial.field("content-encoding"), encoding);
    assert_eq!(trial.field("etag"), tag);
    assert_eq!(trial.field("vary").is_some(), varies);
    assert_eq!(trial.result.unwrap().body.remaining(), before);
}

#[test]
fn what_must_not_be_compressed_is_left() {
    let with = |name: Known, value: &str| {
        response(2000)
            .with_header(name, value)
            .with_header(Known::Etag, "\"a\"")
    };
    check_left(get("gzip"), with(Known::ContentEncoding, "br"), false);
    check_left(get("gzip"), with(Known::ContentEncoding, "identity, x-unknown"), false);
    check_left(get("gzip"), with(Known::CacheControl, "max-age=1, No-Transform"), false);
    check_left(get("gzip"), with(Known::ContentRange, "bytes 0-1/2"), false);
    let mut part = response(2000);
    part.status = Status::PARTIAL_CONTENT;
    check_left(get("gzip"), part, false);
    check_left(
        get("gzip"),
        Response::new(Status::OK).with_body("image/png", text(2000)),
        false,
    );
    check_left(
        get("gzip"),
        Response::new(Status::OK).with_body("application/grpc", text(2000)),
        false,
    );
    let mut untyped = Response::new(Status::OK);
    untyped.body = Body::from(text(2000));
    check_left(get("gzip"), untyped, false);
    check_left(get("gzip"), response(1023), false);
    check_left(get("gzip"), response(0), false);
    check_left(
        get("gzip"),
        Response::new(Status::NO_CONTENT).with_header(Known::ContentType, TEXT),
        false,
    );
    check_left(
        request("CONNECT", "/", &[("Accept-Encoding", "gzip")]),
        response(2000),
        false,
    );
    let switching = Response {
        status: Status::SWITCHING_PROTOCOLS,
        body: source([]),
        ..response(0)
    };
    check_left(get("gzip"), switching, false);
    let private = [("Accept-Encoding", "gzip"), ("Cache-Control", "no-transform")];
    check_left(request("GET", "/", &private), response(2000), false);
    // These would be compressed for another client.
    check_left(get("identity"), response(2000), true);
    check_left(get("gzip;q=0"), response(2000), true);
    check_left(request("GET", "/", &[]), response(2000), true);
    assert!(answer(get("gzip"), response(1024)).field("content-encoding").is_some());
}

#[test]
fn an_answer_to_head_has_the_fields_that_get_would_have() {
    let head = |fields: &[(&str, &str)]| {
        let mut response = Response::new(Status::OK).with_header(Known::ContentType, TEXT);
        for (name, value) in fields {
            response.headers.append(*name, value);
        }
        answer(request("HEAD", "/", &[("Accept-Encoding", "br")]), response)
    };
    let trial = head(&[("Content-Length", "5000"), ("ETag", "\"a\"")]);
    assert_eq!(trial.field("content-encoding").unwrap(), "br");
    assert_eq!(trial.field("content-length"), None);
    assert_eq!(trial.field("etag").unwrap(), "W/\"a~br\"");
    assert_eq!(trial.field("vary").unwrap(), "Accept-Encoding");
    assert!(trial.result.unwrap().body.is_empty());
    assert!(head(&[]).field("content-encoding").is_some());
    let small = head(&[("Content-Length", "10")]);
    assert_eq!(small.field("content-length").unwrap(), "10");
    assert_eq!(small.field("content-encoding"), None);
}

#[test]
fn conditions_reach_the_server_with_its_own_tags() {
    let fields = [
        ("Accept-Encoding", "gzip"),
        ("If-None-Match", "W/\"b~br\", W/\"a~gzip\""),
        ("If-Match", "W/\"a~br\""),
    ];
    let unchanged = || Response::new(Status::NOT_MODIFIED).with_header(Known::Etag, "\"a\"");
    let trial = answer(request("GET", "/", &fields), unchanged());
    let seen = &trial.seen.as_ref().unwrap().headers;
    assert_eq!(seen.get_str(Known::IfNoneMatch), Some("W/\"b~br\", \"a\""));
    assert_eq!(seen.get_str(Known::IfMatch), Some("\"a\""));
    assert_eq!(trial.field("etag").unwrap(), "W/\"a~gzip\"");
    assert_eq!(trial.field("vary").unwrap(), "Accept-Encoding");
    // A client that holds the plain form keeps its tag.
    let plain = [("Accept-Encoding", "gzip"), ("If-None-Match", "\"a\"")];
    let trial = answer(request("GET", "/", &plain), unchanged());
    assert_eq!(trial.field("etag").unwrap(), "\"a\"");
}

#[test]
fn what_was_taken_is_handed_on_while_nothing_more_comes() {
    for encoding in ALL {
        let events = [
            Step::Piece(b"data: 1\n\n".to_vec()),
            Step::Wait,
            Step::Wait,
            Step::Piece(b"data: 2\n\n".to_vec()),
        ];
        let response = Response::new(Status::OK).with_body("text/event-stream", source(events));
        let mut body = answer(get(encoder::coding_name(encoding)), response)
            .result
            .unwrap()
            .body;
        let mut cx = Context::from_waker(Waker::noop());
        let Poll::Ready(Some(Ok(Frame::Data(first)))) = body.poll_frame(&mut cx) else {
            panic!("the first event is held back")
        };
        assert_eq!(plain(&first, encoding), b"data: 1\n\n");
        assert!(body.poll_frame(&mut cx).is_pending());
        let rest = read(body);
        assert_eq!(
            decoded(&[&first[..], &rest.content].concat(), encoding),
            b"data: 1\n\ndata: 2\n\n"
        );
    }
}

#[test]
fn a_source_that_breaks_off_breaks_the_stream_off() {
    for encoding in ALL {
        let broken = source([Step::Piece(text(50_000).into()), Step::Fail]);
        let response = Response::new(Status::OK).with_body(TEXT, broken);
        let out = read(
            answer(get(encoder::coding_name(encoding)), response)
                .result
                .unwrap()
                .body,
        );
        assert_eq!(out.error.unwrap().code().name, "upstream_closed");
    }
}

#[test]
fn a_length_that_is_not_kept_is_a_failure() {
    struct Liar(u64, Option<Bytes>);
    impl BodyStream for Liar {
        fn poll_frame(&mut self, _: &mut Context<'_>) -> Poll<Option<Result<Frame>>> {
            Poll::Ready(self.1.take().map(|data| Ok(Frame::Data(data))))
        }
        fn remaining(&self) -> Option<u64> {
            Some(self.0)
        }
    }
    for announced in [1999, 2001] {
        let body = Body::Stream(Box::new(Liar(announced, Some(text(2000).into()))));
        let response = Response::new(Status::OK).with_body(TEXT, body);
        let out = read(answer(get("zstd"), response).result.unwrap().body);
        assert_eq!(out.error.unwrap().code().name, "internal");
    }
}

#[test]
fn memory_is_limited() {
    let config = compress::Compress {
        memory: portcullis_config::units::ByteSize::mib(4),
        ..compress::Compress::default()
    };
    let stream = || {
        let stream = source([Step::Piece(text(10).into())]);
        answer_with(&config, get("zstd"), Response::new(Status::OK).with_body(TEXT, stream))
    };
    let held: Vec<_> = (0..3).map(|_| stream()).collect();
    let encoded: Vec<_> = held
        .iter()
        .map(|trial| trial.field("content-encoding").is_some())
        .collect();
    assert_eq!(encoded, [true, true, false]);
    assert_eq!(held[2].field("vary").unwrap(), "Accept-Encoding");
    drop(held);
    assert!(stream().field("content-encoding").is_some());
}

#[test]
fn levels_and_encodings_are_those_of_the_file() {
    let config = compress::Compress {
        encodings: vec![Encoding::Gzip],
        ..compress::Compress::default()
    };
    let trial = answer_with(&config, get("zstd, gzip, br"), response(2000));
    assert_eq!(trial.field("content-encoding").unwrap(), "gzip");
    assert_eq!(
        answer_with(&config, get("zstd, br"), response(2000)).field("content-encoding"),
        None
    );
    for level in 1..=6 {
        let config = compress::Compress {
            level: CompressLevel {
                zstd: level,
                br: level,
                gzip: level + 3,
            },
            ..compress::Compress::default()
        };
        for encoding in ALL {
            let trial = answer_with(&config, get(encoder::coding_name(encoding)), response(40_000));
            let out = read(trial.result.unwrap().body);
            assert_eq!(decoded(&out.content, encoding), text(40_000).as_bytes());
        }
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let piece = prop_oneof![
        (any::<u8>(), 1..70_000_usize).prop_map(|(byte, length)| vec![byte; length]),
        (1..40_000_usize).prop_map(|length| text(length).into_bytes()),
        proptest::collection::vec(any::<u8>(), 1..5000),
    ];
    let step = prop_oneof![3 => piece.prop_map(Step::Piece), 2 => Just(Step::Wait)];
    (proptest::collection::vec(step, 0..12), any::<bool>()).prop_map(|(mut steps, trailers)| {
        if trailers {
            steps.push(Step::Trailers);
        }
        steps
    })
}

proptest! {
    // What fails here becomes a test of its own: the file of seeds would hold all of the content.
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn what_comes_out_decodes_to_what_went_in(steps in steps()) {
        let content: Vec<u8> = steps
            .iter()
            .filter_map(|step| if let Step::Piece(piece) = step { Some(piece.clone()) } else { None })
            .flatten()
            .collect();
        let trailers = matches!(steps.last(), Some(Step::Trailers)).then(|| vec!["x-sum".to_owned()]);
        for encoding in ALL {
            let response = Response::new(Status::OK).with_body(TEXT, source(steps.clone()));
            let body = answer(get(encoder::coding_name(encoding)), response).result.unwrap().body;
            let out = read(body);
            prop_assert!(out.error.is_none());
            prop_assert_eq!(decoded(&out.content, encoding), content.clone());
            prop_assert_eq!(out.trailers, trailers.clone());
            prop_assert!((out.turns + 1) * SLICE >= content.len(), "{} turns", out.turns);
        }
    }
}
