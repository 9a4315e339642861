//! The header in which a proxy tells whose connection it passes on: the PROXY protocol, versions 1 and 2, as HAProxy's
//! `proxy-protocol.txt` describes it. Bytes in, verdict out; no I/O.

mod crc32c;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use self::crc32c::crc32c;

/// The most bytes that a header may have. The specification allows 64 KiB; what proxies really send is far below.
pub const LONGEST: usize = 4096;

/// The longest header of version 1, with its line break.
const LONGEST_LINE: usize = 107;

/// What version 2 begins with.
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";

/// Signature, version and command, family, length.
const FIXED: usize = 16;

/// The type of the field that holds a checksum of the header.
const TYPE_CRC32C: u8 = 0x03;

/// A header that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// How many bytes it has.
    pub length: usize,
    /// Whose connection it is and what it was made to. `None`: the proxy's own, such as a health check, or one of a kind
    /// that has no addresses; then the ends of the socket itself count.
    pub ends: Option<(SocketAddr, SocketAddr)>,
}

/// Reads the header at the start of a connection; nothing when more bytes are needed.
///
/// # Errors
/// Says why this is no header, as soon as no further byte can mend it.
pub fn parse(input: &[u8]) -> Result<Option<Header>, &'static str> {
    match input.first() {
        None => Ok(None),
        Some(b'P') => parse_line(input),
        Some(_) => parse_binary(input),
    }
}

fn parse_line(input: &[u8]) -> Result<Option<Header>, &'static str> {
    let start = b"PROXY ";
    if !start.starts_with(&input[..input.len().min(start.len())]) {
        return Err("it does not begin with PROXY");
    }
    let within = &input[..input.len().min(LONGEST_LINE)];
    let Some(end) = within.windows(2).position(|pair| pair == b"\r\n") else {
        return if within.len() < LONGEST_LINE {
            Ok(None)
        } else {
            Err("the line is longer than 107 bytes")
        };
    };
    let length = end + 2;
    let line = std::str::from_utf8(&input[..end]).map_err(|_| "the line is not ASCII")?;
    let mut words = line.split(' ').skip(1);
    let family = words.next().unwrap_or_default();
    if family == "UNKNOWN" {
        // Whatever else stands there is to be ignored.
        return Ok(Some(Header { length, ends: None }));
    }
    let addresses: (Option<IpAddr>, Option<IpAddr>) = match family {
        "TCP4" => (words.next().and_then(ipv4), words.next().and_then(ipv4)),
        "TCP6" => (words.next().and_then(ipv6), words.next().and_then(ipv6)),
        _ => return Err("the family is none of TCP4, TCP6, UNKNOWN"),
    };
    let ports = (words.next().and_then(port), words.next().and_then(port));
    let ((Some(source), Some(destination)), (Some(source_port), Some(destination_port)), None) =
        (addresses, ports, words.next())
    else {
        return Err("the line does not hold two addresses and two ports");
    };
    let ends = (
        SocketAddr::new(source, source_port),
        SocketAddr::new(destination, destination_port),
    );
    Ok(Some(Header {
        length,
        ends: Some(ends),
    }))
}

fn ipv4(text: &str) -> Option<IpAddr> {
    text.parse().ok().map(IpAddr::V4)
}

fn ipv6(text: &str) -> Option<IpAddr> {
    text.parse().ok().map(IpAddr::V6)
}

/// A port, without sign or leading zeros.
fn port(text: &str) -> Option<u16> {
    let canonical = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    canonical.then(|| text.parse().ok()).flatten()
}

fn parse_binary(input: &[u8]) -> Result<Option<Header>, &'static str> {
    let known = input.len().min(SIGNATURE.len());
    if input[..known] != SIGNATURE[..known] {
        return Err("it begins with neither signature");
    }
    let Some(fixed) = input.get(..FIXED) else {
        return Ok(None);
    };
    if fixed[12] >> 4 != 2 {
        return Err("the version is not 2");
    }
    let length = FIXED + usize::from(u16::from_be_bytes([fixed[14], fixed[15]]));
    if length > LONGEST {
        return Err("the header is longer than 4096 bytes");
    }
    let Some(header) = input.get(..length) else {
        return Ok(None);
    };
    let rest = &header[FIXED..];
    let size = match fixed[13] >> 4 {
        0x0 => 0,
        0x1 => 12,
        0x2 => 36,
        0x3 => 216,
        _ => return Err("the address family is not known"),
    };
    if fixed[13] & 0xf > 2 {
        return Err("the transport is not known");
    }
    let ends = match fixed[12] & 0xf {
        // LOCAL: the family must be ignored, and so must what follows.
        0 => return Ok(Some(Header { length, ends: None })),
        1 if rest.len() < size => return Err("the addresses are cut off"),
        1 => addresses(&rest[..size]),
        _ => return Err("the command is neither LOCAL nor PROXY"),
    };
    check_fields(header, FIXED + size)?;
    Ok(Some(Header { length, ends }))
}

