//! Which place a request has, by its client.

use std::net::IpAddr;

use portcullis_config::route::split::SplitKey;
use portcullis_core::{Ctx, Error, Known, Reply, Request, Scheme, codes};
use portcullis_resilience::rollout::WHOLE;

use crate::client_key::{self, cookies};

/// What tells clients apart.
pub(crate) struct Client(Option<SplitKey>);

/// A place among [`WHOLE`].
pub(crate) struct Place {
    pub(crate) number: u32,
    /// The cookie to give to the client, so that it keeps the place.
    cookie: Option<String>,
}

impl Client {
    /// Clients that are told apart by that; nothing makes each request a client.
    pub(crate) fn told_by(key: Option<&SplitKey>) -> Client {
        Client(key.cloned())
    }

    /// The place of a request. What is the same for a client gives it the same place on every gate and after every restart.
    pub(crate) fn place(&self, cx: &Ctx, request: &Request) -> Place {
        let placed = |key: &[u8]| Place {
            number: place_of(key),
            cookie: None,
        };
        match &self.0 {
            None => Place {
                number: fastrand::u32(..WHOLE),
                cookie: None,
            },
            Some(SplitKey::ClientIp) => by_address(cx.client),
            Some(SplitKey::Header(name)) => match request.headers.get(name.as_str()) {
                Some(value) => placed(value),
                None => by_address(cx.client),
            },
            Some(SplitKey::Cookie(name)) => match cookies(&request.headers, name).find(|value| !value.is_empty()) {
                Some(value) => placed(value),
                None => new_cookie(name, cx.scheme),
            },
        }
    }
}

impl Place {
    /// The reply, with the cookie that keeps the client's place.
    pub(crate) fn remembered(self, reply: Reply<'_>) -> Reply<'_> {
        let Some(cookie) = self.cookie else { return reply };
        Reply::later(async move {
            match reply.await {
                Ok(mut response) => {
                    response.headers.append(Known::SetCookie, cookie);
                    Ok(response)
                }
                Err(error) => Err(error.with_header(Known::SetCookie, cookie)),
            }
        })
    }
}

/// A place that nobody has, which no configuration that was checked leads to.
pub(crate) fn nobody() -> Error {
    Error::new(&codes::INTERNAL).with_cause("a split has no part for this request")
}

/// For IPv6 the /64 network, which is what one customer gets.
fn by_address(client: IpAddr) -> Place {
    let number = match client {
        IpAddr::V4(address) => place_of(&address.octets()),
        IpAddr::V6(address) => place_of(&address.octets()[..8]),
    };
    Place { number, cookie: None }
}

/// A cookie that only holds the client to its place: it tells nothing and opens nothing, and goes with the browser's session.
fn new_cookie(name: &str, scheme: Scheme) -> Place {
    let value = format!("{:016x}", fastrand::u64(..));
    let secure = if scheme == Scheme::Https { "; Secure" } else { "" };
    Place {
        number: place_of(value.as_bytes()),
        cookie: Some(format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax{secure}")),
    }
}

/// A place by the hash of a key: FNV-1a, mixed once more, since its own high bits depend little on the last bytes.
fn place_of(key: &[u8]) -> u32 {
    let mut hash = client_key::hash(client_key::NOTHING, key);
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^= hash >> 33;
    u32::try_from(hash % u64::from(WHOLE)).expect("it is below the whole")
}

#[cfg(test)]
pub(crate) mod tests {
    use std::net::SocketAddr;
    use std::rc::Rc;
    use std::time::{Instant, SystemTime};

    use portcullis_core::{Connection, Method, RequestId, Target};

    use super::*;

    pub(crate) fn context() -> Ctx {
        let local = SocketAddr::from(([127, 0, 0, 1], 80));
        let connection = Connection::new(local, local, None, false);
        let id = RequestId::new(b"1").expect("it is visible ASCII");
        Ctx::new(Rc::new(connection), id, Instant::now(), SystemTime::UNIX_EPOCH)
    }

    pub(crate) fn request() -> Request {
        Request::new(Method::Get, Target::parse(b"/").expect("it is valid"))
    }

    fn client(by: &str) -> Client {
        Client::told_by(Some(&by.parse().expect("it is a key")))
    }

    #[test]
    fn a_place_is_the_same_everywhere() {
        // Other gates and later versions have to agree: these numbers may not change.
        assert_eq!(place_of(b""), 7_458);
        assert_eq!(place_of(b"ann"), 6_546);
        assert_eq!(place_of(&[10, 0, 0, 1]), 3_715);
    }

    #[test]
    fn addresses_of_a_network_have_one_place() {
        let place = |text: &str| by_address(text.parse().expect("it is an address")).number;
        assert_eq!(place("2001:db8::1"), place("2001:db8::ffff:1"));
        assert_ne!(place("2001:db8::1"), place("2001:db8:0:1::1"));
        assert_ne!(place("10.0.0.1"), place("10.0.0.2"));
    }

    #[test]
    fn a_client_without_the_cookie_is_given_one_that_keeps_its_place() {
        let (mut cx, mut request) = (context(), request());
        let client = client("cookie:version");
        request.headers.append(Known::Cookie, "versions=1; version=");
        let first = client.place(&cx, &request);
        let cookie = first.cookie.expect("it has none yet");
        assert!(cookie.ends_with("; Path=/; HttpOnly; SameSite=Lax"), "{cookie}");
        let (pair, _) = cookie.split_once(';').expect("it has attributes");
        request.headers.append(Known::Cookie, format!("a=b; {pair}"));
        let again = client.place(&cx, &request);
        assert_eq!((again.number, again.cookie), (first.number, None));
        cx.scheme = Scheme::Https;
        let secure = new_cookie("a", cx.scheme).cookie.expect("it is new");
        assert!(secure.ends_with("; Secure"));
    }

    #[test]
    fn without_the_field_the_address_decides() {
        let (cx, mut request) = (context(), request());
        let client = client("header:X-Tenant");
        assert_eq!(client.place(&cx, &request).number, by_address(cx.client).number);
        request.headers.append("x-tenant", "ann");
        assert_eq!(client.place(&cx, &request).number, place_of(b"ann"));
    }
}
