//! Keys as JSON (RFC 7517, RFC 7518 §6, RFC 8037 §2).

use serde_json::{Map, Value};

use crate::algorithm::{Algorithm, Algorithms};
use crate::key::{Key, elliptic_verifier, narrowed, rsa_unless};
use crate::refusal::Problem;
use crate::{rsa, token};

/// The longest name of a key.
const LONGEST_ID: usize = 1024;
/// The most bytes of a number or secret: an RSA modulus of 8192 bits.
const LONGEST_NUMBER: usize = 1024;

/// A kind of key on a curve: its name, the bytes of a coordinate, and the one algorithm.
const CURVES: [(&str, usize, Algorithm); 3] = [
    ("P-256", 32, Algorithm::Es256),
    ("P-384", 48, Algorithm::Es384),
    ("P-521", 66, Algorithm::Es512),
];

/// The key that the object describes, for what is allowed.
pub(crate) fn parse(jwk: &Map<String, Value>, allowed: Option<Algorithms>) -> Result<Key, Problem> {
    check_purpose(jwk)?;
    let id = id(jwk)?;
    let kind = text(jwk, "kty")?.ok_or(Problem::Member("kty"))?;
    if kind != "oct" && jwk.contains_key("d") {
        return Err(Problem::Private);
    }
    let named = text(jwk, "alg")?;
    match kind {
        "RSA" => {
            let able = rsa_unless(one_of(named, Algorithms::RSA)?);
            let (n, e) = (number(jwk, "n")?, number(jwk, "e")?);
            Ok(Key::new(id, rsa::verifiers(&n, &e, narrowed(able, allowed)?)?))
        }
        "EC" => {
            let curve = text(jwk, "crv")?.ok_or(Problem::Member("crv"))?;
            let (_, length, algorithm) = CURVES
                .into_iter()
                .find(|(name, _, _)| *name == curve)
                .ok_or(Problem::Kind)?;
            // `ES521` is what ES512 is called by mistake, for its curve is P-521. The curve has one algorithm anyway.
            let named = named.map(|name| if name == "ES521" { "ES512" } else { name });
            one_of(named, algorithm.into())?;
            narrowed((algorithm.into(), algorithm.into()), allowed)?;
            let point = [vec![4], coordinate(jwk, "x", length)?, coordinate(jwk, "y", length)?].concat();
            let verifier = elliptic_verifier(algorithm, &point).ok_or(Problem::Member("x"))?;
            Ok(Key::new(id, vec![(algorithm, verifier)]))
        }
        "OKP" => {
            if text(jwk, "crv")? != Some("Ed25519") {
                return Err(Problem::Kind);
            }
            let algorithm = Algorithm::EdDsa;
            one_of(named, algorithm.into())?;
            narrowed((algorithm.into(), algorithm.into()), allowed)?;
            let verifier = elliptic_verifier(algorithm, &coordinate(jwk, "x", 32)?).ok_or(Problem::Member("x"))?;
            Ok(Key::new(id, vec![(algorithm, verifier)]))
        }
        "oct" => {
            let own = one_of(named, Algorithms::SECRET)?.map(Algorithms::from);
            let able = (
                own.unwrap_or(Algorithms::SECRET),
                own.unwrap_or(Algorithm::Hs256.into()),
            );
            Key::secret(id, &number(jwk, "k")?, narrowed(able, allowed)?)
        }
        _ => Err(Problem::Kind),
    }
}

/// Whether the object describes a secret. One that can't be used counts, too.
pub(crate) fn is_secret(jwk: &Map<String, Value>) -> bool {
    jwk.get("kty").is_some_and(|kind| kind == "oct")
}

/// Whether a token that names the one could mean the other: RFC 7517 §4.5 wants names to be distinct, but for alternatives
/// that differ in type, algorithm or use. Every key is the same as itself.
pub(crate) fn is_same_name(one: &Map<String, Value>, other: &Map<String, Value>) -> bool {
    std::ptr::eq(one, other)
        || one.contains_key("kid")
            && ["kid", "kty", "alg", "use"]
                .into_iter()
                .all(|name| one.get(name) == other.get(name))
}

/// RFC 7517 §4.2 and §4.3: who says what a key is for means it.
fn check_purpose(jwk: &Map<String, Value>) -> Result<(), Problem> {
    if text(jwk, "use")?.is_some_and(|purpose| purpose != "sig") {
        return Err(Problem::Purpose);
    }
    match jwk.get("key_ops") {
        None => Ok(()),
        Some(Value::Array(operations)) if operations.iter().any(|operation| operation == "verify") => Ok(()),
        Some(_) => Err(Problem::Purpose),
    }
}

fn id(jwk: &Map<String, Value>) -> Result<Option<Box<str>>, Problem> {
    match text(jwk, "kid")? {
        Some(id) if id.len() > LONGEST_ID => Err(Problem::Member("kid")),
        id => Ok(id.map(Box::from)),
    }
}

