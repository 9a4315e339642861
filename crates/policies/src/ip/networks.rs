//! Many networks, and whether an address is in one of them.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// Networks of which none is part of another, in order: one search by halves finds the only one that an address can be in.
#[derive(Debug, Default)]
pub(super) struct Networks {
    v4: Box<[Ipv4Net]>,
    v6: Box<[Ipv6Net]>,
}

impl Networks {
    pub(super) fn new(networks: &[IpNet]) -> Networks {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for network in networks {
            match network {
                IpNet::V4(network) => v4.push(network.trunc()),
                IpNet::V6(network) => match mapped(network) {
                    Some(network) => v4.push(network),
                    None => v6.push(network.trunc()),
                },
            }
        }
        let (mut v4, mut v6) = (Ipv4Net::aggregate(&v4), Ipv6Net::aggregate(&v6));
        v4.sort_unstable_by_key(Ipv4Net::network);
        v6.sort_unstable_by_key(Ipv6Net::network);
        Networks {
            v4: v4.into(),
            v6: v6.into(),
        }
    }

    /// Whether the address is in one of them.
    pub(super) fn contains(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(address) => {
                let after = self.v4.partition_point(|network| network.network() <= address);
                after > 0 && self.v4[after - 1].contains(&address)
            }
            IpAddr::V6(address) => {
                let after = self.v6.partition_point(|network| network.network() <= address);
                after > 0 && self.v6[after - 1].contains(&address)
            }
        }
    }
}

/// The network of IPv4 that one of `::ffff:0:0/96` stands for. Clients' addresses come unmapped.
fn mapped(network: &Ipv6Net) -> Option<Ipv4Net> {
    let address = network.network().to_ipv4_mapped()?;
    Ipv4Net::new(address, network.prefix_len().checked_sub(96)?).ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use proptest::prelude::{any, prop, proptest};

    use super::*;

    proptest! {
        /// Overlapping, nested and repeated ones included.
        #[test]
        fn an_address_is_found_where_looking_at_each_finds_it(
            networks in prop::collection::vec((any::<[u8; 4]>(), 0_u8..=32), 0..40),
            addresses in prop::collection::vec(any::<[u8; 4]>(), 1..40),
        ) {
            // A narrow range, so that there are hits.
            let narrow = |[_, b, c, d]: [u8; 4]| [10, b & 3, c, d];
            let networks: Vec<IpNet> = networks
                .into_iter()
                .map(|(address, length)| Ipv4Net::new(narrow(address).into(), length).unwrap().into())
                .collect();
            let found = Networks::new(&networks);
            for address in addresses {
                let address = IpAddr::from(narrow(address));
                assert_eq!(found.contains(address), networks.iter().any(|network| network.contains(&address)));
            }
        }
    }

    #[test]
    fn mapped_networks_are_what_they_stand_for() {
        let networks = Networks::new(&["::ffff:192.0.2.0/120".parse().unwrap()]);
        assert!(networks.contains("192.0.2.1".parse().unwrap()));
        assert!(!networks.contains("192.0.3.1".parse().unwrap()));
    }
}
