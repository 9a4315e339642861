//! Reading bodies into arguments, files and text.

pub(super) mod json;
pub(super) mod multipart;
pub(super) mod xml;

use super::action::Processor;
use super::transform::Transform;

/// How a body of a media type is read, if in any of the ways known here.
pub(super) fn processor_for(content_type: &[u8]) -> Option<Processor> {
    let essence = content_type.split(|byte| *byte == b';').next().unwrap_or_default();
    let essence = essence.trim_ascii().to_ascii_lowercase();
    match &essence[..] {
        b"application/x-www-form-urlencoded" => Some(Processor::UrlEncoded),
        b"application/json" | b"text/json" => Some(Processor::Json),
        b"application/xml" | b"text/xml" => Some(Processor::Xml),
        essence if essence.starts_with(b"multipart/form-data") => Some(Processor::Multipart),
        essence if essence.ends_with(b"+json") => Some(Processor::Json),
        essence if essence.ends_with(b"+xml") => Some(Processor::Xml),
        _ => None,
    }
}

/// Undoes percent-encoding alone; what is no whole escape stays.
pub(super) fn percent_decoded(text: &[u8], out: &mut Vec<u8>) {
    for (nth, piece) in text.split(|byte| *byte == b'+').enumerate() {
        if nth > 0 {
            out.push(b'+');
        }
        Transform::UrlDecode.apply(piece, out);
    }
}

/// Decodes a part of a form; what is no whole escape stays.
pub(super) fn url_decoded(text: &[u8], out: &mut Vec<u8>) {
    Transform::UrlDecode.apply(text, out);
}
