//! What the fields of a response say that is no longer so once its content is encoded.

use portcullis_config::policy::compress::Encoding;
use portcullis_core::{Headers, Known};

use super::encoder::coding_name;
use super::entity_tag;

/// Digests of the content, and of the representation: both are taken of the encoded form (RFC 9530 §2 and §3; RFC 3230
/// §4.3.2; RFC 1864 as RFC 2616 §14.15 has it).
const DIGESTS: [&str; 4] = ["content-digest", "repr-digest", "digest", "content-md5"];

/// Makes the fields those of the encoded form.
pub(super) fn describe(headers: &mut Headers, encoding: Encoding) {
    headers.set(Known::ContentEncoding, coding_name(encoding));
    headers.remove(Known::ContentLength);
    // A range would be one of the encoded form, which is not kept and is not made the same way twice.
    headers.remove(Known::AcceptRanges);
    forget_digests(headers);
    entity_tag::mark(headers, encoding);
}

/// Takes digests out. They can also stand among trailers.
pub(super) fn forget_digests(headers: &mut Headers) {
    for name in DIGESTS {
        headers.remove(name);
    }
}