/// The algorithm that the key names, which must be one that its type has.
fn one_of(named: Option<&str>, able: Algorithms) -> Result<Option<Algorithm>, Problem> {
    let Some(name) = named else {
        return Ok(None);
    };
    Algorithm::from_name(name)
        .filter(|algorithm| able.contains(*algorithm))
        .map(Some)
        .ok_or(Problem::Kind)
}

fn text<'j>(jwk: &'j Map<String, Value>, name: &'static str) -> Result<Option<&'j str>, Problem> {
    match jwk.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Problem::Member(name)),
    }
}

fn number(jwk: &Map<String, Value>, name: &'static str) -> Result<Vec<u8>, Problem> {
    let text = text(jwk, name)?.ok_or(Problem::Member(name))?;
    if text.len() > LONGEST_NUMBER * 2 {
        return Err(Problem::Member(name));
    }
    token::decode(text.as_bytes()).ok_or(Problem::Member(name))
}

/// RFC 7518 §6.2.1.2: as many bytes as the curve has, with leading zeros.
fn coordinate(jwk: &Map<String, Value>, name: &'static str, length: usize) -> Result<Vec<u8>, Problem> {
    let bytes = number(jwk, name)?;
    if bytes.len() != length {
        return Err(Problem::Member(name));
    }
    Ok(bytes)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::keys::{Keys, LONGEST_DOCUMENT, MOST_KEYS};
    use crate::signer;

    fn one(jwk: Value) -> Result<Key, Problem> {
        let Value::Object(jwk) = jwk else {
            panic!("a key is an object")
        };
        parse(&jwk, None)
    }

    fn with(algorithm: Algorithm, name: &str, value: Value) -> Value {
        let mut jwk = signer::jwk(algorithm);
        jwk[name] = value;
        jwk
    }

    #[test]
    fn a_key_says_what_it_is_for() {
        for (name, value) in [
            ("use", json!("sig")),
            ("key_ops", json!(["verify"])),
            ("key_ops", json!(["sign", "verify"])),
            ("kid", json!("any")),
            ("x5t", json!(7)),
        ] {
            assert!(one(with(Algorithm::Es256, name, value)).is_ok(), "{name}");
        }
        for (name, value) in [
            ("use", json!("enc")),
            ("use", json!("")),
            ("key_ops", json!([])),
            ("key_ops", json!(["sign"])),
            ("key_ops", json!(["encrypt", "wrapKey"])),
            ("key_ops", json!("verify")),
        ] {
            assert_eq!(one(with(Algorithm::Es256, name, value)).unwrap_err(), Problem::Purpose);
        }
        assert_eq!(
            one(with(Algorithm::Es256, "use", json!(1))).unwrap_err(),
            Problem::Member("use")
        );
    }

    #[test]
    fn type_curve_and_algorithm_fit_each_other() {
        for (algorithm, name, value) in [
            (Algorithm::Es256, "alg", "ES384"),
            (Algorithm::Es256, "alg", "ES521"),
            (Algorithm::Es256, "alg", "RS256"),
            (Algorithm::Es256, "alg", "ECDH-ES"),
            (Algorithm::Es256, "crv", "secp256k1"),
            (Algorithm::Es256, "crv", "Ed25519"),
            (Algorithm::Es256, "kty", "OKP"),
            (Algorithm::Es256, "kty", "ec"),
            (Algorithm::EdDsa, "crv", "Ed448"),
            (Algorithm::EdDsa, "crv", "X25519"),
            (Algorithm::EdDsa, "alg", "ES256"),
            (Algorithm::Rs256, "alg", "RSA-OAEP"),
            (Algorithm::Rs256, "alg", "RSA1_5"),
            (Algorithm::Rs256, "alg", "HS256"),
            (Algorithm::Rs256, "alg", "none"),
            (Algorithm::Hs256, "alg", "A256GCM"),
            (Algorithm::Hs256, "alg", "A256KW"),
            (Algorithm::Hs256, "alg", "RS256"),
        ] {
            assert_eq!(
                one(with(algorithm, name, json!(value))).unwrap_err(),
                Problem::Kind,
                "{value}"
            );
        }
        assert!(one(with(Algorithm::Es256, "crv", json!("P-384"))).is_err());
        assert!(one(with(Algorithm::Rs256, "kty", json!("oct"))).is_err());
        for name in ["ES512", "ES521"] {
            let key = one(with(Algorithm::Es512, "alg", json!(name))).unwrap();
            assert_eq!(key.algorithms().collect::<Vec<_>>(), [Algorithm::Es512]);
        }
    }

    #[test]
    fn points_are_on_their_curve() {
        let mut off = signer::jwk(Algorithm::Es256);
        let y = token::decode(off["y"].as_str().unwrap().as_bytes()).unwrap();
        let mut other = y.clone();
        other[31] ^= 1;
        off["y"] = signer::encode(&other).into();
        assert_eq!(one(off.clone()).unwrap_err(), Problem::Member("x"));
        off["y"] = signer::encode(&y[..31]).into();
        assert_eq!(one(off.clone()).unwrap_err(), Problem::Member("y"));
        off["y"] = signer::encode([&[0], y.as_slice()].concat()).into();
        assert_eq!(one(off).unwrap_err(), Problem::Member("y"));
        let zero = signer::encode([0; 32]);
        let origin = json!({"kty": "EC", "crv": "P-256", "x": zero, "y": zero});
        assert_eq!(one(origin).unwrap_err(), Problem::Member("x"));
    }

    #[test]
    fn secrets_are_as_long_as_the_hash() {
        for (name, length) in [("HS256", 32), ("HS384", 48), ("HS512", 64)] {
            let secret = |length: usize| json!({"kty": "oct", "alg": name, "k": signer::encode(vec![7; length])});
            assert!(one(secret(length)).is_ok());
            assert!(one(secret(length + 1)).is_ok());
            assert!(matches!(one(secret(length - 1)).unwrap_err(), Problem::Weak(_)));
            assert!(matches!(one(secret(0)).unwrap_err(), Problem::Weak(_)));
        }
        let unnamed = json!({"kty": "oct", "k": signer::encode([7; 64])});
        assert!(one(unnamed).unwrap().algorithms().eq([Algorithm::Hs256]));
    }

    #[test]
    fn private_keys_are_not_taken() {
        for algorithm in [Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa] {
            assert_eq!(one(with(algorithm, "d", json!("AAAA"))).unwrap_err(), Problem::Private);
        }
    }

    #[test]
    fn members_are_checked() {
        for (algorithm, name, value) in [
            (Algorithm::Rs256, "n", json!("")),
            (Algorithm::Rs256, "n", json!("AQ==")),
            (Algorithm::Rs256, "n", json!(5)),
            (Algorithm::Rs256, "e", json!(65537)),
            (Algorithm::Rs256, "e", json!("")),
            (Algorithm::Rs256, "n", json!("A".repeat(4096))),
            (Algorithm::Rs256, "kid", json!(1)),
            (Algorithm::Rs256, "kid", json!("x".repeat(1025))),
            (Algorithm::Rs256, "alg", json!(["RS256"])),
            (Algorithm::EdDsa, "x", json!("AAAA")),
            (Algorithm::Es256, "crv", json!(null)),
            (Algorithm::Hs256, "k", json!(null)),
        ] {
            let problem = one(with(algorithm, name, value)).unwrap_err();
            assert_eq!(problem, Problem::Member(name));
        }
        assert_eq!(one(json!({})).unwrap_err(), Problem::Member("kty"));
    }

    #[test]
    fn a_set_leaves_out_what_it_can_not_use() {
        let encryption = with(Algorithm::Rs256, "use", json!("enc"));
        let keys = json!({"keys": [encryption, signer::jwk(Algorithm::EdDsa), {"kty": "AKP", "alg": "ML-DSA-44"}]});
        let keys = Keys::from_jwks(keys.to_string().as_bytes(), None).unwrap();
        assert_eq!(keys.iter().count(), 1);
        assert_eq!(keys.unused(), [Problem::Purpose, Problem::Kind]);
    }

    #[test]
    fn two_keys_of_one_name_are_left_out_even_if_one_is_no_key() {
        let named = |algorithm: Algorithm| with(algorithm, "kid", json!("one"));
        let set = |keys: Value| Keys::from_jwks(json!({"keys": keys}).to_string().as_bytes(), None);
        let mut broken = named(Algorithm::Es256);
        broken["x"] = "AAAA".into();
        for second in [named(Algorithm::Es256), broken] {
            let keys = set(json!([named(Algorithm::Es256), second, named(Algorithm::EdDsa)])).unwrap();
            assert_eq!(keys.unused(), [Problem::SameName, Problem::SameName]);
            assert!(keys.iter().all(|key| key.algorithms().eq([Algorithm::EdDsa])));
        }
    }

    #[test]
    fn sets_are_refused_whole() {
        let public = signer::jwk(Algorithm::Es256);
        let secret = signer::jwk(Algorithm::Hs256);
        let set = |keys: Value| Keys::from_jwks(json!({"keys": keys}).to_string().as_bytes(), None).unwrap_err();
        assert_eq!(set(json!([public, secret])), Problem::Mixed);
        assert_eq!(set(json!([public, {"kty": "oct"}])), Problem::Mixed);
        assert_eq!(set(json!([])), Problem::NoneUsable(None));
        assert!(matches!(set(json!([{"kty": "RSA"}])), Problem::NoneUsable(Some(_))));
        assert!(matches!(set(json!(["x"])), Problem::Document(_)));
        assert!(matches!(set(json!({"a": public})), Problem::Document(_)));
        let many: Vec<Value> = (0..=MOST_KEYS).map(|_| public.clone()).collect();
        assert!(matches!(set(json!(many)), Problem::Document(_)));
        for document in [
            "",
            "[]",
            "{}",
            "{\"keys\":[],\"keys\":[]}",
            "{\"Keys\":[]}",
            "<html>",
            &" ".repeat(LONGEST_DOCUMENT + 1),
        ] {
            let problem = Keys::from_jwks(document.as_bytes(), None).unwrap_err();
            assert!(matches!(problem, Problem::Document(_)), "{document}");
        }
    }
}
