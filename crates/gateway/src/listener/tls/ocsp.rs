//! An OCSP response from a file, as far as it must be understood to be handed out (RFC 6960 §4.2.1).
//!
//! Clients verify its signature. What is looked at here keeps a wrong file from breaking every handshake of clients that
//! insist on a response.

use std::time::Duration;

use x509_cert::der::asn1::{AnyRef, GeneralizedTime};
use x509_cert::der::{self, Decode, Reader, SliceReader, Tag, TagNumber, Tagged};

/// The largest response that is handed out: it goes along with every handshake, and real ones have about 2 KiB.
pub(super) const LARGEST: usize = 16 * 1024;

/// A response that says that a certificate is good.
#[derive(Debug)]
pub(super) struct Staple {
    /// As it goes out.
    pub(super) response: Vec<u8>,
    /// When a newer one is due, since 1970. One that never is, holds for good.
    until: Option<Duration>,
}

impl Staple {
    /// Takes a response for the certificate of that serial number. Times are since 1970.
    ///
    /// # Errors
    /// Says in words for people why it can't be handed out.
    pub(super) fn new(response: Vec<u8>, serial: &[u8], now: Duration) -> Result<Staple, String> {
        if response.len() > LARGEST {
            return Err(format!("it is larger than {LARGEST} bytes"));
        }
        let single = find(&response, serial)?;
        match single.status {
            Some(0) => {}
            Some(1) => return Err("it says that the certificate is revoked".to_owned()),
            _ => return Err("it doesn't say that the certificate is good".to_owned()),
        }
        let staple = Staple {
            until: single.until,
            response,
        };
        if staple.has_ended(now) {
            return Err("it is out of date".to_owned());
        }
        Ok(staple)
    }

    /// Whether a newer one is due.
    pub(super) fn has_ended(&self, now: Duration) -> bool {
        self.until.is_some_and(|until| until <= now)
    }
}

/// What a response says of one certificate.
struct Single {
    /// 0 is good, 1 revoked, 2 unknown.
    status: Option<u32>,
    until: Option<Duration>,
}

fn find(response: &[u8], serial: &[u8]) -> Result<Single, String> {
    let unreadable = |_: der::Error| "it is no OCSP response in DER".to_owned();
    let missing = || "it is no OCSP response in DER".to_owned();
    let outer = children(whole(response).map_err(unreadable)?).map_err(unreadable)?;
    let [status, rest @ ..] = &outer[..] else {
        return Err(missing());
    };
    if status.tag() != Tag::Enumerated || status.value() != [0] {
        return Err("the authority answered with a failure".to_owned());
    }
    let singles = rest
        .first()
        .ok_or_else(missing)
        .and_then(|bytes| singles(bytes.value()).map_err(unreadable))?;
    for single in singles {
        if let Some(found) = judge(single, serial).map_err(unreadable)? {
            return Ok(found);
        }
    }
    Err("it is for another certificate".to_owned())
}

/// The single responses in the `responseBytes` of a response.
fn singles(response_bytes: &[u8]) -> der::Result<Vec<AnyRef<'_>>> {
    let typed = children(whole(response_bytes)?)?;
    let basic = typed
        .last()
        .map_or(Ok(Vec::new()), |octets| whole(octets.value()).and_then(children))?;
    let data = basic.first().map_or(Ok(Vec::new()), |data| children(*data))?;
    // Version and extensions are tagged, responder and time are no lists.
    let list = data.into_iter().find(|part| part.tag() == Tag::Sequence);
    list.map_or(Ok(Vec::new()), children)
}

/// What a single response says, if it is about the certificate of that serial number.
fn judge(single: AnyRef<'_>, serial: &[u8]) -> der::Result<Option<Single>> {
    let parts = children(single)?;
    let [id, status, _this_update, rest @ ..] = &parts[..] else {
        return Ok(None);
    };
    let about = children(*id)?
        .last()
        .is_some_and(|it| significant(it.value()) == significant(serial));
    if !about {
        return Ok(None);
    }
    let next_update = rest.iter().find(|part| number_of(part.tag()) == Some(0));
    let until = match next_update {
        Some(wrapped) => Some(GeneralizedTime::from_der(wrapped.value())?.to_unix_duration()),
        None => None,
    };
    let status = number_of(status.tag());
    Ok(Some(Single { status, until }))
}

