//! Whether content is what its digest says (RFC 9530).

use aws_lc_rs::digest::{SHA256, SHA512, digest};
use portcullis_core::Headers;
use sfv::{BareItem, Dictionary, ListEntry, Parser};

/// The longest field.
const LONGEST: usize = 1024;

/// Whether every digest of `Content-Digest` that is understood is that of the content, and there is one. Digests of old
/// algorithms are no reason to believe anything.
pub(super) fn is_of(headers: &Headers, content: &[u8]) -> bool {
    let text: Vec<&[u8]> = headers.get_all("Content-Digest").collect();
    let text = text.join(&b", "[..]);
    if text.len() > LONGEST {
        return false;
    }
    let Ok(digests) = Parser::new(&text).parse::<Dictionary>() else {
        return false;
    };
    let mut understood = 0;
    for (name, entry) in &digests {
        let algorithm = match name.as_str() {
            "sha-256" => &SHA256,
            "sha-512" => &SHA512,
            _ => continue,
        };
        let ListEntry::Item(item) = entry else { return false };
        let BareItem::ByteSequence(claimed) = &item.bare_item else {
            return false;
        };
        if digest(algorithm, content).as_ref() != claimed.as_slice() {
            return false;
        }
        understood += 1;
    }
    understood > 0
}
