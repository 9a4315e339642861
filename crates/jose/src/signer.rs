//! Keys and tokens for the tests, made anew in each run.

use std::sync::LazyLock;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair,
    Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384,
    RSA_PSS_SHA512, RsaEncoding, RsaKeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::algorithm::Algorithm;
use crate::rsa;

/// One pair of keys of each kind.
pub(crate) struct Signers {
    rsa: RsaKeyPair,
    p256: EcdsaKeyPair,
    p384: EcdsaKeyPair,
    p521: EcdsaKeyPair,
    ed25519: Ed25519KeyPair,
}

/// The secret of all HMACs.
pub(crate) const SECRET: &[u8; 64] = b"0123456789abcdef0123456789ABCDEF0123456789abcdef0123456789ABCDEF";

static SIGNERS: LazyLock<Signers> = LazyLock::new(|| Signers {
    rsa: RsaKeyPair::generate(KeySize::Rsa2048).expect("a key can be made"),
    p256: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key can be made"),
    p384: EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).expect("a key can be made"),
    p521: EcdsaKeyPair::generate(&ECDSA_P521_SHA512_FIXED_SIGNING).expect("a key can be made"),
    ed25519: Ed25519KeyPair::generate().expect("a key can be made"),
});

/// Modulus and exponent of the RSA key.
pub(crate) fn rsa_parts() -> (Vec<u8>, Vec<u8>) {
    let (n, e) = rsa::parts(SIGNERS.rsa.public_key().as_ref()).expect("it is a key");
    (n.to_vec(), e.to_vec())
}

/// base64url without padding.
pub(crate) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A token of these parts, with the signature that the algorithm's key makes of them.
pub(crate) fn token(algorithm: Algorithm, header: &str, payload: &str) -> String {
    let signed = format!("{}.{}", encode(header), encode(payload));
    let signature = sign(algorithm, signed.as_bytes());
    format!("{signed}.{}", encode(signature))
}

/// A token of these claims with the shortest header.
pub(crate) fn plain(algorithm: Algorithm, claims: &Value) -> String {
    let header = json!({"alg": algorithm.name()});
    token(algorithm, &header.to_string(), &claims.to_string())
}

/// The signature of the message.
pub(crate) fn sign(algorithm: Algorithm, message: &[u8]) -> Vec<u8> {
    let random = SystemRandom::new();
    let ecdsa = |pair: &EcdsaKeyPair| pair.sign(&random, message).expect("it can be signed").as_ref().to_vec();
    let rsa = |encoding: &'static dyn RsaEncoding| {
        let mut signature = vec![0; SIGNERS.rsa.public_modulus_len()];
        SIGNERS
            .rsa
            .sign(encoding, &random, message, &mut signature)
            .expect("it can be signed");
        signature
    };
    let mac = |hash| hmac::sign(&hmac::Key::new(hash, SECRET), message).as_ref().to_vec();
    match algorithm {
        Algorithm::Rs256 => rsa(&RSA_PKCS1_SHA256),
        Algorithm::Rs384 => rsa(&RSA_PKCS1_SHA384),
        Algorithm::Rs512 => rsa(&RSA_PKCS1_SHA512),
        Algorithm::Ps256 => rsa(&RSA_PSS_SHA256),
        Algorithm::Ps384 => rsa(&RSA_PSS_SHA384),
        Algorithm::Ps512 => rsa(&RSA_PSS_SHA512),
        Algorithm::Es256 => ecdsa(&SIGNERS.p256),
        Algorithm::Es384 => ecdsa(&SIGNERS.p384),
        Algorithm::Es512 => ecdsa(&SIGNERS.p521),
        Algorithm::EdDsa => SIGNERS.ed25519.sign(message).as_ref().to_vec(),
        Algorithm::Hs256 => mac(hmac::HMAC_SHA256),
        Algorithm::Hs384 => mac(hmac::HMAC_SHA384),
        Algorithm::Hs512 => mac(hmac::HMAC_SHA512),
    }
}

/// The key that verifies the algorithm, as a JWK without `alg` and `kid`.
pub(crate) fn jwk(algorithm: Algorithm) -> Value {
    let point = |pair: &EcdsaKeyPair, curve: &str| {
        let (x, y) = pair.public_key().as_ref()[1..].split_at(pair.public_key().as_ref().len() / 2);
        json!({"kty": "EC", "crv": curve, "x": encode(x), "y": encode(y)})
    };
    match algorithm {
        Algorithm::Es256 => point(&SIGNERS.p256, "P-256"),
        Algorithm::Es384 => point(&SIGNERS.p384, "P-384"),
        Algorithm::Es512 => point(&SIGNERS.p521, "P-521"),
        Algorithm::EdDsa => json!({"kty": "OKP", "crv": "Ed25519", "x": encode(SIGNERS.ed25519.public_key())}),
        _ if algorithm.is_symmetric() => json!({"kty": "oct", "k": encode(SECRET)}),
        _ => {
            let (n, e) = rsa_parts();
            json!({"kty": "RSA", "n": encode(n), "e": encode(e)})
        }
    }
}

/// The public key that verifies the algorithm, in PEM.
pub(crate) fn pem(algorithm: Algorithm) -> String {
    let der = match algorithm {
        Algorithm::Es256 => SIGNERS.p256.public_key().as_der(),
        Algorithm::Es384 => SIGNERS.p384.public_key().as_der(),
        Algorithm::Es512 => SIGNERS.p521.public_key().as_der(),
        Algorithm::EdDsa => SIGNERS.ed25519.public_key().as_der(),
        _ => SIGNERS.rsa.public_key().as_der(),
    };
    let der = der.expect("it can be written");
    let content = STANDARD.encode(der.as_ref());
    format!("-----BEGIN PUBLIC KEY-----\n{content}\n-----END PUBLIC KEY-----\n")
}
