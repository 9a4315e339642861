//! Field values with placeholders for what is known of a request.

use std::io::Write as _;

use portcullis_core::Ctx;

use crate::placeholders::{self, Piece};

/// A field's value with placeholders, read once.
#[derive(Debug)]
pub(super) enum Template {
    /// Without placeholders.
    Fixed(Box<[u8]>),
    /// With some.
    Pieces(Box<[Piece<Placeholder>]>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Placeholder {
    ClientIp,
    RequestId,
    Host,
    Scheme,
    Consumer,
    Route,
}

/// What placeholders stand for.
pub(super) struct Facts<'a> {
    pub(super) cx: &'a Ctx,
    /// The host that the client named.
    pub(super) host: &'a str,
}

impl Template {
    /// # Errors
    /// When a placeholder is unknown or a brace stands alone, or the text can't be in a field's value.
    pub(super) fn new(text: &str) -> Result<Template, String> {
        if text.bytes().any(|byte| byte.is_ascii_control() && byte != b'\t') {
            return Err("a field's value can't hold line breaks or other control characters".to_owned());
        }
        let mut pieces = placeholders::read(text, Placeholder::named)?;
        Ok(match &mut *pieces {
            [] => Template::Fixed(Box::default()),
            [Piece::Text(text)] => Template::Fixed(std::mem::take(text)),
            _ => Template::Pieces(pieces),
        })
    }

    /// Gives the value to `put`.
    pub(super) fn render(&self, facts: &Facts<'_>, put: impl FnOnce(&[u8])) {
        match self {
            Template::Fixed(text) => put(text),
            Template::Pieces(pieces) => {
                let mut value = Vec::with_capacity(64);
                for piece in pieces {
                    match piece {
                        Piece::Text(text) => value.extend_from_slice(text),
                        Piece::Placeholder(placeholder) => placeholder.render(facts, &mut value),
                    }
                }
                put(&value);
            }
        }
    }

    pub(super) fn needs_host(&self) -> bool {
        match self {
            Template::Fixed(_) => false,
            Template::Pieces(pieces) => pieces
                .iter()
                .any(|piece| matches!(piece, Piece::Placeholder(Placeholder::Host))),
        }
    }
}

impl Placeholder {
    fn named(name: &str) -> Result<Placeholder, String> {
        Ok(match name {
            "client_ip" => Placeholder::ClientIp,
            "request_id" => Placeholder::RequestId,
            "host" => Placeholder::Host,
            "scheme" => Placeholder::Scheme,
            "consumer" => Placeholder::Consumer,
            "route" => Placeholder::Route,
            _ => {
                return Err(format!(
                    "`{{{name}}}` stands for nothing: there are {{client_ip}}, {{request_id}}, {{host}}, {{scheme}}, \
                     {{consumer}} and {{route}}; a brace that shall stay is written twice"
                ));
            }
        })
    }

    fn render(self, facts: &Facts<'_>, out: &mut Vec<u8>) {
        let Facts { cx, host } = facts;
        match self {
            Placeholder::ClientIp if cx.client == cx.connection.peer.ip() => {
                out.extend_from_slice(cx.connection.peer_ip.as_bytes());
            }
            // What a trusted proxy said.
            Placeholder::ClientIp => write!(out, "{}", cx.client).expect("a Vec takes every write"),
            Placeholder::RequestId => out.extend_from_slice(cx.request_id.as_str().as_bytes()),
            Placeholder::Host => out.extend_from_slice(host.as_bytes()),
            Placeholder::Scheme => out.extend_from_slice(cx.scheme.as_str().as_bytes()),
            Placeholder::Consumer => {
                out.extend_from_slice(cx.consumer.as_ref().map_or("", |consumer| &consumer.name).as_bytes());
            }
            Placeholder::Route => out.extend_from_slice(cx.route.as_ref().map_or("", |route| route.name).as_bytes()),
        }
    }
}
