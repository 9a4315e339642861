//! What holds requests together that go to the same target: a key of the consistent hash, or a cookie.

mod cookie;
mod key;

use portcullis_config::service as written;
use portcullis_core::{Ctx, Headers, Known, Request};

use self::cookie::StickyCookie;

/// What a service says of requests that belong together.
pub(super) struct Affinity {
    by: Option<written::BalanceKey>,
    sticky: Option<StickyCookie>,
}

impl Affinity {
    /// That of a service of this name.
    pub(super) fn new(service: &str, config: &written::Service) -> Affinity {
        Affinity {
            by: config.balance.by.clone(),
            sticky: config.sticky.as_ref().map(|sticky| StickyCookie::new(service, sticky)),
        }
    }

    /// What the request has in common with others, as a number that is the same on every node and after every restart. `None`
    /// where it has nothing of the kind.
    pub(super) fn key(&self, cx: &Ctx, request: &Request) -> Option<u64> {
        self.by.as_ref().and_then(|by| key::of(by, cx, request))
    }

    /// The identity of the target that the request's cookie names, if it is one of ours.
    pub(super) fn sticky(&self, request: &Request) -> Option<u64> {
        self.sticky.as_ref().and_then(|sticky| sticky.read(&request.headers))
    }

    /// Has the client remember the target that answered, unless its cookie names that: `known` is what [`Affinity::sticky`] gave.
    pub(super) fn remember(&self, cx: &Ctx, known: Option<u64>, identity: u64, headers: &mut Headers) {
        if let Some(sticky) = &self.sticky
            && known != Some(identity)
        {
            headers.append(Known::SetCookie, sticky.write(identity, cx.scheme));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::rc::Rc;
    use std::time::{Instant, SystemTime};

    use portcullis_core::{Connection, Method, RequestId, Scheme, Target};

    use super::*;

    pub(super) fn context(peer: &str) -> Ctx {
        let peer: SocketAddr = peer.parse().expect("it is an address");
        let connection = Connection::new(peer, peer, None, false);
        let id = RequestId::new(b"1").expect("it is visible ASCII");
        Ctx::new(Rc::new(connection), id, Instant::now(), SystemTime::UNIX_EPOCH)
    }

    pub(super) fn request(target: &str, fields: &[(&str, &str)]) -> Request {
        let target = Target::parse(target.as_bytes()).expect("it is valid");
        let mut request = Request::new(Method::Get, target);
        for (name, value) in fields {
            request.headers.append(*name, value);
        }
        request
    }

    fn affinity(yaml: &str) -> Affinity {
        let config = serde_json::from_str(yaml).expect("it is a service");
        Affinity::new("shop", &config)
    }

    #[test]
    fn cookies_are_found_wherever_they_stand() {
        use crate::client_key::cookies;

        let request = request("/", &[("Cookie", "a=1; t=x; tt=no"), ("cookie", " t=y ;t;t =z;T=w")]);
        let found: Vec<_> = cookies(&request.headers, "t").collect();
        assert_eq!(found, [b"x", b"y"]);
    }

    #[test]
    fn a_client_is_told_once() {
        let affinity = affinity(r#"{"sticky": {"cookie": "t", "key": "0123456789abcdef"}}"#);
        let mut cx = context("10.0.0.1:5");
        let first = request("/", &[]);
        assert_eq!(affinity.sticky(&first), None);
        let mut headers = Headers::new();
        affinity.remember(&cx, None, 42, &mut headers);
        let line = headers.get_str(Known::SetCookie).expect("it is told").to_owned();
        assert!(line.ends_with("; Path=/; HttpOnly; SameSite=Lax"), "{line}");
        let pair = line.split(';').next().expect("there is a first part");

        let second = request("/", &[("Cookie", pair)]);
        let known = affinity.sticky(&second);
        assert_eq!(known, Some(42));
        let mut headers = Headers::new();
        affinity.remember(&cx, known, 42, &mut headers);
        assert!(headers.is_empty());
        cx.scheme = Scheme::Https;
        affinity.remember(&cx, known, 43, &mut headers);
        let line = headers.get_str(Known::SetCookie).expect("another one answered");
        assert!(line.ends_with("; Secure"), "{line}");
    }

    #[test]
    fn without_a_word_of_it_nothing_holds_requests_together() {
        let affinity = affinity(r#"{"targets": []}"#);
        let (cx, request) = (context("10.0.0.1:5"), request("/", &[("Cookie", "t=1")]));
        assert_eq!((affinity.key(&cx, &request), affinity.sticky(&request)), (None, None));
        let mut headers = Headers::new();
        affinity.remember(&cx, None, 42, &mut headers);
        assert!(headers.is_empty());
    }
}