/// The addresses of TCP and UDP; those of Unix sockets name no client.
fn addresses(block: &[u8]) -> Option<(SocketAddr, SocketAddr)> {
    let (source, destination, ports): (IpAddr, IpAddr, &[u8]) = match block.len() {
        12 => {
            let (source, rest) = block.split_first_chunk::<4>()?;
            let (destination, ports) = rest.split_first_chunk::<4>()?;
            (
                Ipv4Addr::from(*source).into(),
                Ipv4Addr::from(*destination).into(),
                ports,
            )
        }
        36 => {
            let (source, rest) = block.split_first_chunk::<16>()?;
            let (destination, ports) = rest.split_first_chunk::<16>()?;
            (
                Ipv6Addr::from(*source).into(),
                Ipv6Addr::from(*destination).into(),
                ports,
            )
        }
        _ => return None,
    };
    let port = |at: usize| u16::from_be_bytes([ports[at], ports[at + 1]]);
    Some((SocketAddr::new(source, port(0)), SocketAddr::new(destination, port(2))))
}

/// Walks the fields behind the addresses, and verifies the checksum where there is one: a header that fails it must be
/// refused.
fn check_fields(header: &[u8], start: usize) -> Result<(), &'static str> {
    let mut at = start;
    while at < header.len() {
        let Some(&[kind, high, low]) = header.get(at..at + 3) else {
            return Err("a field is cut off");
        };
        let value_at = at + 3;
        let end = value_at + usize::from(u16::from_be_bytes([high, low]));
        let Some(value) = header.get(value_at..end) else {
            return Err("a field is cut off");
        };
        if kind == TYPE_CRC32C {
            let told = <[u8; 4]>::try_from(value).map_err(|_| "the checksum has not four bytes")?;
            let zeroed = header[..value_at].iter().chain(&[0; 4]).chain(&header[end..]);
            if crc32c(zeroed) != u32::from_be_bytes(told) {
                return Err("the checksum is wrong");
            }
        }
        at = end;
    }
    Ok(())
}

/// A version of the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Version {
    /// A line of text.
    V1,
    /// Binary.
    V2,
}

/// The header of a connection that a proxy makes on its own account, such as for a health check. Version 1 has no word for that
/// but that the client is unknown.
pub fn own(version: Version) -> Vec<u8> {
    match version {
        Version::V1 => b"PROXY UNKNOWN\r\n".to_vec(),
        // Version 2, the command LOCAL, no family and no address.
        Version::V2 => [SIGNATURE, &[0x20, 0, 0, 0][..]].concat(),
    }
}

/// The header that tells of a connection from `source` to `destination`. Where the two are of different families, the
/// IPv4 address is written as an IPv6 one.
pub fn encode(version: Version, source: SocketAddr, destination: SocketAddr) -> Vec<u8> {
    let (source, destination) = of_one_family(source, destination);
    match version {
        Version::V1 => {
            let family = if source.is_ipv4() { "TCP4" } else { "TCP6" };
            let (from, to) = (source.ip(), destination.ip());
            format!(
                "PROXY {family} {from} {to} {} {}\r\n",
                source.port(),
                destination.port()
            )
            .into_bytes()
        }
        Version::V2 => {
            let mut header = SIGNATURE.to_vec();
            let (family, length) = if source.is_ipv4() { (0x11, 12) } else { (0x21, 36) };
            header.extend_from_slice(&[0x21, family, 0, length]);
            for address in [source.ip(), destination.ip()] {
                match address {
                    IpAddr::V4(address) => header.extend_from_slice(&address.octets()),
                    IpAddr::V6(address) => header.extend_from_slice(&address.octets()),
                }
            }
            for port in [source.port(), destination.port()] {
                header.extend_from_slice(&port.to_be_bytes());
            }
            header
        }
    }
}

fn of_one_family(source: SocketAddr, destination: SocketAddr) -> (SocketAddr, SocketAddr) {
    if source.is_ipv4() == destination.is_ipv4() {
        return (source, destination);
    }
    let mapped = |end: SocketAddr| match end.ip() {
        IpAddr::V4(address) => SocketAddr::new(address.to_ipv6_mapped().into(), end.port()),
        IpAddr::V6(_) => end,
    };
    (mapped(source), mapped(destination))
}

#[cfg(test)]
mod tests;
