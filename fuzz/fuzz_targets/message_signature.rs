//! Whatever a request says of its signature is read or refused, and nobody without a key is let in.

#![no_main]

use std::net::SocketAddr;
use std::path::Path;
use std::rc::Rc;
use std::sync::LazyLock;
use std::time::{Duration, Instant, SystemTime};

use libfuzzer_sys::fuzz_target;
use portcullis_config::policy::hmac as written;
use portcullis_config::secret::Secret;
use portcullis_config::units;
use portcullis_core::{Connection, Ctx, Method, Request, RequestId, Target};
use portcullis_policies::authenticate::{Authenticator, Verdict};
use portcullis_policies::hmac::Hmac;
use portcullis_policies::hmac::replay::Registry;

static POLICY: LazyLock<Hmac> = LazyLock::new(|| {
    let config = written::Hmac {
        consumers: vec![written::Signer {
            name: "a".to_owned(),
            key_id: "k".to_owned(),
            algorithm: written::SignatureAlgorithm::HmacSha256,
            secret: Some(Secret::new("0123456789abcdef0123456789abcdef".to_owned())),
            public_key: None,
            scopes: Vec::new(),
            roles: Vec::new(),
        }],
        covered: vec!["@method".to_owned()],
        max_age: units::Duration::seconds(300),
        leeway: units::Duration::seconds(30),
        replay: written::Replay::Allow,
        tag: None,
        max_body: units::ByteSize::kib(1),
        keep: true,
    };
    Hmac::new(&config, "fuzzed", Path::new(""), &Registry::default()).expect("the configuration is good")
});

fuzz_target!(|input: &[u8]| {
    // The two fields and a target, one in each line.
    let mut lines = input.splitn(3, |byte| *byte == b'\n');
    let mut next = || lines.next().unwrap_or_default();
    let (inputs, values) = (next(), next());
    let target = Target::parse(next()).or_else(|_| Target::parse(b"/?a=b"));
    let mut request = Request::new(Method::from_token("POST"), target.expect("the second one is good"));
    request.headers.append("Host", "a.example");
    request.headers.append("Signature-Input", inputs);
    request.headers.append("Signature", values);
    request.headers.append("Content-Digest", values);
    request.body = input.to_vec().into();
    let local = SocketAddr::from(([127, 0, 0, 1], 80));
    let connection = Rc::new(Connection::new(local, local, None, false));
    let id = RequestId::new(b"1").expect("it is visible ASCII");
    let received = SystemTime::UNIX_EPOCH + Duration::from_secs(1_618_884_473);
    let mut cx = Ctx::new(connection, id, Instant::now(), received);
    match POLICY.judge(&mut cx, &mut request) {
        Verdict::Refused(_) | Verdict::Later => {}
        _ => panic!("a request without a key's signature is let in"),
    }
});
