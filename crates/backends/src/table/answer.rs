//! From rows to a response.

use bytes::Bytes;
use portcullis_core::{Body, Headers, Known, Method, Response, Result, Status};
use portcullis_databases::Rest;
use portcullis_tables::tag;

use super::streamed::Streamed;

/// What an answer shows, and what is told of it.
pub(super) struct Shown {
    /// Its media type.
    pub(super) content_type: &'static str,
    /// The content: all of it, or what of it is there.
    pub(super) content: Bytes,
    /// What of the content is still to come.
    pub(super) rest: Option<Box<dyn Rest>>,
    /// Its entity tag, where that is not a digest of the content.
    pub(super) tag: Option<String>,
}

/// The answer to GET and HEAD: without its content where the client has it already or asked for the fields only.
///
/// # Errors
/// `bad_query` for an `If-None-Match` that is no list of tags.
pub(super) fn represent(mut response: Response, shown: Shown, method: &Method, headers: &Headers) -> Result<Response> {
    let Shown {
        content_type,
        content,
        rest,
        tag,
    } = shown;
    // Of what isn't all there nobody can tell whether it is what the client has.
    let tag = tag.or_else(|| rest.is_none().then(|| tag::weak(&content)));
    if let Some(tag) = tag {
        response.headers.append(Known::Etag, &tag);
        if let Some(field) = all(headers, Known::IfNoneMatch)
            && tag::none_match(&field, &tag)?
        {
            response.status = Status::NOT_MODIFIED;
            response.headers.remove(Known::ContentRange);
            return Ok(response);
        }
    }
    if *method == Method::Head {
        response.headers.set(Known::ContentType, content_type);
        if rest.is_none() {
            response.headers.append(Known::ContentLength, content.len().to_string());
        }
        return Ok(response);
    }
    Ok(with_content(response, content_type, content, rest))
}

/// The answer to a request that changes something, or may: no tag says what it would be the next time.
pub(super) fn plain(response: Response, shown: Shown) -> Response {
    with_content(response, shown.content_type, shown.content, shown.rest)
}

fn with_content(mut response: Response, content_type: &str, content: Bytes, rest: Option<Box<dyn Rest>>) -> Response {
    response.headers.set(Known::ContentType, content_type);
    response.body = match rest {
        None => Body::from(content),
        Some(rest) => Body::Stream(Box::new(Streamed::new(content, rest))),
    };
    response
}

/// A field of several lines as one list (RFC 9110 §5.3).
pub(super) fn all(headers: &Headers, name: Known) -> Option<String> {
    let mut lines = headers.get_all(name).map(String::from_utf8_lossy);
    let mut whole = lines.next()?.into_owned();
    for line in lines {
        whole.push_str(", ");
        whole.push_str(&line);
    }
    Some(whole)
}
