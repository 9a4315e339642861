//! The heads of responses (RFC 9112 §4), as upstreams send them.

use std::mem::MaybeUninit;

use httparse::Status::{Complete, Partial};
use portcullis_core::{Headers, Known, Method, Status, Version, codes};

use crate::framing::{self, BodyLength};
use crate::head::{self, FIELDS_ON_STACK, FieldRoom, HeadLimits};
use crate::hop_by_hop::ConnectionOptions;
use crate::refusal::Refusal;

/// A response up to its content.
#[derive(Debug)]
pub struct ResponseHead {
    /// The status; 1xx other than 101 announces another response.
    pub status: Status,
    /// HTTP/1.0 or HTTP/1.1.
    pub version: Version,
    /// All fields as received, the hop-by-hop ones too: see [`crate::hop_by_hop::strip_hop_by_hop`].
    pub headers: Headers,
    /// How long the content is. Of a 101: until close, in the protocol switched to.
    pub body: BodyLength,
    /// Whether the connection may carry another request once the content has been read.
    pub keep_alive: bool,
}

/// Reads the head of a response to a request with method `asked_by` from the start of `input`: the head and how many
/// bytes it took, or nothing when more bytes are needed.
///
/// # Errors
/// Says why the response is refused, as soon as no further byte can mend it; always with `upstream_invalid`.
pub fn parse(input: &[u8], asked_by: &Method, limits: &HeadLimits) -> Result<Option<(ResponseHead, usize)>, Refusal> {
    parse_head(input, asked_by, limits).map_err(Refusal::of_upstream)
}

fn parse_head(input: &[u8], asked_by: &Method, limits: &HeadLimits) -> Result<Option<(ResponseHead, usize)>, Refusal> {
    // The parser would pass over empty lines here, which RFC 9112 §2.2 allows before requests only.
    if input.first().is_some_and(|byte| *byte != b'H') {
        return Err(Refusal::malformed("the response does not start with a status line"));
    }
    let mut wire = httparse::Response::new(&mut []);
    let mut room: FieldRoom<'_> = [const { MaybeUninit::uninit() }; FIELDS_ON_STACK];
    let mut more_room: Vec<MaybeUninit<httparse::Header<'_>>>;
    let config = httparse::ParserConfig::default();
    let mut outcome =
        config.parse_response_with_uninit_headers(&mut wire, input, &mut room[..limits.fields_on_stack()]);
    if let (Err(httparse::Error::TooManyHeaders), Some(fields)) = (outcome, limits.fields_on_heap()) {
        more_room = (0..fields).map(|_| MaybeUninit::uninit()).collect();
        wire = httparse::Response::new(&mut []);
        outcome = config.parse_response_with_uninit_headers(&mut wire, input, &mut more_room);
    }
    match outcome {
        Ok(Complete(len)) if len > limits.head_bytes => Err(long_head()),
        Ok(Complete(len)) => read(&wire, &input[..len], asked_by).map(|response| Some((response, len))),
        Ok(Partial) if head::has_bare_line_feed(input) => Err(head::bare_line_feed()),
        Ok(Partial) if input.len() > limits.head_bytes => Err(long_head()),
        Ok(Partial) => Ok(None),
        Err(error) => Err(head::malformed(error)),
    }
}

fn read(wire: &httparse::Response<'_, '_>, head: &[u8], asked_by: &Method) -> Result<ResponseHead, Refusal> {
    let (Some(code), Some(minor)) = (wire.code, wire.version) else {
        return Err(head::malformed(httparse::Error::Status));
    };
    let status = Status::new(code).ok_or_else(|| Refusal::malformed("the status is less than 100"))?;
    let version = if minor == 0 { Version::Http10 } else { Version::Http11 };
    let headers = head::fields(head, wire.headers)?;
    let (body, reusable) = framing::of_response(&headers, version, status, asked_by)?;
    let persist = persists(&headers, version);
    Ok(ResponseHead {
        status,
        version,
        headers,
        body,
        keep_alive: reusable && persist,
    })
}

fn persists(headers: &Headers, version: Version) -> bool {
    if !headers.any_of(Known::Connection.bit()) {
        return version != Version::Http10;
    }
    ConnectionOptions::of(headers).persist(version)
}

#[cold]
fn long_head() -> Refusal {
    Refusal::new(&codes::HEAD_TOO_LARGE, "the head is longer than the limit")
}
