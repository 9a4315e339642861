//! What stands before a packet that is passed on: what the system said of it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

use quinn::udp::{EcnCodepoint, RecvMeta};

/// Whence a packet came, where to, and how congested the way was.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Header {
    from: SocketAddr,
    to: Option<IpAddr>,
    ecn: Option<EcnCodepoint>,
}

/// Bits of the first byte: the two lowest are those of the congestion.
const FROM_IPV4: u8 = 0x04;
const HAS_TO: u8 = 0x08;
const TO_IPV4: u8 = 0x10;
const ECN: u8 = 0x03;

impl Header {
    /// Flags, address, port and scope of the sender, address of the receiver. It has the same form in every version of the
    /// program.
    pub(super) const LENGTH: usize = 1 + 16 + 2 + 4 + 16;

    pub(super) fn of(meta: &RecvMeta) -> Header {
        Header {
            from: meta.addr,
            to: meta.dst_ip,
            ecn: meta.ecn,
        }
    }

    /// What the system would have said of a packet of that length.
    pub(super) fn meta(&self, length: usize) -> RecvMeta {
        RecvMeta {
            addr: self.from,
            len: length,
            stride: length,
            ecn: self.ecn,
            dst_ip: self.to,
        }
    }

    pub(super) fn to_bytes(self) -> [u8; Header::LENGTH] {
        let mut bytes = [0; Header::LENGTH];
        let mut flags = self.ecn.map_or(0, |ecn| ecn as u8);
        if self.from.is_ipv4() {
            flags |= FROM_IPV4;
        }
        bytes[1..17].copy_from_slice(&sixteen(self.from.ip()));
        bytes[17..19].copy_from_slice(&self.from.port().to_be_bytes());
        if let SocketAddr::V6(from) = self.from {
            bytes[19..23].copy_from_slice(&from.scope_id().to_be_bytes());
        }
        if let Some(to) = self.to {
            flags |= HAS_TO | if to.is_ipv4() { TO_IPV4 } else { 0 };
            bytes[23..39].copy_from_slice(&sixteen(to));
        }
        bytes[0] = flags;
        bytes
    }

    pub(super) fn from_bytes(bytes: &[u8; Header::LENGTH]) -> Header {
        let flags = bytes[0];
        let port = u16::from_be_bytes([bytes[17], bytes[18]]);
        let scope = u32::from_be_bytes([bytes[19], bytes[20], bytes[21], bytes[22]]);
        let from = match address(&bytes[1..17], flags & FROM_IPV4 != 0) {
            IpAddr::V4(ip) => SocketAddr::from((ip, port)),
            IpAddr::V6(ip) => SocketAddrV6::new(ip, port, 0, scope).into(),
        };
        let to = (flags & HAS_TO != 0).then(|| address(&bytes[23..39], flags & TO_IPV4 != 0));
        Header {
            from,
            to,
            ecn: EcnCodepoint::from_bits(flags & ECN),
        }
    }
}

fn sixteen(ip: IpAddr) -> [u8; 16] {
    match ip {
        IpAddr::V4(ip) => {
            let mut bytes = [0; 16];
            bytes[..4].copy_from_slice(&ip.octets());
            bytes
        }
        IpAddr::V6(ip) => ip.octets(),
    }
}

fn address(bytes: &[u8], is_ipv4: bool) -> IpAddr {
    let mut sixteen = [0; 16];
    sixteen.copy_from_slice(bytes);
    match (is_ipv4, sixteen) {
        (true, [a, b, c, d, ..]) => Ipv4Addr::new(a, b, c, d).into(),
        (false, bytes) => Ipv6Addr::from(bytes).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_read_as_it_was_written() {
        let senders = ["192.0.2.7:4433", "[2001:db8::7]:4433", "[fe80::1%5]:1"];
        let receivers = [None, Some("192.0.2.1"), Some("2001:db8::1")];
        let codepoints = [
            None,
            Some(EcnCodepoint::Ect0),
            Some(EcnCodepoint::Ect1),
            Some(EcnCodepoint::Ce),
        ];
        for from in senders {
            for to in receivers {
                for ecn in codepoints {
                    let header = Header {
                        from: from.parse().expect("an address"),
                        to: to.map(|to| to.parse().expect("an address")),
                        ecn,
                    };
                    assert_eq!(Header::from_bytes(&header.to_bytes()), header);
                }
            }
        }
    }
}
