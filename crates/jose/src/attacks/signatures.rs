//! No signature, half of one, or another way to write one.

use serde_json::json;

use super::{NOW, check_refused, claims, keys, verify, with_header};
use crate::algorithm::{Algorithm, Algorithms};
use crate::claims::Rules;
use crate::key::Key;
use crate::keys::Keys;
use crate::refusal::Refusal;
use crate::signer::{self, encode, plain};

#[test]
fn good_tokens_are_verified_by_keys_of_each_kind() {
    for algorithm in Algorithm::ALL {
        let token = plain(algorithm, &claims());
        let verified = verify(&keys(algorithm), &token).expect("it is good");
        assert_eq!(verified.claims["sub"], "alice");
        assert_eq!(verified.expires, Some(NOW + 60));
        assert_eq!(verified.header.algorithm, algorithm);
        if !algorithm.is_symmetric() {
            let allowed = Some(Algorithms::from(algorithm));
            let key = Key::from_pem(signer::pem(algorithm).as_bytes(), allowed).expect("it is a key");
            assert_eq!(key.algorithms().collect::<Vec<_>>(), [algorithm]);
            assert!(verify(&Keys::new(vec![key]), &token).is_ok(), "{algorithm:?}");
        }
    }
}

#[test]
fn a_changed_byte_anywhere_is_noticed() {
    for algorithm in [
        Algorithm::Rs256,
        Algorithm::Ps256,
        Algorithm::Es256,
        Algorithm::EdDsa,
        Algorithm::Hs256,
    ] {
        let keys = keys(algorithm);
        let good = plain(algorithm, &claims());
        for at in 0..good.len() {
            let mut bad = good.clone().into_bytes();
            bad[at] = if bad[at] == b'A' { b'B' } else { b'A' };
            assert!(keys.verify(&bad, &Rules::default(), NOW).is_err(), "{algorithm:?} {at}");
        }
        for end in 0..good.len() {
            assert!(verify(&keys, &good[..end]).is_err(), "{algorithm:?} cut at {end}");
        }
    }
}

#[test]
fn no_spelling_of_none_is_a_signature() {
    for algorithm in [Algorithm::Rs256, Algorithm::Hs256] {
        let keys = keys(algorithm);
        for name in ["none", "None", "NONE", "nOnE"] {
            let signed = with_header(algorithm, &json!({"alg": name, "kid": "one"}).to_string());
            check_refused(&keys, &signed, &Refusal::Unsigned);
            let (unsigned, _) = signed.rsplit_once('.').expect("it has a signature");
            check_refused(&keys, &format!("{unsigned}."), &Refusal::Unsigned);
            check_refused(&keys, unsigned, &Refusal::Parts);
        }
        for name in [
            "",
            " none",
            "none ",
            "none\u{0}",
            "ｎｏｎｅ",
            "no\u{200b}ne",
            "n\u{43e}ne",
        ] {
            let signed = with_header(algorithm, &json!({"alg": name}).to_string());
            check_refused(&keys, &signed, &Refusal::Algorithm);
        }
        for header in [
            r#"{"alg":null}"#,
            r#"{"alg":0}"#,
            r#"{"alg":["RS256","HS256"]}"#,
            r#"{"alg":true}"#,
            r#"{"typ":"JWT"}"#,
            r#"{"Alg":"RS256"}"#,
            r#"{}"#,
        ] {
            let refusal = verify(&keys, &with_header(algorithm, header)).expect_err("it must be refused");
            assert!(matches!(refusal, Refusal::Header(_)), "{header}: {refusal}");
        }
        let unsigned = plain(algorithm, &claims());
        let (unsigned, _) = unsigned.rsplit_once('.').expect("it has a signature");
        check_refused(&keys, &format!("{unsigned}."), &Refusal::Signature);
    }
}

