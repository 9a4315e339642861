//! What a gate's file says of itself as a target.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use portcullis_config::Loaded;
use portcullis_config::bind::Bind;

use crate::source::Source;

/// Reads a gate's file.
///
/// # Errors
/// Everything that is wrong with it.
pub(crate) fn load(file: &Path) -> Result<Loaded, String> {
    Source::file(file.to_owned())
        .load()
        .map_err(|problems| problems.to_string())
}

/// The URL under which this machine reaches the gate: its first listener on the network.
///
/// # Errors
/// When it has none, or the system chooses the port.
pub(crate) fn target(loaded: &Loaded) -> Result<String, String> {
    let found = loaded.file.listeners.iter().find_map(|listener| match &listener.bind {
        Bind::Tcp(address) if listener.redirect_to_https.is_none() => Some((listener, *address)),
        _ => None,
    });
    let (listener, address) = found.ok_or("the gate listens on no port: name the target by --target URL")?;
    if address.port() == 0 {
        return Err("the system chooses the gate's port: name the target by --target URL".to_owned());
    }
    let scheme = if listener.tls.is_some() { "https" } else { "http" };
    Ok(format!("{scheme}://{}", reached(address)))
}

/// An address that is bound, as it is connected to.
fn reached(bound: SocketAddr) -> SocketAddr {
    let address = match bound.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => IpAddr::V6(Ipv6Addr::LOCALHOST),
        address => address,
    };
    SocketAddr::new(address, bound.port())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn of(listeners: &str) -> Result<String, String> {
        let text = format!("listeners: [{listeners}]\nroutes: [{{path: /, to: {{respond: a}}}}]\n");
        let read = |_: &Path| Err(std::io::ErrorKind::NotFound.into());
        let loaded = portcullis_config::parse(&text, "test.yaml".as_ref(), &|_| None, &read);
        target(&loaded.unwrap())
    }

    #[test]
    fn the_first_listener_that_serves_is_the_target() {
        assert_eq!(of("0.0.0.0:8080").unwrap(), "http://127.0.0.1:8080");
        assert_eq!(of("'[::]:8080'").unwrap(), "http://[::1]:8080");
        assert_eq!(
            of("'unix:a', {bind: '0.0.0.0:80', redirect_to_https: 443}, 127.0.0.1:81").unwrap(),
            "http://127.0.0.1:81"
        );
        assert!(of("127.0.0.1:0").unwrap_err().contains("--target"));
    }
}
