use portcullis_config::units::ByteSize;
use portcullis_core::{Response, Status};

use super::coding::tests::encoded;
use super::*;
use crate::trial::{Trial, exchange, request};

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().build().unwrap()
}

fn sent_with(config: &Written, fields: &[(&str, &str)], content: &[u8]) -> Trial {
    let runtime = runtime();
    let policy: Arc<dyn Policy> = Arc::new(Payload::new(config, runtime.handle()).unwrap());
    let mut request = request("POST", "/", fields);
    request.headers.append(Known::ContentLength, content.len().to_string());
    request.body = Body::from(content.to_vec());
    exchange(&policy, request, Response::new(Status::OK))
}

fn sent(fields: &[(&str, &str)], content: &[u8]) -> Trial {
    sent_with(&Written::default(), fields, content)
}

fn check(trial: &Trial, status: u16, code: &str) {
    assert_eq!(trial.status().code(), status, "{:?}", trial.result);
    assert_eq!(trial.seen.is_some(), status == 200);
    if let Err(error) = &trial.result {
        assert_eq!((error.code().name, error.policy()), (code, Some("payload")));
    }
}

fn content(trial: &Trial) -> &[u8] {
    match &trial.seen.as_ref().unwrap().body {
        Body::Full(content) => content,
        _ => b"",
    }
}

const JSON: (&str, &str) = ("Content-Type", "application/json");
const XML: (&str, &str) = ("Content-Type", "application/soap+xml; charset=utf-8");

#[test]
fn what_is_good_goes_on_as_it_came() {
    for (fields, text) in [
        (&[JSON][..], "{\"a\": 1}"),
        (&[XML], "<a/>"),
        (&[("Content-Type", "text/plain")], "{{{"),
        (&[], "{{{"),
        (&[JSON], ""),
    ] {
        let trial = sent(fields, text.as_bytes());
        check(&trial, 200, "");
        assert_eq!(content(&trial), text.as_bytes());
    }
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    let trial = sent(&[JSON], b"{\"a\": [1, }");
    check(&trial, 400, "bad_content");
    let trial = sent(
        &[("Content-Type", "application/problem+json")],
        b"{\"b\": {\"a\": 1, \"a\": 2}}",
    );
    check(&trial, 422, "payload_refused");
    let error = trial.result.unwrap_err();
    assert_eq!(error.detail(), Some("an object has a member twice, at /b/a"));
    assert_eq!(error.findings()[0].pointer, "/b/a");
    let trial = sent(&[XML], b"<!DOCTYPE a><a/>");
    check(&trial, 422, "payload_refused");
    assert_eq!(
        trial.result.unwrap_err().detail(),
        Some("a document type is not taken, at byte 0")
    );
    check(&sent(&[XML], b"<a>"), 400, "bad_content");
}

#[test]
fn types_that_are_not_listed_are_refused() {
    let config = Written {
        content_types: vec!["application/json".to_owned(), "*+xml".to_owned()],
        ..Written::default()
    };
    check(&sent_with(&config, &[JSON], b"1"), 200, "");
    check(&sent_with(&config, &[XML], b"<a/>"), 200, "");
    check(&sent_with(&config, &[("Content-Type", "text/plain")], b""), 200, "");
    for fields in [
        &[][..],
        &[("Content-Type", "text/plain")],
        &[("Content-Type", "a")],
        &[JSON, JSON],
    ] {
        let trial = sent_with(&config, fields, b"1");
        check(&trial, 415, "unsupported_content_type");
        assert_eq!(trial.field("accept").as_deref(), Some("application/json, *+xml"));
    }
    let none = Written {
        content_types: vec!["json".to_owned()],
        ..Written::default()
    };
    assert!(Payload::new(&none, runtime().handle()).is_err());
    // What might be JSON to somebody is not passed by.
    check(
        &sent(&[JSON, ("Content-Type", "text/plain")], b"1"),
        415,
        "unsupported_content_type",
    );
    check(
        &sent(&[("Content-Type", "application/json;charset=utf-16")], b"1"),
        415,
        "unsupported_content_type",
    );
}

#[test]
fn compressed_content_goes_on_plain() {
    let text = br#"{"a": "b"}"#;
    for (coding, name) in [
        (Coding::Gzip, "gzip"),
        (Coding::Gzip, "X-Gzip"),
        (Coding::Brotli, "br"),
        (Coding::Zstd, "zstd"),
    ] {
        for content_type in ["application/json", "text/plain"] {
            let fields = [
                ("Content-Type", content_type),
                ("Content-Encoding", name),
                ("Content-Digest", "sha-256=:AAAA:"),
                ("X-Other", "1"),
            ];
            let trial = sent(&fields, &encoded(coding, text));
            check(&trial, 200, "");
            assert_eq!(content(&trial), text);
            let headers = &trial.seen.as_ref().unwrap().headers;
            assert!(
                !headers.contains("Content-Encoding")
                    && !headers.contains("Content-Digest")
                    && headers.contains("X-Other")
            );
            assert_eq!(headers.get_str("Content-Length"), Some("10"));
        }
        let broken = sent(&[JSON, ("Content-Encoding", name)], &encoded(coding, b"{"));
        check(&broken, 400, "bad_content");
        check(&sent(&[JSON, ("Content-Encoding", name)], text), 400, "bad_content");
    }
}

