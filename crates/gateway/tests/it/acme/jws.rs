//! Signed requests as an authority reads them (RFC 8555, section 6.2; RFC 7515): what is signed wrongly is refused.

use aws_lc_rs::hmac;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// A signed request, taken apart.
pub(super) struct Signed {
    pub(super) header: Value,
    pub(super) payload: Vec<u8>,
    text: String,
    signature: Vec<u8>,
}

impl Signed {
    pub(super) fn read(body: &Value) -> Signed {
        let part = |name: &str| body[name].as_str().unwrap_or_else(|| panic!("no {name}")).to_owned();
        assert_eq!(body.as_object().unwrap().len(), 3, "more than a flattened JWS: {body}");
        Signed {
            header: serde_json::from_slice(&decode(&part("protected"))).unwrap(),
            payload: decode(&part("payload")),
            text: format!("{}.{}", part("protected"), part("payload")),
            signature: decode(&part("signature")),
        }
    }

    /// The payload; `None` for a request that only reads.
    pub(super) fn json(&self) -> Option<Value> {
        (!self.payload.is_empty()).then(|| serde_json::from_slice(&self.payload).unwrap())
    }

    /// Asserts that it was signed by the key of an account.
    pub(super) fn assert_signed_by(&self, key: &Value) {
        assert_eq!(self.header["alg"], "ES256");
        assert_eq!((&key["kty"], &key["crv"]), (&json!("EC"), &json!("P-256")));
        let mut point = vec![4];
        point.extend(decode(key["x"].as_str().unwrap()));
        point.extend(decode(key["y"].as_str().unwrap()));
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point);
        key.verify(self.text.as_bytes(), &self.signature)
            .expect("the signature is wrong");
    }

    /// Asserts that it binds a key to an account of ours (RFC 8555, section 7.3.4).
    pub(super) fn assert_binds(&self, key: &Value, url: &str, bound: (&str, &[u8])) {
        assert_eq!(self.header, json!({"alg": "HS256", "kid": bound.0, "url": url}));
        let inner = self.json().unwrap();
        assert_eq!(
            (&inner["x"], &inner["y"]),
            (&key["x"], &key["y"]),
            "another key is bound"
        );
        let secret = hmac::Key::new(hmac::HMAC_SHA256, bound.1);
        hmac::verify(&secret, self.text.as_bytes(), &self.signature).expect("the binding is signed wrongly");
    }
}

/// The name of an account's key (RFC 7638).
pub(super) fn thumbprint(key: &Value) -> String {
    let part = |name: &str| key[name].as_str().unwrap();
    let text = format!(
        r#"{{"crv":"{}","kty":"{}","x":"{}","y":"{}"}}"#,
        part("crv"),
        part("kty"),
        part("x"),
        part("y")
    );
    BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(text))
}

pub(super) fn decode(text: &str) -> Vec<u8> {
    BASE64_URL_SAFE_NO_PAD
        .decode(text)
        .unwrap_or_else(|_| panic!("no base64url: {text}"))
}
