//! Signed requests (RFC 9421).

use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::folder::Folder;
use super::gate::Gate;
use super::upstream::Upstream;

const SECRET: &str = "0123456789abcdef0123456789abcdef";

const COVERED: &str = r#"("@method" "@authority" "@path" "@query" "content-digest")"#;

/// The fields of a signed POST to `/pay?to=ann` with that content.
fn signed(content: &str) -> Vec<(&'static str, String)> {
    let created = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let parameters = format!("{COVERED};created={created};keyid=\"k1\"");
    let content_digest = format!("sha-256=:{}:", STANDARD.encode(digest(&SHA256, content.as_bytes())));
    let text = format!(
        "\"@method\": POST\n\"@authority\": gate.test\n\"@path\": /pay\n\"@query\": ?to=ann\n\
         \"content-digest\": {content_digest}\n\"@signature-params\": {parameters}"
    );
    let signature = STANDARD.encode(sign(&Key::new(HMAC_SHA256, SECRET.as_bytes()), text.as_bytes()));
    vec![
        ("Content-Digest", content_digest),
        ("Signature-Input", format!("s={parameters}")),
        ("Signature", format!("s=:{signature}:")),
    ]
}

#[test]
fn a_signed_request_passes_once_and_nobody_changes_it() {
    let upstream = Upstream::ok();
    let folder = Folder::new();
    folder.write("secret", SECRET);
    let gate = Gate::start_in(
        folder,
        &format!(
            "listeners: [127.0.0.1:0]\nservices: {{up: 'http://{}'}}\npolicies:\n  guard:\n    \
             hmac: {{consumers: [{{name: payroll, key_id: k1, algorithm: hmac-sha256, secret: 'file:secret'}}]}}\n\
             routes:\n  - {{path: /**, policies: [guard], to: {{service: up}}}}\n",
            upstream.address()
        ),
    );
    let ask = |target: &str, fields: &[(&'static str, String)], content: &str| {
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        gate.connect().ask("POST", target, &fields, content)
    };
    let fields = signed("7 euros");
    ask("/pay?to=ann", &fields, "9 euros").assert_problem(401, "unauthenticated");
    ask("/pay?to=eve", &fields, "7 euros").assert_problem(401, "unauthenticated");
    assert_eq!(upstream.accepted(), 0);
    assert_eq!(ask("/pay?to=ann", &fields, "7 euros").status, 200);
    let seen = upstream.last();
    assert_eq!(
        (seen.field("x-consumer"), seen.body.as_slice()),
        (Some("payroll"), &b"7 euros"[..])
    );
    assert_eq!((seen.field("signature"), seen.field("signature-input")), (None, None));
    ask("/pay?to=ann", &fields, "7 euros").assert_problem(401, "unauthenticated");
    gate.signal("HUP");
    gate.await_log("was reloaded by SIGHUP");
    ask("/pay?to=ann", &fields, "7 euros").assert_problem(401, "unauthenticated");
    assert_eq!(upstream.requests().len(), 1);
}
