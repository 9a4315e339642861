//! Where the content of a message ends (RFC 9112 §6).

use portcullis_core::headers::is_token;
use portcullis_core::{Headers, Known, Method, Status, Version, codes};

use crate::refusal::Refusal;

/// How long the content of a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyLength {
    /// There is no content.
    None,
    /// So many bytes.
    Sized(u64),
    /// The chunked coding says so.
    Chunked,
    /// All that comes until the connection ends; of a response only.
    UntilClose,
}

impl BodyLength {
    /// Whether it is certain that no content comes.
    pub fn is_empty(self) -> bool {
        matches!(self, BodyLength::None | BodyLength::Sized(0))
    }
}

const FRAMING: u64 = Known::ContentLength.bit() | Known::TransferEncoding.bit();

/// The length of a request's content.
pub(crate) fn of_request(headers: &Headers, version: Version) -> Result<BodyLength, Refusal> {
    if !headers.any_of(FRAMING) {
        return Ok(BodyLength::None);
    }
    stated(headers, version).map(|length| length.unwrap_or(BodyLength::None))
}

/// The length of a response's content (RFC 9112 §6.3), and whether the connection may carry another response.
pub(crate) fn of_response(
    headers: &Headers,
    version: Version,
    status: Status,
    asked_by: &Method,
) -> Result<(BodyLength, bool), Refusal> {
    let stated = if headers.any_of(FRAMING) {
        stated(headers, version)?
    } else {
        None
    };
    Ok(of_stated(stated, status, asked_by))
}

/// The same, of what the framing fields were found to say.
pub(crate) fn of_stated(stated: Option<BodyLength>, status: Status, asked_by: &Method) -> (BodyLength, bool) {
    if status == Status::SWITCHING_PROTOCOLS {
        return (BodyLength::UntilClose, false);
    }
    if *asked_by == Method::Head || status == Status::NOT_MODIFIED {
        return (BodyLength::None, true);
    }
    if status.is_bodyless() {
        // Whoever announces content here may also send it, where the next response is expected.
        let clean = stated.is_none_or(BodyLength::is_empty);
        return (BodyLength::None, clean);
    }
    match stated {
        Some(length) => (length, true),
        None => (BodyLength::UntilClose, false),
    }
}

/// What the framing fields say. Anything that two readers could take for two lengths is refused.
fn stated(headers: &Headers, version: Version) -> Result<Option<BodyLength>, Refusal> {
    let length = content_length(headers)?;
    let mut codings = headers.get_all(Known::TransferEncoding);
    let Some(coding) = codings.next() else {
        return Ok(length.map(BodyLength::Sized));
    };
    if length.is_some() {
        return Err(Refusal::ambiguous(
            "the message has both Content-Length and Transfer-Encoding",
        ));
    }
    if version == Version::Http10 {
        return Err(Refusal::ambiguous("HTTP/1.0 has no Transfer-Encoding"));
    }
    if codings.next().is_some() {
        return Err(Refusal::ambiguous("Transfer-Encoding is repeated"));
    }
    if coding.eq_ignore_ascii_case(b"chunked") {
        return Ok(Some(BodyLength::Chunked));
    }
    Err(refused_coding(coding))
}

/// The value of the one Content-Length, if there is one.
fn content_length(headers: &Headers) -> Result<Option<u64>, Refusal> {
    let mut values = headers.get_all(Known::ContentLength);
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Refusal::ambiguous("Content-Length is repeated"));
    }
    length_of(value).map(Some)
}

/// The number that a Content-Length is.
pub(crate) fn length_of(value: &[u8]) -> Result<u64, Refusal> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return Err(Refusal::ambiguous("Content-Length is not a number"));
    }
    value
        .iter()
        .try_fold(0u64, |sum, digit| {
            sum.checked_mul(10)?.checked_add(u64::from(digit - b'0'))
        })
        .ok_or_else(|| Refusal::ambiguous("Content-Length is too large a number"))
}

/// A coding that is not implemented is the sender's good right (RFC 9112 §6.1); one that looks like `chunked` to
/// some readers only is an attack.
#[cold]
fn refused_coding(value: &[u8]) -> Refusal {
    let mut members = value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).rev();
    let last = members.next().unwrap_or_default();
    let resembles_chunked = |member: &[u8]| member.to_ascii_lowercase().windows(5).any(|part| part == b"chunk");
    let last_is_fine = is_token(last) && (last.eq_ignore_ascii_case(b"chunked") || !resembles_chunked(last));
    if last_is_fine && members.all(|member| is_token(member) && !resembles_chunked(member)) {
        return Refusal::new(&codes::CODING_NOT_IMPLEMENTED, "the only transfer coding is chunked");
    }
    Refusal::ambiguous("Transfer-Encoding is not chunked and nothing else")
}
