//! Properties of the wire that hold for any message and however it arrives.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use bytes::BytesMut;
use portcullis_core::{Headers, Known, Method, Status, Target};
use portcullis_http1::chunked::{Decoder, Event, encode_end, encode_size};
use portcullis_http1::encode::{self, Persistence, ResponseLength};
use portcullis_http1::framing::BodyLength;
use portcullis_http1::{HeadLimits, HeadScanner, request, response};
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest};
use proptest::sample::Index;

const LIMITS: HeadLimits = HeadLimits {
    head_bytes: 16 * 1024,
    target_bytes: 4096,
    fields: 100,
};

/// Fields that the wire itself has no opinion of.
fn fields() -> impl Strategy<Value = Vec<(String, Vec<u8>)>> {
    let value = vec(prop_oneof![0x21..0x7fu8, 0x80..=0xffu8, Just(b' '), Just(b'\t')], 0..40)
        .prop_map(|value| value.trim_ascii().to_vec());
    vec(("[Xx]-[!#$%&'*+.^_`|~0-9a-zA-Z-]{0,20}", value), 0..12)
}

fn list(fields: &[(String, Vec<u8>)]) -> Headers {
    let mut headers = Headers::new();
    for (name, value) in fields {
        headers.append(name.as_str(), value);
    }
    headers
}

fn owned(headers: &Headers) -> Vec<(String, Vec<u8>)> {
    headers
        .iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

fn lengths() -> impl Strategy<Value = BodyLength> {
    prop_oneof![any::<u64>().prop_map(BodyLength::Sized), Just(BodyLength::Chunked)]
}

/// Bytes that are nearly a message: pieces that mean something, in any order.
fn near_messages() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        prop_oneof![
            Just("GET "),
            Just("POST "),
            Just("/ "),
            Just("http://a/ "),
            Just("* "),
            Just("HTTP/1.1"),
            Just("HTTP/1.0"),
            Just("HTTP/1.1 200 OK"),
            Just("HTTP/1.1 204 "),
            Just("\r\n"),
            Just("\r"),
            Just("\n"),
            Just(" "),
            Just("\t"),
            Just("Host: a\r\n"),
            Just("Content-Length: 3\r\n"),
            Just("Transfer-Encoding: chunked\r\n"),
            Just("Connection: close, upgrade\r\n"),
            Just("Upgrade: websocket\r\n"),
            Just("Expect: 100-continue\r\n"),
            Just("X: y\r\n"),
            Just(":"),
            Just("3\r\nabc\r\n"),
            Just("3;x=y\r\n"),
            Just("0\r\n"),
            Just("ffffffffffffffff"),
        ]
        .prop_map(|text| text.as_bytes().to_vec()),
        vec(any::<u8>(), 0..4),
    ];
    vec(piece, 0..16).prop_map(|pieces| pieces.concat())
}

/// What was decoded: the content, the trailer fields where the end was reached, and how many bytes are behind it.
type Decoded = (Vec<u8>, Option<Vec<(String, Vec<u8>)>>, usize);

/// Decodes `input`, which arrives in pieces that end at `cuts`; nothing for what is refused.
fn decode(input: &[u8], cuts: &[usize]) -> Option<Decoded> {
    let mut decoder = Decoder::new(&LIMITS);
    let mut arrived = BytesMut::new();
    let mut content = Vec::new();
    let mut from = 0;
    for cut in cuts.iter().copied().chain([input.len()]) {
        arrived.extend_from_slice(&input[from..cut]);
        from = cut;
        loop {
            let before = arrived.len();
            match decoder.decode(&mut arrived).ok()? {
                Event::Data(data) => content.extend_from_slice(&data),
                Event::End(trailers) => {
                    return Some((content, Some(owned(&trailers)), input.len() - cut + arrived.len()));
                }
                Event::NeedMore => {
                    assert_eq!(arrived.len(), before, "nothing is taken in vain");
                    break;
                }
            }
        }
    }
    Some((content, None, 0))
}

fn cuts_of(input: &[u8], cuts: &[Index]) -> Vec<usize> {
    let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(input.len() + 1)).collect();
    cuts.sort_unstable();
    cuts
}

