//! A token in its compact form: three parts of base64url with dots between (RFC 7515 §7.1).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use crate::algorithm::Algorithm;
use crate::key::LONGEST_SIGNATURE;
use crate::refusal::Refusal;
use crate::strict_json::{self, Member};

/// The most bytes of a token. Heads of requests have limits of their own; this one is for tokens from elsewhere.
pub const LONGEST: usize = 16 * 1024;
/// The most bytes of a header as it is written: more is there to make us work, or to point to keys.
const LONGEST_HEADER: usize = 4 * 1024;
/// The longest name of a key that is looked for.
const LONGEST_ID: usize = 1024;

/// What the header of a token says, as far as it counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// How it is signed. The key has the last word.
    pub algorithm: Algorithm,
    /// The name of the key (`kid`).
    pub key_id: Option<Box<str>>,
    /// What it is (`typ`), in small letters and without `application/` in front (RFC 7515 §4.1.9).
    pub kind: Option<Box<str>>,
}

/// A token whose signature and claims are good.
#[derive(Clone, Debug)]
pub struct Verified {
    /// What its header says.
    pub header: Header,
    /// All its claims.
    pub claims: Map<String, Value>,
    /// When it expires, in seconds since 1970, without leeway. `None`: never, where the rules allow that.
    pub expires: Option<u64>,
}

/// What the token says of who issued it, before anything is verified: good for choosing by whose keys and rules to verify it, and
/// for nothing else. `None` where it isn't readable.
pub fn claimed_issuer(token: &[u8]) -> Option<String> {
    if token.len() > LONGEST {
        return None;
    }
    let payload = token.split(|byte| *byte == b'.').nth(1)?;
    match strict_json::object(&decode(payload)?)?.remove("iss")? {
        Value::String(issuer) => Some(issuer),
        _ => None,
    }
}

/// The parts of a token, of which only the header has been read.
pub(crate) struct Parts<'t> {
    pub(crate) header: Header,
    /// What is signed: header and payload as they are written.
    pub(crate) signed: &'t [u8],
    pub(crate) payload: &'t [u8],
    /// The signature as it is written.
    pub(crate) signature: &'t [u8],
}

/// Takes a token apart.
pub(crate) fn parts(token: &[u8]) -> Result<Parts<'_>, Refusal> {
    if token.len() > LONGEST {
        return Err(Refusal::TooLong);
    }
    let mut dots = memchr::memchr_iter(b'.', token);
    let (Some(first), Some(second)) = (dots.next(), dots.next()) else {
        return Err(Refusal::Parts);
    };
    match dots.count() {
        0 => {}
        2 => return Err(Refusal::Encrypted),
        _ => return Err(Refusal::Parts),
    }
    Ok(Parts {
        header: header(&token[..first])?,
        signed: &token[..second],
        payload: &token[first + 1..second],
        signature: &token[second + 1..],
    })
}

/// The bytes of base64url without padding; `None` for anything that another decoder could take for something else.
pub(crate) fn decode(text: &[u8]) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// The bytes of a signature, in the place that is given for them.
pub(crate) fn signature<'p>(text: &[u8], place: &'p mut [u8; LONGEST_SIGNATURE]) -> Result<&'p [u8], Refusal> {
    let length = URL_SAFE_NO_PAD
        .decode_slice(text, place)
        .map_err(|_| Refusal::Encoding("signature"))?;
    Ok(&place[..length])
}

fn header(text: &[u8]) -> Result<Header, Refusal> {
    if text.len() > LONGEST_HEADER {
        return Err(Refusal::Header("is too long"));
    }
    let bytes = decode(text).ok_or(Refusal::Encoding("header"))?;
    let members = strict_json::members(&bytes).ok_or(Refusal::Header(
        "is not a JSON object, has too many members, or says something twice",
    ))?;
    let mut name = None;
    let mut header = Header {
        algorithm: Algorithm::Rs256,
        key_id: None,
        kind: None,
    };
    for (member, value) in members {
        match &*member {
            // RFC 7515 §4.1.11: what is critical must be understood, and we understand no extension. That covers an unencoded
            // payload (RFC 7797), too, but one that is said and not marked as critical would be read in two ways.
            "crit" => return Err(Refusal::Critical),
            "b64" if !matches!(value, Member::Other(Value::Bool(true))) => return Err(Refusal::Critical),
            "enc" => return Err(Refusal::Encrypted),
            "alg" => name = Some(string(&value, "has an `alg` that is no text")?.to_owned()),
            "cty" if media_type(string(&value, "has a `cty` that is no text")?) == "jwt" => {
                return Err(Refusal::Nested);
            }
            "typ" => header.kind = Some(media_type(string(&value, "has a `typ` that is no text")?).into()),
            "kid" => {
                let id = string(&value, "has a `kid` that is no text")?;
                if id.len() > LONGEST_ID {
                    return Err(Refusal::Header("has a `kid` that is too long"));
                }
                header.key_id = Some(id.into());
            }
            _ => {}
        }
    }
    let name = name.ok_or(Refusal::Header("has no `alg`"))?;
    if name.eq_ignore_ascii_case("none") {
        return Err(Refusal::Unsigned);
    }
    header.algorithm = Algorithm::from_name(&name).ok_or(Refusal::Algorithm)?;
    Ok(header)
}

fn string<'m>(value: &'m Member<'_>, fault: &'static str) -> Result<&'m str, Refusal> {
    match value {
        Member::Text(text) => Ok(text),
        Member::Other(_) => Err(Refusal::Header(fault)),
    }
}

/// RFC 7515 §4.1.9: media types are compared without case, and `application/` may be left out.
fn media_type(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    match lower.strip_prefix("application/") {
        Some(rest) if !rest.contains('/') => rest.to_owned(),
        _ => lower,
    }
}