#[test]
fn a_signature_of_zeros_is_none() {
    for (algorithm, half) in [(Algorithm::Es256, 32), (Algorithm::Es384, 48), (Algorithm::Es512, 66)] {
        let keys = keys(algorithm);
        let good = plain(algorithm, &claims());
        let (signed, _) = good.rsplit_once('.').expect("it has a signature");
        let filled = |byte: u8| vec![byte; half];
        let one = [vec![0; half - 1], vec![1]].concat();
        for (r, s) in [
            (filled(0), filled(0)),
            (filled(0), one.clone()),
            (one.clone(), filled(0)),
            (one.clone(), one),
            (filled(0xff), filled(0xff)),
        ] {
            let forged = format!("{signed}.{}", encode([r, s].concat()));
            check_refused(&keys, &forged, &Refusal::Signature);
        }
    }
    for algorithm in [Algorithm::Rs256, Algorithm::Ps256, Algorithm::EdDsa, Algorithm::Hs256] {
        let keys = keys(algorithm);
        let good = plain(algorithm, &claims());
        let (signed, signature) = good.rsplit_once('.').expect("it has a signature");
        let length = signature.len() * 3 / 4;
        for byte in [0, 1, 0xff] {
            check_refused(
                &keys,
                &format!("{signed}.{}", encode(vec![byte; length])),
                &Refusal::Signature,
            );
        }
    }
}

#[test]
fn signatures_have_one_length() {
    for algorithm in Algorithm::ALL {
        let keys = keys(algorithm);
        let header = json!({"alg": algorithm.name()}).to_string();
        let signed = format!("{}.{}", encode(header), encode(claims().to_string()));
        let signature = signer::sign(algorithm, signed.as_bytes());
        let try_out = |signature: &[u8]| verify(&keys, &format!("{signed}.{}", encode(signature)));
        assert!(try_out(&signature).is_ok());
        for length in [0, 1, 8, 10, 16, signature.len() / 2, signature.len() - 1] {
            assert_eq!(
                try_out(&signature[..length]).expect_err("it is short"),
                Refusal::Signature
            );
        }
        let longer = [
            [signature.as_slice(), &[0]].concat(),
            [&[0], signature.as_slice()].concat(),
            [signature.as_slice(), signature.as_slice()].concat(),
        ];
        for longer in longer {
            assert_eq!(try_out(&longer).expect_err("it is long"), Refusal::Signature);
        }
        assert!(try_out(&[0; 4096]).is_err());
    }
}

#[test]
fn a_signature_of_ecdsa_is_two_numbers_and_not_der() {
    let algorithm = Algorithm::Es256;
    let header = json!({"alg": "ES256"}).to_string();
    let signed = format!("{}.{}", encode(header), encode(claims().to_string()));
    let fixed = signer::sign(algorithm, signed.as_bytes());
    let number = |half: &[u8]| [&[2, 33, 0], half].concat();
    let content = [number(&fixed[..32]), number(&fixed[32..])].concat();
    let der = [vec![0x30, 70], content].concat();
    check_refused(
        &keys(algorithm),
        &format!("{signed}.{}", encode(der)),
        &Refusal::Signature,
    );
}

#[test]
fn a_signature_of_ed25519_can_not_be_written_in_another_way() {
    /// The order of the group, little end first (RFC 8032 §5.1): S and S + L would verify alike without the check.
    const ORDER: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let header = json!({"alg": "EdDSA"}).to_string();
    let signed = format!("{}.{}", encode(header), encode(claims().to_string()));
    let mut signature = signer::sign(Algorithm::EdDsa, signed.as_bytes());
    let mut carry = 0;
    for (byte, order) in signature[32..].iter_mut().zip(ORDER) {
        let sum = u16::from(*byte) + u16::from(order) + carry;
        [*byte, _] = sum.to_le_bytes();
        carry = sum >> 8;
    }
    check_refused(
        &keys(Algorithm::EdDsa),
        &format!("{signed}.{}", encode(signature)),
        &Refusal::Signature,
    );
}
