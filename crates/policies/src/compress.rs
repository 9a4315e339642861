//! `compress` compresses responses for the clients that can take it.
//!
//! ```yaml
//! compress: true
//! compress: {encodings: [br, gzip], min_size: 4KiB, types: [text/*, application/json], level: {br: 5}}
//! ```
//!
//! The client's `Accept-Encoding` decides between `zstd`, `br` and `gzip`; among those that it likes equally the first of
//! the list is taken. Content passes while it is compressed, and what the backend has sent is not held back while nothing
//! more comes, so that events of a stream arrive when they happen.
//!
//! Left as it is: what is encoded already, is marked `no-transform` (RFC 9110 §7.7), is a part of a whole, is known to be
//! smaller than `min_size`, or is of no type of the list. Each answer that could have been compressed says
//! `Vary: Accept-Encoding`. One that is has no length any more, unless it is small; no ranges; no digests; and a weak entity
//! tag that names the encoding, such as `W/"a~gzip"`.
//!
//! A response that shows both a secret and something that others may choose betrays the secret by its length, TLS or not
//! (the attack is known as BREACH). Such routes should have `compress: false`.
//!
//! Compression happens on the worker, in slices of 32 KiB, so that a long answer keeps nobody waiting for more than about a
//! millisecond. `memory` limits what the compressors of a worker hold; what comes beyond it goes out as it is.

mod accept;
mod encoder;
mod entity_tag;
mod fields;
mod media_types;
mod stream;

use std::io;

use bytes::Bytes;
use portcullis_config::policy::compress::{self, CompressLevel, Encoding};
use portcullis_core::{Body, Ctx, Headers, Known, Method, Next, Policy, Reply, Request, Response, Result, Status};

use encoder::{Encoder, SLICE, memory_of};
use media_types::MediaTypes;
use stream::{Compressed, Held, failed};

/// Compresses responses.
#[derive(Debug)]
pub struct Compress {
    encodings: Box<[Encoding]>,
    min_size: u64,
    types: MediaTypes,
    level: CompressLevel,
    memory: u64,
}

/// What of a request matters when its answer comes.
struct Wish {
    encoding: Option<Encoding>,
    is_head: bool,
    /// Whether the request leaves the answer open to be changed: it isn't `no-transform` (RFC 9111 §5.2.1.6) or a tunnel.
    allows: bool,
    /// The client's `If-None-Match`, where it names a form that this policy has made.
    told: Option<Vec<u8>>,
}

impl Compress {
    /// Compiles what the file says.
    ///
    /// # Errors
    /// When a type is none.
    pub fn new(config: &compress::Compress) -> std::result::Result<Compress, String> {
        Ok(Compress {
            encodings: config.encodings.clone().into(),
            // Nothing at all can't become less.
            min_size: config.min_size.0.max(1),
            types: MediaTypes::new(&config.types)?,
            level: config.level,
            memory: config.memory.0,
        })
    }

    fn wish(&self, request: &mut Request) -> Wish {
        let encoding = accept::choose(&request.headers, &self.encodings);
        Wish {
            encoding,
            is_head: request.method == Method::Head,
            allows: request.method != Method::Connect && !forbids_transformation(&request.headers),
            told: entity_tag::restore(&mut request.headers, encoding),
        }
    }

    fn answer(&self, cx: &mut Ctx, wish: &Wish, mut response: Response) -> Result<Response> {
        if response.status == Status::NOT_MODIFIED {
            // It has the tag and the `Vary` that the whole answer would have (RFC 9110 §15.4.5).
            if let (Some(told), Some(encoding)) = (&wish.told, wish.encoding) {
                entity_tag::mark_not_modified(&mut response.headers, told, encoding);
            }
            cx.vary |= Known::AcceptEncoding.bit();
            return Ok(response);
        }
        if !wish.allows || !self.could_compress(&response, wish.is_head) {
            return Ok(response);
        }
        cx.vary |= Known::AcceptEncoding.bit();
        match wish.encoding {
            Some(encoding) => self.compress(encoding, wish.is_head, response),
            None => Ok(response),
        }
    }

    /// Whether a client that can take it would get this response compressed.
    fn could_compress(&self, response: &Response, is_head: bool) -> bool {
        let headers = &response.headers;
        let size = if is_head {
            announced_length(headers).or_else(|| response.body.remaining().filter(|size| *size > 0))
        } else {
            response.body.remaining()
        };
        let is_part = response.status == Status::PARTIAL_CONTENT || headers.contains(Known::ContentRange);
        let is_encoded = headers
            .list(Known::ContentEncoding)
            .any(|coding| !coding.eq_ignore_ascii_case(b"identity"));
        let content_type = headers.get(Known::ContentType);
        !response.status.is_bodyless()
            && !is_part
            && !is_encoded
            && size.is_none_or(|size| size >= self.min_size)
            && content_type.is_some_and(|content_type| self.types.contain(content_type))
            && !forbids_transformation(headers)
    }

    fn compress(&self, encoding: Encoding, is_head: bool, mut response: Response) -> Result<Response> {
        if is_head {
            // The fields are those of GET; how long its content would be is not known.
            fields::describe(&mut response.headers, encoding);
            response.body = Body::Empty;
            return Ok(response);
        }
        match std::mem::take(&mut response.body) {
            Body::Full(content) if content.len() <= SLICE => {
                response.body = self.whole(encoding, &content).map_err(failed)?;
            }
            body => match Held::take(memory_of(encoding, self.level), self.memory) {
                Some(memory) => {
                    let encoder = Encoder::new(encoding, self.level, body.remaining()).map_err(failed)?;
                    response.body = Body::Stream(Box::new(Compressed::new(body, encoder, memory)));
                }
                None => {
                    response.body = body;
                    return Ok(response);
                }
            },
        }
        fields::describe(&mut response.headers, encoding);
        Ok(response)
    }

    /// Content that is small enough to be compressed at once, so that its length stays known.
    fn whole(&self, encoding: Encoding, content: &Bytes) -> io::Result<Body> {
        let mut encoder = Encoder::new(encoding, self.level, Some(content.len() as u64))?;
        let mut out = Vec::with_capacity(content.len() / 2);
        encoder.write(content, &mut out)?;
        encoder.finish(&mut out)?;
        Ok(Body::from(out))
    }
}

impl Policy for Compress {
    fn call<'a>(&'a self, cx: &'a mut Ctx, mut request: Request, next: Next<'a>) -> Reply<'a> {
        let wish = self.wish(&mut request);
        Reply::later(async move {
            let response = next.run(cx, request).await?;
            self.answer(cx, &wish, response)
        })
    }
}

fn forbids_transformation(headers: &Headers) -> bool {
    headers
        .list(Known::CacheControl)
        .any(|directive| directive.eq_ignore_ascii_case(b"no-transform"))
}

fn announced_length(headers: &Headers) -> Option<u64> {
    headers.get_str(Known::ContentLength)?.parse().ok()
}

#[cfg(test)]
mod tests;
