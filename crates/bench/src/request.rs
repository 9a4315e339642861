//! A request that is ready to be sent by any protocol.

use std::sync::OnceLock;

use bytes::Bytes;
use portcullis_core::headers::is_token;
use portcullis_core::{Body, Headers, Known, Method, Target};
use portcullis_http1::encode;
use portcullis_http1::framing::BodyLength;
use portcullis_http2::client::Outbound;

use crate::hpack;

/// What is sent: a head and a body, whole.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// Path and query.
    pub target: Target,
    /// The fields, without those of framing; always with `Host`.
    pub headers: Headers,
    /// The content.
    pub body: Bytes,
    /// The whole of it as HTTP/1.1 has it, content included.
    pub http1: Bytes,
    /// The head as later versions have it, once somebody has asked for it.
    later: OnceLock<Result<http::Request<()>, Unfit>>,
    /// The same as HTTP/2 compresses it.
    hpack: OnceLock<Box<[u8]>>,
}

/// Why a request can't be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfit(pub String);

impl Request {
    /// A request to `authority`, encoded once.
    ///
    /// # Errors
    /// When the path doesn't begin with `/` or has bytes that no path has, or the name of a field is none.
    pub fn new(
        authority: &str,
        method: Method,
        path: &str,
        mut headers: Headers,
        body: Bytes,
    ) -> Result<Request, Unfit> {
        if let Some((name, _)) = headers.iter().find(|(name, _)| !is_token(name.as_bytes())) {
            return Err(Unfit(format!("`{name}` is no name of a field")));
        }
        let target = match Target::parse(path.as_bytes()) {
            Ok(target) if path.starts_with('/') => target,
            Ok(_) => return Err(Unfit(format!("`{path}` doesn't begin with `/`"))),
            Err(error) => return Err(Unfit(format!("`{path}` is no path: {error}"))),
        };
        if !headers.contains(Known::Host) {
            headers.set(Known::Host, authority);
        }
        let length = match body.len() {
            0 => BodyLength::None,
            length => BodyLength::Sized(length as u64),
        };
        let mut http1 = Vec::with_capacity(256 + body.len());
        encode::request(&mut http1, &method, &target, &headers, b"", length, None);
        http1.extend_from_slice(&body);
        Ok(Request {
            method,
            target,
            headers,
            body,
            http1: http1.into(),
            later: OnceLock::new(),
            hpack: OnceLock::new(),
        })
    }

    /// The head as HTTP/2 and HTTP/3 have it, made at the first call; a request goes to one target, which speaks TLS or doesn't.
    ///
    /// # Errors
    /// When its host or path can't stand in one.
    pub fn later_head(&self, secure: bool) -> Result<&http::Request<()>, Unfit> {
        let made = self.later.get_or_init(|| {
            let outbound = Outbound {
                method: &self.method,
                target: &self.target,
                headers: &self.headers,
                lines: b"",
                authority: "",
                secure,
                te_trailers: self.headers.contains(Known::Te),
                protocol: None,
            };
            let body = Body::from(self.body.clone());
            outbound.head(&body).map_err(|error| Unfit(error.to_string()))
        });
        made.as_ref().map_err(Clone::clone)
    }

    /// The head as a block of HTTP/2, made at the first call.
    ///
    /// # Errors
    /// As [`Request::later_head`].
    pub(crate) fn hpack(&self, secure: bool) -> Result<&[u8], Unfit> {
        let head = self.later_head(secure)?;
        Ok(self.hpack.get_or_init(|| hpack::encode(head).into()))
    }
}