proptest! {
    #[test]
    fn a_request_survives_the_wire(
        method in "[A-Z!#$%&'*+.^_`|~-]{1,32}".prop_filter("CONNECT is refused", |method| method != "CONNECT"),
        path in "/[a-zA-Z0-9._~!$&'()*+,;=:@/%?-]{0,40}",
        fields in fields(),
        length in lengths(),
    ) {
        let Ok(target) = Target::parse(path.as_bytes()) else { return Ok(()) };
        let mut headers = list(&fields);
        headers.append(Known::Host, "example.com");
        let method = Method::from_token(&method);
        let mut out = Vec::new();
        encode::request(&mut out, &method, &target, &headers, b"", length, None);
        let (head, len) = request::parse(&out, &LIMITS).unwrap().unwrap();
        prop_assert_eq!(len, out.len());
        prop_assert_eq!((&head.method, &head.target, head.body), (&method, &target, length));
        let mut got = owned(&head.headers);
        prop_assert_eq!(got.remove(0), ("Host".to_owned(), b"example.com".to_vec()));
        got.pop();
        prop_assert_eq!(got, fields);
    }

    #[test]
    fn a_response_survives_the_wire(code in 200u16..=999, fields in fields(), length in lengths()) {
        let status = Status::new(code).unwrap();
        if status.is_bodyless() {
            return Ok(());
        }
        let mut headers = list(&fields);
        headers.append(Known::Date, "now");
        let mut out = Vec::new();
        encode::response(&mut out, status, &headers, ResponseLength::Body(length), Persistence::Default);
        let (head, len) = response::parse(&out, &Method::Get, &LIMITS).unwrap().unwrap();
        prop_assert_eq!((len, head.status, head.body, head.keep_alive), (out.len(), status, length, true));
        let mut got = owned(&head.headers);
        got.remove(0);
        got.pop();
        prop_assert_eq!(got, fields);
    }

    #[test]
    fn chunks_survive_the_wire(
        pieces in vec(vec(any::<u8>(), 1..300), 0..6),
        trailers in fields(),
        cuts in vec(any::<Index>(), 0..6),
        behind in vec(any::<u8>(), 0..8),
    ) {
        let mut out = Vec::new();
        for piece in &pieces {
            encode_size(&mut out, piece.len());
            out.extend_from_slice(piece);
            out.extend_from_slice(b"\r\n");
        }
        encode_end(&mut out, &list(&trailers));
        out.extend_from_slice(&behind);
        let decoded = decode(&out, &cuts_of(&out, &cuts));
        prop_assert_eq!(decoded, Some((pieces.concat(), Some(trailers), behind.len())));
    }

    #[test]
    fn it_makes_no_difference_where_a_request_is_split(input in near_messages()) {
        let whole = request::parse(&input, &LIMITS);
        let mut scanner = HeadScanner::new();
        let grown = (0..=input.len()).map(|end| scanner.parse(&input[..end], &LIMITS)).find(|result| !matches!(result, Ok(None)));
        match (whole, grown) {
            (Ok(Some((whole, whole_len))), Some(Ok(Some((grown, grown_len))))) => {
                prop_assert_eq!(whole_len, grown_len);
                prop_assert_eq!(format!("{whole:?}"), format!("{grown:?}"));
            }
            // A head that breaks off may be refused only once its end is there.
            (Err(_), Some(Err(_)) | None) | (Ok(None), None) => {}
            (whole, grown) => prop_assert!(false, "{:?}: {:?}, {:?}", input, whole, grown),
        }
    }

    #[test]
    fn it_makes_no_difference_where_chunks_are_split(input in near_messages(), cuts in vec(any::<Index>(), 0..6)) {
        match (decode(&input, &cuts_of(&input, &cuts)), decode(&input, &[])) {
            // A trailer section that trickles in is looked at again when its end may be there.
            (Some((_, trailers, _)), None) | (None, Some((_, trailers, _))) => prop_assert_eq!(trailers, None),
            (split, whole) => prop_assert_eq!(split, whole),
        }
    }

    #[test]
    fn nothing_that_comes_makes_a_parser_panic(input in vec(any::<u8>(), 0..300)) {
        let _ = request::parse(&input, &LIMITS);
        let _ = response::parse(&[b"HTTP/1.1 ", &input[..]].concat(), &Method::Get, &LIMITS);
        let _ = decode(&input, &[]);
    }

    #[test]
    fn what_is_taken_goes_out_unambiguous(input in near_messages()) {
        let Ok(Some((head, len))) = request::parse(&input, &LIMITS) else { return Ok(()) };
        prop_assert!(len <= input.len());
        let mut out = Vec::new();
        encode::request(&mut out, &head.method, &head.target, &head.headers, b"", head.body, head.upgrade.as_deref());
        let (again, len) = request::parse(&out, &LIMITS).unwrap().unwrap();
        prop_assert_eq!(len, out.len());
        prop_assert_eq!((&again.method, &again.target, again.upgrade), (&head.method, &head.target, head.upgrade));
        prop_assert!(again.body == head.body || (again.body.is_empty() && head.body.is_empty()));
    }
}
