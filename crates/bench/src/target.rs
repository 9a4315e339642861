//! Where requests go, and how.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;

use crate::tls;

/// The version of HTTP that is spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1 (RFC 9112).
    #[default]
    Http1,
    /// HTTP/2 (RFC 9113): by TLS, or in clear text without asking first.
    Http2,
    /// HTTP/3 (RFC 9114).
    Http3,
}

/// A server under load.
#[derive(Clone, Debug)]
pub struct Target {
    /// Its name in reports: the URL without its path, such as `https://example.com:8443`.
    pub name: String,
    /// What requests say as `Host` and `:authority`: the host, with the port where it isn't the scheme's own.
    pub authority: String,
    /// Addresses; connections take them in turn.
    pub addresses: Vec<SocketAddr>,
    /// How it is spoken to.
    pub protocol: Protocol,
    /// With whom and how TLS is agreed on; `None` in clear text.
    pub tls: Option<Tls>,
}

/// TLS towards a target.
#[derive(Clone, Debug)]
pub struct Tls {
    /// The name that its certificate must have.
    pub name: ServerName<'static>,
    /// Authorities, own certificate, versions. ALPN is set by the engine.
    pub config: Arc<ClientConfig>,
}

/// A URL, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// Whether it is one of `https`.
    pub secure: bool,
    /// The host: a name, or an address without brackets.
    pub host: String,
    /// The port, which may be the scheme's own.
    pub port: u16,
    /// Path and query, `/` where there is none.
    pub path: String,
}

/// Why there is no such target, in words for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unusable(pub String);

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unusable {}

impl Location {
    /// Takes a URL apart.
    ///
    /// # Errors
    /// When it isn't one of HTTP, has no host, or has a user and a password, which reports would tell everybody.
    pub fn parse(url: &str) -> Result<Location, Unusable> {
        let unusable = |why: &str| {
            Unusable(format!(
                "`{}` is no URL that load can go to: {why}",
                without_credentials(url)
            ))
        };
        if !url.contains("://") {
            return Err(unusable("it begins with neither http:// nor https://"));
        }
        let uri: Uri = url
            .parse()
            .map_err(|error: http::uri::InvalidUri| unusable(&error.to_string()))?;
        let secure = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(unusable("it begins with neither http:// nor https://")),
        };
        let authority = uri.authority().ok_or_else(|| unusable("it has no host"))?;
        let host = authority.host();
        let host = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
            .unwrap_or(host);
        if host.is_empty() {
            return Err(unusable("it has no host"));
        }
        let text = authority.as_str();
        if text.contains('@') {
            return Err(unusable(
                "a user and a password have no place in it; requests have them as the field `Authorization`",
            ));
        }
        // The crate has `:` and `:99999` for no port at all.
        let after_host = text.rsplit_once(authority.host()).map_or("", |(_, after)| after);
        let port = match (authority.port_u16(), after_host) {
            (Some(0), _) => return Err(unusable("there is no port 0")),
            (Some(port), _) => port,
            (None, "" | ":") => default_port(secure),
            (None, _) => return Err(unusable("the port is none")),
        };
        Ok(Location {
            secure,
            host: host.to_ascii_lowercase(),
            port,
            path: uri.path_and_query().map_or("/", |path| path.as_str()).to_owned(),
        })
    }

    /// What requests to it say as `Host`.
    pub fn authority(&self) -> String {
        let host = if self.host.contains(':') {
            format!("[{}]", self.host)
        } else {
            self.host.clone()
        };
        if self.port == default_port(self.secure) {
            host
        } else {
            format!("{host}:{}", self.port)
        }
    }

    /// The URL without its path.
    pub fn name(&self) -> String {
        let scheme = if self.secure { "https" } else { "http" };
        format!("{scheme}://{}", self.authority())
    }
}

fn default_port(secure: bool) -> u16 {
    if secure { 443 } else { 80 }
}

/// What may be shown of a text that should have been a URL.
fn without_credentials(url: &str) -> String {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, rest))) => format!("{scheme}://{rest}"),
        (None, Some((_, rest))) => rest.to_owned(),
        _ => url.to_owned(),
    }
}