fn whole(bytes: &[u8]) -> der::Result<AnyRef<'_>> {
    AnyRef::from_der(bytes)
}

fn children(of: AnyRef<'_>) -> der::Result<Vec<AnyRef<'_>>> {
    let mut reader = SliceReader::new(of.value())?;
    let mut found = Vec::new();
    while !reader.is_finished() {
        found.push(reader.decode()?);
    }
    Ok(found)
}

fn number_of(tag: Tag) -> Option<u32> {
    match tag {
        Tag::ContextSpecific {
            number: TagNumber(number),
            ..
        } => Some(number),
        _ => None,
    }
}

/// A number's bytes without the zeros before it.
fn significant(bytes: &[u8]) -> &[u8] {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    &bytes[zeros..]
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// DER of a tag and its content.
    fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
        let length = content.len();
        let mut out = vec![tag];
        match u8::try_from(length) {
            Ok(short) if short < 0x80 => out.push(short),
            Ok(long) => out.extend([0x81, long]),
            Err(_) => {
                out.push(0x82);
                out.extend(u16::try_from(length).expect("a short content").to_be_bytes());
            }
        }
        out.extend_from_slice(content);
        out
    }

    /// A response about a certificate, without a signature that anybody could verify.
    pub(in crate::listener::tls) fn response(serial: &[u8], status: u8, next_update: &str) -> Vec<u8> {
        let algorithm = tlv(0x30, &tlv(0x06, &[0x2b, 0x0e, 0x03, 0x02, 0x1a]));
        let hash = tlv(0x04, &[7; 20]);
        let id = tlv(
            0x30,
            &[algorithm.clone(), hash.clone(), hash.clone(), tlv(0x02, serial)].concat(),
        );
        let status = if status == 1 {
            tlv(0xa1, &tlv(0x18, b"20200101000000Z"))
        } else {
            tlv(0x80 | status, &[])
        };
        let times = [
            tlv(0x18, b"20200101000000Z"),
            tlv(0xa0, &tlv(0x18, next_update.as_bytes())),
        ]
        .concat();
        let single = tlv(0x30, &[id, status, times].concat());
        let data = [tlv(0xa2, &hash), tlv(0x18, b"20200101000000Z"), tlv(0x30, &single)].concat();
        let basic = tlv(0x30, &[tlv(0x30, &data), algorithm, tlv(0x03, &[0, 1])].concat());
        let oid = tlv(0x06, &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01, 0x01]);
        let typed = tlv(0x30, &[oid, tlv(0x04, &basic)].concat());
        tlv(0x30, &[tlv(0x0a, &[0]), tlv(0xa0, &typed)].concat())
    }

    const NOW: Duration = Duration::from_secs(1_800_000_000);

    #[test]
    fn a_good_response_is_taken_until_its_end() {
        let staple = Staple::new(response(&[0, 0x99], 0, "20990101000000Z"), &[0x99], NOW).expect("it is good");
        assert!(!staple.has_ended(NOW));
        assert!(staple.has_ended(Duration::from_secs(4_100_000_000)));
    }

    #[test]
    fn what_is_of_no_use_is_refused_with_the_reason() {
        let check = |response: Vec<u8>, part: &str| {
            let refused = Staple::new(response, &[0x99], NOW).expect_err("it is of no use");
            assert!(refused.contains(part), "{refused}");
        };
        check(response(&[0x98], 0, "20990101000000Z"), "another certificate");
        check(response(&[0x99], 1, "20990101000000Z"), "revoked");
        check(response(&[0x99], 2, "20990101000000Z"), "good");
        check(response(&[0x99], 0, "20200102000000Z"), "out of date");
        check(tlv(0x30, &tlv(0x0a, &[6])), "failure");
        check(b"-----BEGIN".to_vec(), "no OCSP response");
        check(vec![0x30; LARGEST + 1], "larger");
    }

    #[test]
    fn no_piece_of_a_response_makes_it_panic() {
        let whole = response(&[0x99], 0, "20990101000000Z");
        for length in 0..whole.len() {
            assert!(Staple::new(whole[..length].to_vec(), &[0x99], NOW).is_err());
        }
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 0x55;
            let _ = Staple::new(changed, &[0x99], NOW);
        }
    }
}
