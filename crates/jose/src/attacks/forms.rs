//! What could be read in two ways, is too much, or is meant for something else.

use std::fmt::Write as _;

use serde_json::json;

use super::{check_refused, claims, keys, verify, with_header};
use crate::algorithm::Algorithm;
use crate::refusal::Refusal;
use crate::signer::{self, encode, plain, token};
use crate::token::LONGEST;

#[test]
fn what_is_said_twice_is_refused() {
    let algorithm = Algorithm::Hs256;
    let keys = keys(algorithm);
    for header in [
        r#"{"alg":"HS256","alg":"HS256"}"#,
        r#"{"alg":"none","alg":"HS256"}"#,
        r#"{"alg":"HS256","\u0061lg":"none"}"#,
        r#"{"alg":"HS256","kid":"one","kid":"two"}"#,
        r#"{"alg":"HS256","x":{"a":1,"a":2}}"#,
    ] {
        let refusal = verify(&keys, &with_header(algorithm, header)).expect_err("it must be refused");
        assert!(matches!(refusal, Refusal::Header(_)), "{header}");
    }
    for payload in [
        r#"{"sub":"alice","sub":"root","exp":1900000000}"#,
        r#"{"exp":1,"exp":1900000000}"#,
        r#"{"exp":1900000000,"\u0065xp":1}"#,
        r#"{"exp":1900000000,"realm":{"roles":[],"roles":["root"]}}"#,
    ] {
        check_refused(
            &keys,
            &token(algorithm, r#"{"alg":"HS256"}"#, payload),
            &Refusal::Payload,
        );
    }
}

#[test]
fn what_is_signed_must_be_claims() {
    let algorithm = Algorithm::Hs256;
    let keys = keys(algorithm);
    for payload in [
        "",
        "null",
        "[]",
        "\"sub\"",
        "1",
        "{",
        "{}x",
        "{\"exp\":1900000000}{}",
        "\u{feff}{}",
        "{'exp':1}",
    ] {
        check_refused(
            &keys,
            &token(algorithm, r#"{"alg":"HS256"}"#, payload),
            &Refusal::Payload,
        );
    }
    for header in [
        "",
        "null",
        "[]",
        "\"HS256\"",
        "{\"alg\":\"HS256\"}x",
        "\u{feff}{\"alg\":\"HS256\"}",
    ] {
        let refusal = verify(&keys, &with_header(algorithm, header)).expect_err("it must be refused");
        assert!(matches!(refusal, Refusal::Header(_)), "{header}");
    }
}

#[test]
fn extensions_are_refused() {
    let algorithm = Algorithm::Hs256;
    let keys = keys(algorithm);
    for extension in [
        r#""crit":["exp"],"exp":1"#,
        r#""crit":["b64"],"b64":false"#,
        r#""crit":["b64"],"b64":true"#,
        r#""crit":["http://example.com/UNDEFINED"]"#,
        r#""crit":[]"#,
        r#""crit":null"#,
        r#""crit":"alg""#,
        r#""b64":false"#,
        r#""b64":null"#,
        r#""b64":0"#,
    ] {
        let header = format!(r#"{{"alg":"HS256",{extension}}}"#);
        check_refused(&keys, &with_header(algorithm, &header), &Refusal::Critical);
    }
    // RFC 7797: the payload stands there as it is.
    let payload = claims().to_string();
    let signed = format!("{}.{payload}", encode(r#"{"alg":"HS256","b64":false}"#));
    let signature = encode(signer::sign(algorithm, signed.as_bytes()));
    assert!(verify(&keys, &format!("{signed}.{signature}")).is_err());
}

#[test]
fn tokens_within_tokens_and_encrypted_ones_are_refused() {
    let algorithm = Algorithm::Hs256;
    let keys = keys(algorithm);
    let inner = plain(algorithm, &claims());
    for kind in ["JWT", "jwt", "application/jwt", "application/JWT"] {
        let header = json!({"alg": "HS256", "cty": kind}).to_string();
        check_refused(&keys, &token(algorithm, &header, &inner), &Refusal::Nested);
    }
    check_refused(&keys, &format!("{inner}.AAAA.AAAA"), &Refusal::Encrypted);
    check_refused(
        &keys,
        &with_header(algorithm, r#"{"alg":"HS256","enc":"A256GCM"}"#),
        &Refusal::Encrypted,
    );
    let password = json!({"alg": "PBES2-HS256+A128KW", "p2c": 2_000_000_000_u32}).to_string();
    check_refused(&keys, &with_header(algorithm, &password), &Refusal::Algorithm);
}

#[test]
fn the_shape_is_exact() {
    let algorithm = Algorithm::Hs256;
    let keys = keys(algorithm);
    let good = plain(algorithm, &claims());
    let parts: Vec<&str> = good.split('.').collect();
    let [header, payload, signature] = parts[..] else {
        panic!("a token has three parts")
    };
    for bad in [
        String::new(),
        ".".to_owned(),
        "..".to_owned(),
        "...".to_owned(),
        format!("{good}."),
        format!(".{good}"),
        format!("{good}.AAAA"),
        format!("{header}..{signature}"),
        format!(".{payload}.{signature}"),
        format!("{header}.{payload}.."),
        format!("{header}.{payload}{signature}"),
        format!(" {good}"),
        format!("{good} "),
        format!("{good}\n"),
        format!("{good}\0"),
        format!("Bearer {good}"),
        format!("\"{good}\""),
        json!({"protected": header, "payload": payload, "signature": signature}).to_string(),
        json!({"payload": payload, "signatures": [{"protected": header, "signature": signature}]}).to_string(),
    ] {
        assert!(verify(&keys, &bad).is_err(), "{bad}");
    }
}

#[test]
fn base64url_is_exact() {
    let algorithm = Algorithm::Hs256;
    let keys = keys(algorithm);
    let good = plain(algorithm, &claims());
    let parts: Vec<&str> = good.split('.').collect();
    for at in 0..3 {
        for change in [
            "{}=",
            "{}==",
            " {}",
            "{}\n",
            "{}\r\n",
            "{}%3D",
            "{}?",
            "{}/",
            "{}+",
            "A{}",
            "{}\u{ff1d}",
        ] {
            let mut changed: Vec<String> = parts.iter().map(|part| (*part).to_owned()).collect();
            changed[at] = change.replace("{}", parts[at]);
            assert!(verify(&keys, &changed.join(".")).is_err(), "{change} {at}");
            // The same with a signature over what stands there.
            if at < 2 {
                let signed = changed[..2].join(".");
                let signature = encode(signer::sign(algorithm, signed.as_bytes()));
                assert!(
                    verify(&keys, &format!("{signed}.{signature}")).is_err(),
                    "{change} {at}"
                );
            }
        }
    }
    // The last character of 32 bytes has two bits that mean nothing; only zeros are right.
    let last = good.bytes().last().expect("it is not empty");
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let place = alphabet
        .iter()
        .position(|byte| *byte == last)
        .expect("it is one of them");
    for bits in 1..4 {
        let other = char::from(alphabet[place + bits]);
        let changed = format!("{}{other}", &good[..good.len() - 1]);
        check_refused(&keys, &changed, &Refusal::Encoding("signature"));
    }
}

#[test]
fn what_is_huge_costs_nothing() {
    let algorithm = Algorithm::Hs256;
    let keys = keys(algorithm);
    check_refused(&keys, &"a".repeat(LONGEST + 1), &Refusal::TooLong);
    check_refused(&keys, &".".repeat(LONGEST + 1), &Refusal::TooLong);
    check_refused(&keys, &".".repeat(LONGEST), &Refusal::Parts);
    check_refused(&keys, &"a.".repeat(LONGEST / 2), &Refusal::Parts);
    let header = json!({"alg": "HS256", "x": "x".repeat(4000)}).to_string();
    let refusal = verify(&keys, &with_header(algorithm, &header)).expect_err("it must be refused");
    assert!(matches!(refusal, Refusal::Header(_)));
    let deep = format!(r#"{{"exp":1900000000,"a":{}{}}}"#, "[".repeat(4000), "]".repeat(4000));
    check_refused(&keys, &token(algorithm, r#"{"alg":"HS256"}"#, &deep), &Refusal::Payload);
    let mut wide = String::from("{\"exp\":1900000000");
    for nth in 0..900 {
        write!(wide, ",\"c{nth}\":{nth}").expect("a string takes it");
    }
    wide.push('}');
    assert!(verify(&keys, &token(algorithm, r#"{"alg":"HS256"}"#, &wide)).is_ok());
}

#[test]
fn a_token_for_something_else_is_not_taken() {
    let algorithm = Algorithm::Hs256;
    let keys = keys(algorithm);
    let typed = |kind: &str| with_header(algorithm, &json!({"alg": "HS256", "typ": kind}).to_string());
    for kind in ["JWT", "jwt", "application/jwt", "at+jwt", "application/at+JWT"] {
        assert!(verify(&keys, &typed(kind)).is_ok(), "{kind}");
    }
    for kind in [
        "logout+jwt",
        "dpop+jwt",
        "secevent+jwt",
        "rt+jwt",
        "JWE",
        "",
        "application/application/jwt",
    ] {
        check_refused(&keys, &typed(kind), &Refusal::Type);
    }
}

#[test]
fn letters_that_look_alike_are_not_alike() {
    let algorithm = Algorithm::Hs256;
    let keys = keys(algorithm);
    for name in [
        "ＨＳ256",
        "HS２56",
        "HS256\u{200d}",
        "\u{2c8}HS256",
        "hs256",
        "Hs256",
        "HS256\n",
    ] {
        let header = json!({"alg": name}).to_string();
        check_refused(&keys, &with_header(algorithm, &header), &Refusal::Algorithm);
    }
    // An escape is a way of writing, not another text.
    assert!(verify(&keys, &with_header(algorithm, r#"{"\u0061lg":"\u0048S256"}"#)).is_ok());
    let payload = b"{\"exp\":1900000000,\"sub\":\"\xff\"}";
    let signed = format!("{}.{}", encode(r#"{"alg":"HS256"}"#), encode(payload));
    let signature = encode(signer::sign(algorithm, signed.as_bytes()));
    check_refused(&keys, &format!("{signed}.{signature}"), &Refusal::Payload);
}
