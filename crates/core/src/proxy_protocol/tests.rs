use super::{Header, LONGEST, SIGNATURE, Version, encode, own, parse};

fn ends(from: &str, to: &str) -> Option<(std::net::SocketAddr, std::net::SocketAddr)> {
    Some((from.parse().expect("an address"), to.parse().expect("an address")))
}

/// A header of version 2 with these bytes behind the fixed part.
fn binary(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let mut header = SIGNATURE.to_vec();
    let length = u16::try_from(rest.len()).expect("it is short").to_be_bytes();
    header.extend_from_slice(&[command, family, length[0], length[1]]);
    header.extend_from_slice(rest);
    header
}

/// The header is read once it is whole, whatever follows it, and no sooner.
#[track_caller]
fn check(header: &[u8], expected: Option<(std::net::SocketAddr, std::net::SocketAddr)>) {
    for cut in 0..header.len() {
        assert_eq!(parse(&header[..cut]), Ok(None), "cut at {cut}");
    }
    let whole = Header {
        length: header.len(),
        ends: expected,
    };
    assert_eq!(parse(header), Ok(Some(whole)));
    assert_eq!(parse(&[header, b"GET / HTTP/1.1\r\n"].concat()), Ok(Some(whole)));
}

#[track_caller]
fn check_refused(header: &[u8], part: &str) {
    let refusal = parse(header).expect_err("it is no header");
    assert!(refusal.contains(part), "{}: {refusal}", header.escape_ascii());
}

#[test]
fn lines_are_read() {
    check(
        b"PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n",
        ends("192.0.2.1:56324", "198.51.100.2:443"),
    );
    check(
        b"PROXY TCP6 2001:db8::1 2001:db8::2 1 65535\r\n",
        ends("[2001:db8::1]:1", "[2001:db8::2]:65535"),
    );
    check(b"PROXY UNKNOWN\r\n", None);
    check(b"PROXY UNKNOWN ffff::1 what ever 65535\r\n", None);
}

#[test]
fn malformed_lines_are_refused() {
    check_refused(b"GET / HTTP/1.1\r\n", "neither signature");
    check_refused(b"POST / HTTP/1.1\r\n", "does not begin");
    check_refused(b"PROXY UDP4 1.1.1.1 2.2.2.2 1 2\r\n", "family");
    check_refused(b"PROXY TCP4 1.1.1.1 2.2.2.2 1\r\n", "two ports");
    check_refused(b"PROXY TCP4 1.1.1.1 2.2.2.2 1 2 3\r\n", "two ports");
    check_refused(b"PROXY TCP4 ::1 ::1 1 2\r\n", "two addresses");
    check_refused(b"PROXY TCP6 1.1.1.1 2.2.2.2 1 2\r\n", "two addresses");
    check_refused(b"PROXY TCP4 1.1.1.1 2.2.2.2 65536 2\r\n", "two ports");
    check_refused(b"PROXY TCP4 1.1.1.1 2.2.2.2 +1 2\r\n", "two ports");
    check_refused(b"PROXY TCP4 1.1.1.1 2.2.2.2 01 2\r\n", "two ports");
    check_refused(b"PROXY TCP4  1.1.1.1 2.2.2.2 1 2\r\n", "two addresses");
    check_refused(b"PROXY TCP4 \xff 2.2.2.2 1 2\r\n", "ASCII");
    check_refused(format!("PROXY UNKNOWN {}\r\n", "x".repeat(107)).as_bytes(), "107");
}

#[test]
fn binary_headers_are_read() {
    let ipv4 = [192, 0, 2, 1, 198, 51, 100, 2, 0xdc, 4, 1, 187];
    check(&binary(0x21, 0x11, &ipv4), ends("192.0.2.1:56324", "198.51.100.2:443"));
    let with_field = [&ipv4[..], &[0x02, 0, 3], b"a.b"].concat();
    check(
        &binary(0x21, 0x11, &with_field),
        ends("192.0.2.1:56324", "198.51.100.2:443"),
    );
    check(&binary(0x20, 0x11, &ipv4), None);
    check(&binary(0x20, 0x00, b"anything"), None);
    check(&binary(0x21, 0x00, b""), None);
    check(&binary(0x21, 0x31, &[0; 216]), None);
}

#[test]
fn malformed_binary_headers_are_refused() {
    check_refused(&binary(0x11, 0x11, &[0; 12]), "version");
    check_refused(&binary(0x22, 0x11, &[0; 12]), "command");
    check_refused(&binary(0x21, 0x41, &[0; 12]), "family");
    check_refused(&binary(0x21, 0x13, &[0; 12]), "transport");
    check_refused(&binary(0x21, 0x11, &[0; 11]), "cut off");
    check_refused(&binary(0x21, 0x11, &[0; 14]), "a field");
    check_refused(&binary(0x21, 0x11, &[&[0; 12][..], &[4, 0, 2, 0]].concat()), "a field");
    check_refused(&binary(0x21, 0x11, &[0; LONGEST]), "4096");
}

#[test]
fn a_checksum_is_verified() {
    let mut rest = vec![1; 12];
    rest.extend_from_slice(&[0x03, 0, 4, 0, 0, 0, 0]);
    let mut header = binary(0x21, 0x11, &rest);
    let sum = super::crc32c(header.iter());
    let at = header.len() - 4;
    check_refused(&header, "checksum");
    header[at..].copy_from_slice(&sum.to_be_bytes());
    check(&header, ends("1.1.1.1:257", "1.1.1.1:257"));
    header[20] ^= 1;
    check_refused(&header, "checksum");
}

#[test]
fn what_is_written_is_read_again() {
    for version in [Version::V1, Version::V2] {
        check(&own(version), None);
        for (from, to) in [("192.0.2.1:5", "198.51.100.2:443"), ("[2001:db8::1]:5", "[::1]:443")] {
            let (source, destination) = ends(from, to).expect("they are given");
            check(&encode(version, source, destination), Some((source, destination)));
        }
        let (source, destination) = ends("192.0.2.1:5", "[::1]:443").expect("they are given");
        check(
            &encode(version, source, destination),
            ends("[::ffff:192.0.2.1]:5", "[::1]:443"),
        );
    }
}
