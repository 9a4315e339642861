use std::net::SocketAddr;

use http::Method;

/// One of the loads that run at the same time.
#[derive(Clone)]
pub(crate) struct Stream {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) address: SocketAddr,
    pub(crate) method: Method,
    /// A star in it stands for another number with each request.
    pub(crate) path: String,
    /// Requests or messages in a second.
    pub(crate) rate: u32,
}

/// What is spoken.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    Http1,
    /// In clear text, without asking first.
    Http2,
    WebSocket,
}

impl Stream {
    /// Reads `NAME=http1|http2|websocket,ADDRESS,METHOD,PATH,RATE`.
    ///
    /// # Errors
    /// When it is something else.
    pub(crate) fn parse(words: &str) -> Result<Stream, String> {
        Stream::parsed(words).ok_or_else(|| format!("`{words}` is no stream"))
    }

    fn parsed(words: &str) -> Option<Stream> {
        let (name, rest) = words.split_once('=')?;
        let mut parts = rest.split(',');
        let kind = match parts.next()? {
            "http1" => Kind::Http1,
            "http2" => Kind::Http2,
            "websocket" => Kind::WebSocket,
            _ => return None,
        };
        let stream = Stream {
            name: name.to_owned(),
            kind,
            address: parts.next()?.parse().ok()?,
            method: parts.next()?.parse().ok()?,
            path: parts.next()?.to_owned(),
            rate: parts.next()?.parse().ok().filter(|rate| *rate > 0)?,
        };
        parts.next().is_none().then_some(stream)
    }

    /// Whether a request of it has content.
    pub(crate) fn has_content(&self) -> bool {
        self.method == Method::PUT || self.method == Method::POST
    }

    /// The path of the next request.
    pub(crate) fn next_path(&self) -> String {
        self.path.replace('*', &fastrand::u32(0..1000).to_string())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_read_whole_or_not_at_all() {
        let stream = Stream::parse("put=http2,127.0.0.1:80,PUT,/item/*,50").unwrap();
        assert_eq!(
            (stream.kind, stream.rate, stream.has_content()),
            (Kind::Http2, 50, true)
        );
        assert!(!stream.next_path().contains('*'));
        for bad in [
            "",
            "http1,127.0.0.1:80,GET,/,5",
            "get=http1,127.0.0.1:80,GET,/",
            "get=http1,127.0.0.1:80,GET,/,0",
            "get=http1,127.0.0.1:80,GET,/,5,6",
            "get=http9,127.0.0.1:80,GET,/,5",
        ] {
            assert!(Stream::parse(bad).is_err(), "{bad}");
        }
    }
}
