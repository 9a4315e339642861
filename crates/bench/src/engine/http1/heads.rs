//! Heads that were read before.

use portcullis_core::Method;
use portcullis_http1::response::Outline;

use crate::request::Request;

/// How many requests are told apart. Those that share a place displace each other.
const PLACES: usize = 32;

/// The longest head that is remembered.
const LONGEST: usize = 2048;

/// The last head that answered each request, and what it said. A server under load says the same many times, until its `Date` changes;
/// and the same bytes mean the same, so that reading them once is enough.
#[derive(Default)]
pub(in crate::engine) struct Heads {
    places: [Option<Known>; PLACES],
}

struct Known {
    to_head: bool,
    head: Vec<u8>,
    outline: Outline,
}

impl Heads {
    /// What the head at the start of `input` says and how long it is, where it is the same as the last one.
    pub(super) fn find(&self, request: &Request, input: &[u8]) -> Option<(Outline, usize)> {
        let known = self.places[place(request)].as_ref()?;
        // A head ends with an empty line: what begins with it begins with all of it.
        let same = input.starts_with(&known.head) && known.to_head == (request.method == Method::Head);
        same.then_some((known.outline, known.head.len()))
    }

    /// Remembers a head.
    pub(super) fn keep(&mut self, request: &Request, head: &[u8], outline: Outline) {
        if head.len() > LONGEST {
            return;
        }
        let place = &mut self.places[place(request)];
        // The room of the one before is good for this one.
        let mut room = place.take().map(|known| known.head).unwrap_or_default();
        room.clear();
        room.extend_from_slice(head);
        *place = Some(Known {
            to_head: request.method == Method::Head,
            head: room,
            outline,
        });
    }
}

/// Where a request's head is: by where the request is, which is the same for all that are made once.
fn place(request: &Request) -> usize {
    let address = std::ptr::from_ref(request) as usize;
    // What lies in a list is some hundred bytes apart.
    (address >> 6 ^ address >> 11) % PLACES
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use bytes::Bytes;
    use portcullis_core::{Headers, Status};
    use portcullis_http1::framing::BodyLength;

    use super::*;

    #[test]
    fn only_the_same_bytes_to_the_same_method_are_known() {
        let request = |method| Request::new("localhost", method, "/", Headers::new(), Bytes::new()).unwrap();
        let mut asked = request(Method::Get);
        let outline = Outline {
            status: Status::OK,
            body: BodyLength::Sized(2),
            keep_alive: true,
        };
        let head = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n";
        let mut heads = Heads::default();
        let with = |end: &str| [&head[..], end.as_bytes()].concat();
        assert_eq!(heads.find(&asked, &with("ok")), None);
        heads.keep(&asked, head, outline);
        assert_eq!(heads.find(&asked, &with("ok")), Some((outline, head.len())));
        assert_eq!(heads.find(&asked, &with("")), Some((outline, head.len())));
        assert_eq!(heads.find(&asked, &head[..head.len() - 1]), None);
        assert_eq!(
            heads.find(&asked, b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n"),
            None
        );
        asked.method = Method::Head;
        assert_eq!(heads.find(&asked, &with("ok")), None);
        heads.keep(&asked, &[b'x'; LONGEST + 1], outline);
        asked.method = Method::Get;
        assert_eq!(heads.find(&asked, &with("ok")), Some((outline, head.len())));
    }
}
