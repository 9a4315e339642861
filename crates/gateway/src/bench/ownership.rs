//! Whose a target is: load on somebody else's server is an attack.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use portcullis_bench::Target;

/// Refuses to load what is neither this machine, nor in a private network, nor one of the hosts that somebody has said are theirs.
///
/// # Errors
/// Says what to do, for whoever owns it.
pub(crate) fn check(target: &Target, owned: &[String]) -> Result<(), String> {
    let host = host(&target.authority);
    let known = owned.iter().any(|owned| {
        owned
            .trim_end_matches('.')
            .eq_ignore_ascii_case(host.trim_end_matches('.'))
    });
    let Some(foreign) = target
        .addresses
        .iter()
        .map(|address| address.ip())
        .find(|address| !is_near(*address))
    else {
        return Ok(());
    };
    if known {
        return Ok(());
    }
    Err(format!(
        "{host} ({foreign}) is neither this machine nor in a private network: \
         if it is yours to load, say so by --i-own-this-target {host}"
    ))
}

/// The host of an authority, without its port.
fn host(authority: &str) -> &str {
    match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(rest),
        None => authority.split(':').next().unwrap_or(authority),
    }
}

/// This machine, and networks that are nobody else's (RFC 1918, RFC 4193, RFC 4291). Those of RFC 3927 are: at 169.254.169.254 a
/// cloud answers for all of its machines.
fn is_near(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => near_v4(address),
        IpAddr::V6(address) => near_v6(address),
    }
}

fn near_v4(address: Ipv4Addr) -> bool {
    address.is_loopback() || address.is_private()
}

fn near_v6(address: Ipv6Addr) -> bool {
    address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn target(authority: &str, addresses: &[&str]) -> Target {
        Target {
            name: format!("http://{authority}"),
            authority: authority.to_owned(),
            addresses: addresses.iter().map(|address| address.parse().unwrap()).collect(),
            protocol: portcullis_bench::target::Protocol::Http1,
            tls: None,
        }
    }

    #[test]
    fn near_targets_need_no_word() {
        for address in [
            "127.8.0.1:80",
            "10.1.2.3:80",
            "192.168.0.1:80",
            "172.31.0.1:80",
            "[::1]:80",
            "[fd00::1]:80",
            "[fe80::1]:80",
            "[::ffff:10.0.0.1]:80",
        ] {
            assert_eq!(check(&target("any.test", &[address]), &[]), Ok(()), "{address}");
        }
    }

    #[test]
    fn others_do_and_each_address_counts() {
        for address in [
            "192.0.2.1:80",
            "172.32.0.1:80",
            "[2001:db8::1]:80",
            "[::ffff:192.0.2.1]:80",
            "0.0.0.0:80",
            "169.254.169.254:80",
        ] {
            let target = target("Shop.test:8080", &["127.0.0.1:80", address]);
            let why = check(&target, &["other.test".to_owned()]).unwrap_err();
            assert!(why.contains("--i-own-this-target Shop.test"), "{why}");
            assert_eq!(check(&target, &["shop.test.".to_owned()]), Ok(()));
        }
        assert_eq!(host("[2001:db8::1]:80"), "2001:db8::1");
    }
}