#[test]
fn other_encodings_are_refused() {
    for name in ["deflate", "gzip, gzip", "compress", "aes128gcm"] {
        let trial = sent(&[("Content-Encoding", name)], b"1");
        check(&trial, 415, "unsupported_content_type");
        assert_eq!(trial.field("accept-encoding").as_deref(), Some("gzip, br, zstd"));
    }
    let off = Written {
        decompress: Decompress {
            enabled: false,
            ..Decompress::default()
        },
        ..Written::default()
    };
    let trial = sent_with(
        &off,
        &[JSON, ("Content-Encoding", "gzip")],
        &encoded(Coding::Gzip, b"1"),
    );
    check(&trial, 415, "unsupported_content_type");
    assert_eq!(trial.field("accept-encoding").as_deref(), Some("identity"));
    check(&sent_with(&off, &[("Content-Encoding", "deflate")], b"1"), 200, "");
}

#[test]
fn what_grows_too_much_is_refused() {
    let rules = |max, ratio| Rules {
        decompress: Decompress {
            enabled: true,
            max: ByteSize(max),
            ratio,
        },
        json: JsonLimits::default(),
        xml: XmlLimits::default(),
    };
    let judge = |rules: &Rules, coding, content: &[u8]| {
        let plan = Plan {
            coding: Some(coding),
            format: None,
        };
        let judged = rules.judge(plan, &Bytes::copy_from_slice(content), u64::MAX).unwrap();
        judged
            .map(|content| content.len())
            .map_err(|error| (error.code().name, error.detail().unwrap().to_owned()))
    };
    let zeros = vec![b'0'; 10 << 20];
    for coding in [Coding::Gzip, Coding::Brotli, Coding::Zstd] {
        let bomb = encoded(coding, &zeros);
        let by_ratio = "it becomes more than 100 times as large when it is decompressed".to_owned();
        assert_eq!(
            judge(&rules(10 << 20, 100), coding, &bomb),
            Err(("content_too_large", by_ratio)),
            "{coding:?}"
        );
        let by_size = "it becomes more than 10485759 bytes when it is decompressed".to_owned();
        assert_eq!(
            judge(&rules((10 << 20) - 1, u32::MAX), coding, &bomb),
            Err(("content_too_large", by_size))
        );
        assert_eq!(judge(&rules(10 << 20, u32::MAX), coding, &bomb), Ok(10 << 20));
        // What a bomb holds is not decoded again.
        let nested = encoded(coding, &bomb);
        assert_eq!(judge(&rules(10 << 20, 100), coding, &nested), Ok(bomb.len()));
        let small = encoded(coding, &zeros[..usize::try_from(SMALL).unwrap()]);
        assert_eq!(judge(&rules(10 << 20, 1), coding, &small), Ok(64 * 1024));
    }
}

#[test]
fn large_content_is_judged_elsewhere() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let payload = Payload::new(&Written::default(), runtime.handle()).unwrap();
    let plan = |coding| Plan {
        coding,
        format: Some(Format::Json),
    };
    let numbers = |count: usize| format!("[{}]", vec!["12345678901234567890"; count].join(","));
    let good = numbers(9_999);
    let judged = runtime.block_on(payload.judged(plan(None), good.clone().into()));
    assert_eq!(judged.unwrap(), good);
    let judged = runtime.block_on(payload.judged(plan(None), numbers(10_000).into()));
    assert_eq!(judged.unwrap_err().code().name, "payload_refused");
    // Little content that becomes more than is done on a worker.
    let grown: String = (0..9_000).map(|nth| format!("{},", nth * nth)).collect();
    let compressed = encoded(Coding::Gzip, format!("[{grown}1]").as_bytes());
    let compressed = Bytes::from(compressed);
    assert!(
        payload
            .rules
            .judge(plan(Some(Coding::Gzip)), &compressed, LARGEST_HERE)
            .is_none()
    );
    let judged = runtime.block_on(payload.judged(plan(Some(Coding::Gzip)), compressed));
    assert_eq!(judged.unwrap().len(), grown.len() + 3);
}

#[test]
fn content_is_read_up_to_its_limit() {
    let config = Written {
        max: ByteSize(10),
        ..Written::default()
    };
    check(&sent_with(&config, &[JSON], b"1234567890"), 200, "");
    check(&sent_with(&config, &[JSON], b"12345678901"), 413, "content_too_large");
    check(
        &sent_with(&config, &[("Content-Type", "image/png")], b"12345678901"),
        200,
        "",
    );
}
