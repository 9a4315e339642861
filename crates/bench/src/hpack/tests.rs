#![allow(clippy::unwrap_used, reason = "a test may panic")]

use proptest::prelude::*;

use super::*;

fn bytes(hex: &str) -> Vec<u8> {
    let digits: String = hex.split_whitespace().collect();
    (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap())
        .collect()
}

fn read(decoder: &mut Decoder, block: &[u8]) -> Result<Vec<String>, Malformed> {
    let mut fields = Vec::new();
    decoder.decode(block, |name, value| {
        fields.push(format!(
            "{}: {}",
            String::from_utf8_lossy(name),
            String::from_utf8_lossy(value)
        ));
    })?;
    Ok(fields)
}

/// RFC 7541 appendix C.4, three requests on one connection.
#[test]
fn requests_of_the_rfc_are_read() {
    let mut decoder = Decoder::default();
    let first = [
        ":method: GET",
        ":scheme: http",
        ":path: /",
        ":authority: www.example.com",
    ];
    assert_eq!(
        read(&mut decoder, &bytes("8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff")).unwrap(),
        first
    );
    let second = read(&mut decoder, &bytes("8286 84be 5886 a8eb 1064 9cbf")).unwrap();
    assert_eq!(second[..4], first);
    assert_eq!(second[4], "cache-control: no-cache");
    let third = read(
        &mut decoder,
        &bytes("8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf"),
    )
    .unwrap();
    assert_eq!(third[1..3], [":scheme: https", ":path: /index.html"]);
    assert_eq!(third[4], "custom-key: custom-value");
    assert_eq!(decoder.size, 54 + 53 + 57, "as appendix C.4.3 counts it");
}

/// RFC 7541 appendix C.6, with a table of 256 bytes from which entries are evicted.
#[test]
fn responses_of_the_rfc_are_read() {
    let mut decoder = Decoder::default();
    read(&mut decoder, &bytes("3f e1 01")).unwrap();
    let first = bytes(
        "4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8
         e9ae 82ae 43d3",
    );
    let fields = [
        ":status: 302",
        "cache-control: private",
        "date: Mon, 21 Oct 2013 20:13:21 GMT",
        "location: https://www.example.com",
    ];
    assert_eq!(read(&mut decoder, &first).unwrap(), fields);
    assert_eq!(decoder.size, 222);
    let second = read(&mut decoder, &bytes("4883 640e ffc1 c0bf")).unwrap();
    assert_eq!(
        (second[0].as_str(), &second[1..]),
        (":status: 307", &fields.map(str::to_owned)[1..])
    );
    assert_eq!(decoder.size, 222, "one was evicted for the other");
}

#[test]
fn what_changes_nothing_is_told_from_what_does() {
    let mut decoder = Decoder::default();
    read(&mut decoder, &[0x88, 0x0f, 0x0d, 0x01, b'5']).unwrap();
    assert_eq!(decoder.changes(), 0);
    read(&mut decoder, &[0x48, 0x03, b'2', b'0', b'1']).unwrap();
    assert_eq!(decoder.changes(), 1);
}

#[test]
fn what_is_malformed_is_refused() {
    for block in [
        &[0x80][..],
        &[0xbe],
        &[0xff],
        &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        &[0x00],
        &[0x00, 0x05, b'a'],
        &[0x3f, 0xe2, 0x1f],
        // The end of the code, and padding that is too long or no ones.
        &[0x48, 0x84, 0xff, 0xff, 0xff, 0xff],
        &[0x48, 0x81, 0x00],
    ] {
        assert_eq!(read(&mut Decoder::default(), block), Err(Malformed), "{block:x?}");
    }
}

#[test]
fn more_than_a_head_may_hold_is_refused() {
    let mut decoder = Decoder::default();
    let mut block = vec![0x40, 0x01, b'a', 0x7f, 0x81, 0x06];
    block.extend([b'x'; 0x400 - 0x80]);
    block.truncate(6 + 0x380);
    assert_eq!(read(&mut decoder, &block).map(|fields| fields.len()), Ok(1));
    assert_eq!(read(&mut decoder, &[0xbe; 100]), Err(Malformed));
}

#[test]
fn a_request_is_encoded_as_it_is_read() {
    let head = http::Request::post("https://a.test:8443/x?y=1")
        .header("content-type", "text/plain")
        .header("x-long", "v".repeat(300))
        .body(())
        .unwrap();
    let mut decoder = Decoder::default();
    let fields = read(&mut decoder, &encode(&head)).unwrap();
    assert_eq!(
        fields[..5],
        [
            ":method: POST",
            ":scheme: https",
            ":authority: a.test:8443",
            ":path: /x?y=1",
            "content-type: text/plain"
        ]
    );
    assert_eq!(fields[5].len(), "x-long: ".len() + 300);
    assert_eq!(decoder.changes(), 0);
}

proptest! {
    #[test]
    fn nothing_makes_it_panic(blocks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..60), 0..6)) {
        let mut decoder = Decoder::default();
        for block in blocks {
            let _ = read(&mut decoder, &block);
            prop_assert!(decoder.size <= TABLE);
        }
    }
}