impl Target {
    /// The target that a URL names, with the addresses that its name has now: they are asked for once, and may take as long as the
    /// system's resolver takes.
    ///
    /// # Errors
    /// When the URL, the name or the settings of TLS are no good, or the protocol needs TLS and the URL has none.
    pub fn of(url: &str, protocol: Protocol, settings: &tls::Settings) -> Result<Target, Unusable> {
        Target::at(&Location::parse(url)?, protocol, settings)
    }

    /// As [`Target::of`], for a URL that was taken apart.
    ///
    /// # Errors
    /// As [`Target::of`].
    pub fn at(location: &Location, protocol: Protocol, settings: &tls::Settings) -> Result<Target, Unusable> {
        if protocol == Protocol::Http3 && !location.secure {
            return Err(Unusable(
                "HTTP/3 has no clear text: the URL must begin with https://".to_owned(),
            ));
        }
        let tls = match location.secure {
            false => None,
            true => Some(Tls::towards(location, protocol, settings)?),
        };
        Ok(Target {
            name: location.name(),
            authority: location.authority(),
            addresses: addresses(&location.host, location.port)?,
            protocol,
            tls,
        })
    }

    /// The same target with only those addresses where somebody listens, so that a name with several of them, as `localhost` often
    /// is, doesn't fail a share of the load. Each is waited for up to `patience`.
    ///
    /// # Errors
    /// When nobody listens at any.
    pub fn reachable(mut self, patience: Duration) -> Result<Target, Unusable> {
        let mut failure = None;
        let protocol = self.protocol;
        self.addresses
            .retain(|address| match probe(*address, protocol, patience) {
                Ok(()) => true,
                Err(error) => {
                    failure.get_or_insert((*address, error));
                    false
                }
            });
        match failure {
            Some((address, error)) if self.addresses.is_empty() => Err(Unusable(format!(
                "{} can't be reached at {address}: {error}",
                self.name
            ))),
            _ => Ok(self),
        }
    }
}

impl Tls {
    fn towards(location: &Location, protocol: Protocol, settings: &tls::Settings) -> Result<Tls, Unusable> {
        let mut settings = settings.clone();
        if protocol == Protocol::Http3 {
            if settings.versions == tls::Versions::Tls12 {
                return Err(Unusable("HTTP/3 needs TLS 1.3".to_owned()));
            }
            // RFC 9001 §4.2
            settings.versions = tls::Versions::Tls13;
        }
        Ok(Tls {
            name: tls::name(&settings, &location.host).map_err(Unusable)?,
            config: Arc::new(tls::config(&settings).map_err(Unusable)?),
        })
    }
}

/// All addresses of a host, each once, in the resolver's order.
fn addresses(host: &str, port: u16) -> Result<Vec<SocketAddr>, Unusable> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![(address, port).into()]);
    }
    let mut found = Vec::new();
    for address in resolve(host, port).map_err(|error| Unusable(format!("`{host}` has no address: {error}")))? {
        if !found.contains(&address) {
            found.push(address);
        }
    }
    if found.is_empty() {
        return Err(Unusable(format!("`{host}` has no address")));
    }
    Ok(found)
}

#[expect(
    clippy::disallowed_methods,
    reason = "targets are made before there is a worker, by a thread that may wait"
)]
fn resolve(host: &str, port: u16) -> io::Result<impl Iterator<Item = SocketAddr>> {
    std::net::ToSocketAddrs::to_socket_addrs(&(host, port))
}

/// Whether somebody listens at an address.
fn probe(address: SocketAddr, protocol: Protocol, patience: Duration) -> io::Result<()> {
    if protocol != Protocol::Http3 {
        return TcpStream::connect_timeout(&address, patience).map(drop);
    }
    let own: IpAddr = match address {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((own, 0))?;
    socket.connect(address)?;
    // A server passes over what is no packet of QUIC; a machine where nobody listens says so (RFC 1122 §4.1.3.1), if at all, soon.
    socket.set_read_timeout(Some(
        patience.clamp(Duration::from_millis(1), Duration::from_millis(100)),
    ))?;
    socket.send(&[0])?;
    match socket.recv(&mut [0; 1]) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
