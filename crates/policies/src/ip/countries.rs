//! Countries of addresses, by a database of the operator's.

use std::fmt;
use std::net::IpAddr;
use std::path::Path;

use maxminddb::{PathElement, Reader};
use portcullis_config::policy::ip::Countries as Written;

/// From which countries clients may come.
pub(super) struct Countries {
    database: Reader<Vec<u8>>,
    allow: Box<[[u8; 2]]>,
    deny: Box<[[u8; 2]]>,
}

impl Countries {
    pub(super) fn new(config: &Written, base: &Path) -> Result<Countries, String> {
        if config.allow.is_empty() && config.deny.is_empty() {
            return Err("`countries` lets everybody in: say `allow` or `deny`".to_owned());
        }
        let path = base.join(&config.database);
        let database = Reader::from_source(super::read(&path)?);
        let database = database.map_err(|error| format!("{} is no database of countries: {error}", path.display()))?;
        Ok(Countries {
            database,
            allow: codes(&config.allow)?,
            deny: codes(&config.deny)?,
        })
    }

    /// Why that client may not enter. A database that fails knows nothing, and then nobody is allowed.
    pub(super) fn objection(&self, client: IpAddr) -> Option<String> {
        let path = [PathElement::Key("country"), PathElement::Key("iso_code")];
        let found = self
            .database
            .lookup(client)
            .and_then(|found| found.decode_path::<&str>(&path));
        let code = match found {
            Ok(code) => code.and_then(code_of),
            Err(error) => return Some(format!("the database of countries fails on {client}: {error}")),
        };
        match code {
            Some(code) if self.deny.contains(&code) => Some(format!("{client} is in {}", text(code))),
            Some(code) if !self.allow.is_empty() && !self.allow.contains(&code) => {
                Some(format!("{client} is in {}", text(code)))
            }
            None if !self.allow.is_empty() => Some(format!("the database of countries does not know {client}")),
            _ => None,
        }
    }
}

impl fmt::Debug for Countries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Countries").finish_non_exhaustive()
    }
}

fn codes(written: &[String]) -> Result<Box<[[u8; 2]]>, String> {
    let code = |text: &String| {
        code_of(text).ok_or_else(|| format!("`{text}` is no country: write its two letters of ISO 3166, such as `DE`"))
    };
    written.iter().map(code).collect()
}

fn code_of(text: &str) -> Option<[u8; 2]> {
    let code: [u8; 2] = text.as_bytes().try_into().ok()?;
    code.iter().all(u8::is_ascii_uppercase).then_some(code)
}

fn text(code: [u8; 2]) -> String {
    code.iter().map(|letter| char::from(*letter)).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
pub(super) mod tests {
    use ipnet::Ipv4Net;

    /// A database of networks and their countries, in MaxMind's format (version 2.0): a tree over the bits of an address whose
    /// records are numbers of nodes or places of data, the data, and what the file says of itself.
    pub(in crate::ip) fn database(networks: &[(&str, &str)]) -> Vec<u8> {
        let mut data = Vec::new();
        let mut nodes: Vec<[Link; 2]> = vec![[Link::Nothing; 2]];
        for (network, country) in networks {
            let network: Ipv4Net = network.parse().unwrap();
            let place = data.len();
            map(&mut data, 1);
            string(&mut data, "country");
            map(&mut data, 1);
            string(&mut data, "iso_code");
            string(&mut data, country);
            // Addresses of IPv4 are the first 2^32 ones of IPv6.
            let bits = u128::from(u32::from(network.network()));
            insert(&mut nodes, bits, 96 + network.prefix_len(), place);
        }
        let count = nodes.len();
        let mut file = Vec::new();
        for link in nodes.iter().flatten() {
            let record = match link {
                Link::Nothing => count,
                Link::Node(node) => *node,
                Link::Data(place) => count + 16 + place,
            };
            file.extend(&u32::try_from(record).unwrap().to_be_bytes()[1..]);
        }
        file.extend([0; 16]);
        file.extend(data);
        file.extend(b"\xab\xcd\xefMaxMind.com");
        about(&mut file, count);
        file
    }

    #[derive(Clone, Copy)]
    enum Link {
        Nothing,
        Node(usize),
        Data(usize),
    }

    fn insert(nodes: &mut Vec<[Link; 2]>, bits: u128, length: u8, place: usize) {
        let mut node = 0;
        for depth in 0..length {
            let side = usize::from(bits >> (127 - depth) & 1 == 1);
            if depth + 1 == length {
                nodes[node][side] = Link::Data(place);
                return;
            }
            node = match nodes[node][side] {
                Link::Node(next) => next,
                _ => {
                    nodes.push([Link::Nothing; 2]);
                    let next = nodes.len() - 1;
                    nodes[node][side] = Link::Node(next);
                    next
                }
            };
        }
    }

    fn about(file: &mut Vec<u8>, count: usize) {
        map(file, 9);
        string(file, "node_count");
        file.push(6 << 5 | 4);
        file.extend(u32::try_from(count).unwrap().to_be_bytes());
        for (name, number) in [
            ("record_size", 24),
            ("ip_version", 6),
            ("binary_format_major_version", 2),
            ("binary_format_minor_version", 0),
        ] {
            string(file, name);
            file.extend([5 << 5 | 2, 0, number]);
        }
        string(file, "database_type");
        string(file, "Countries");
        string(file, "languages");
        file.extend([0, 4]);
        string(file, "build_epoch");
        file.extend([1, 2, 1]);
        string(file, "description");
        map(file, 0);
    }

    fn map(file: &mut Vec<u8>, pairs: u8) {
        file.push(7 << 5 | pairs);
    }

    fn string(file: &mut Vec<u8>, text: &str) {
        let length = u8::try_from(text.len()).unwrap();
        if length < 29 {
            file.push(2 << 5 | length);
        } else {
            file.extend([2 << 5 | 29, length - 29]);
        }
        file.extend(text.bytes());
    }
}
