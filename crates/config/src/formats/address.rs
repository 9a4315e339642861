//! Addresses, hosts and URLs.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use ipnet::IpNet;

use super::Checked;

pub(super) fn socket(text: &str) -> Checked {
    if text.parse::<SocketAddr>().is_ok() {
        return Ok(text.to_owned());
    }
    let port = text
        .strip_prefix(':')
        .or_else(|| text.strip_prefix("*:"))
        .unwrap_or(text);
    if port.parse::<u16>().is_ok() {
        return Err(format!(
            "`{text}` has no address; write `0.0.0.0:{port}` for all addresses, `127.0.0.1:{port}` for this machine"
        ));
    }
    if let Some(port) = text.strip_prefix("localhost:") {
        return Err(format!("`{text}` is a name; write the address: `127.0.0.1:{port}`"));
    }
    Err(format!(
        "`{text}` is not an address and a port, such as `0.0.0.0:8080` or `[::]:8080`"
    ))
}

/// An address to listen on: of the network, or a path of a Unix socket.
pub(super) fn listen(text: &str) -> Checked {
    match text.strip_prefix("unix:") {
        Some(path) => unix(text, path),
        None => socket(text),
    }
}

fn unix(text: &str, path: &str) -> Checked {
    // The kernel's own limit, sun_path(7), with room for the folder of the configuration.
    const LONGEST: usize = 107;
    if path.is_empty() || path.starts_with("//") || path.ends_with('/') {
        return Err(format!("`{text}` names no socket; write `unix:PATH`"));
    }
    if path.len() > LONGEST {
        return Err(format!(
            "`{text}` is too long: a path of a socket has at most {LONGEST} bytes"
        ));
    }
    Ok(text.to_owned())
}

pub(super) fn network(text: &str) -> Checked {
    let network = text
        .parse::<IpNet>()
        .ok()
        .or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
    network
        .map(|network| network.to_string())
        .ok_or_else(|| format!("`{text}` is no network, such as `10.0.0.0/8` or `fd00::/8`"))
}

pub(super) fn target(text: &str) -> Checked {
    if let Some(path) = text.strip_prefix("unix:") {
        return unix(text, path);
    }
    let Some((scheme, rest)) = text
        .split_once("://")
        .filter(|(scheme, _)| matches!(*scheme, "http" | "https"))
    else {
        return Err(format!(
            "`{text}` is no target; write `http://host:port`, `https://host:port` or `unix:PATH`"
        ));
    };
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    if authority.contains(['/', '?', '#']) {
        return Err(format!(
            "`{text}` has a path; a target is `{scheme}://host:port` alone, paths are the routes' business"
        ));
    }
    authority_of(authority).map_err(|what| format!("`{text}` is no target: {what}"))?;
    Ok(format!("{scheme}://{authority}"))
}

/// What a `Host` says.
pub(super) fn authority(text: &str) -> Checked {
    authority_of(text).map_err(|what| format!("`{text}` is no host with or without a port: {what}"))?;
    Ok(text.to_owned())
}

/// No message repeats the text, which may hold a password.
pub(super) fn database(text: &str) -> Checked {
    const FORMS: &str = "this is no database; write `sqlite:PATH`, `postgres://USER:PASSWORD@HOST/NAME` or `mysql://…`";
    if text.bytes().any(|byte| byte.is_ascii_control()) {
        return Err(FORMS.to_owned());
    }
    let (scheme, rest) = text.split_once(':').ok_or(FORMS)?;
    match scheme {
        "sqlite" if !rest.is_empty() => Ok(text.to_owned()),
        "postgres" | "postgresql" | "mysql" | "mariadb" => server(text, rest),
        _ => Err(FORMS.to_owned()),
    }
}

/// A URL of a database server, without its scheme.
fn server(text: &str, rest: &str) -> Checked {
    let Some(rest) = rest.strip_prefix("//") else {
        return Err("a database server is written `SCHEME://USER:PASSWORD@HOST/NAME`".to_owned());
    };
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    let place = place.rsplit_once('@').map_or(place, |(_, place)| place);
    let (authority, name) = place.split_once('/').unwrap_or((place, ""));
    if authority.is_empty() {
        return Err("the URL of a database server needs a host".to_owned());
    }
    if name.is_empty() || name.contains('/') {
        return Err("the URL of a database server ends in the name of the database: `/shop`".to_owned());
    }
    for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
        if let Some(mode @ ("prefer" | "allow")) = parameter.strip_prefix("sslmode=") {
            return Err(format!(
                "`sslmode={mode}` goes on in clear text where the server, or somebody on the way, has no TLS; write \
                 `disable`, `require` or `verify-full`"
            ));
        }
    }
    Ok(text.to_owned())
}

pub(super) fn sqlite(text: &str) -> Checked {
    match text.strip_prefix("sqlite:") {
        Some(path) if !path.is_empty() => Ok(text.to_owned()),
        _ => Err("only SQLite is understood here; write `sqlite:PATH`".to_owned()),
    }
}

/// Hosts compare without regard to case (RFC 9110, section 4.2.3): they go on in small letters.
pub(super) fn host_pattern(text: &str) -> Checked {
    let host = text.to_ascii_lowercase();
    if host == "*" {
        return Err("to claim every host, leave `host` out".to_owned());
    }
    let name = host.strip_prefix("*.").unwrap_or(&host);
    if is_host(name) && (name == host || name.parse::<IpAddr>().is_err()) {
        return Ok(host);
    }
    match name.rsplit_once(':') {
        Some((before, port)) if is_host(before) && port.parse::<u16>().is_ok() => Err(format!(
            "`{text}` has a port; a route claims a host whatever the port, so write `{before}`"
        )),
        _ => Err(format!(
            "`{text}` is no host; write `example.com`, or `*.example.com` for all below it"
        )),
    }
}

pub(super) fn host_name(text: &str) -> Checked {
    if is_host(text) {
        Ok(text.to_owned())
    } else {
        Err(format!("`{text}` is no host, such as `api.example.com`"))
    }
}

/// A name that a certificate can be issued for by one of the challenges that we know: neither takes `*` (RFC 8555,
/// section 8), and an address is proven in another way (RFC 8738).
pub(super) fn domain_name(text: &str) -> Checked {
    let name = text.to_ascii_lowercase();
    if name.starts_with("*.") {
        return Err(format!(
            "`{text}` is many names; an authority issues such a certificate for an entry in DNS only, so list the names"
        ));
    }
    if is_host(&name) && !name.contains('_') && name.parse::<IpAddr>().is_err() && !name.starts_with('[') {
        return Ok(name);
    }
    Err(format!("`{text}` is no domain name, such as `shop.example.com`"))
}

/// A URL of a server that is reached by TLS alone.
pub(super) fn https_url(text: &str) -> Checked {
    let expected = || format!("`{text}` is no URL of a directory, such as `https://authority.example.com/directory`");
    let rest = text.strip_prefix("https://").ok_or_else(expected)?;
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    if !path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#') {
        return Err(expected());
    }
    authority_of(authority).map_err(|what| format!("`{text}` is no URL of a directory: {what}"))?;
    Ok(text.to_owned())
}

/// An address of electronic mail, in the form that a `mailto:` URL takes without escapes (RFC 6068, section 2).
pub(super) fn mail(text: &str) -> Checked {
    let fine = |byte: u8| byte.is_ascii_alphanumeric() || b".!#$&'*+-/=^_`{|}~".contains(&byte);
    match text.split_once('@') {
        Some((person, host)) if !person.is_empty() && person.bytes().all(fine) && is_host(host) => Ok(text.to_owned()),
        _ => Err(format!(
            "`{text}` is no address of electronic mail, such as `ops@example.com`"
        )),
    }
}

/// An origin as browsers send it (RFC 6454, section 6.2), with a wildcard for its subdomains, or `*`.
pub(super) fn origin(text: &str) -> Checked {
    if text == "*" {
        return Ok(text.to_owned());
    }
    let Some((scheme, rest)) = text
        .split_once("://")
        .filter(|(scheme, _)| matches!(*scheme, "http" | "https"))
    else {
        return Err(format!(
            "`{text}` is no origin; write `https://host`, `https://*.host`, or `*`"
        ));
    };
    if rest.contains(['/', '?', '#']) {
        return Err(format!("`{text}` has a path; an origin is `{scheme}://host` alone"));
    }
    authority_of(rest.strip_prefix("*.").unwrap_or(rest)).map_err(|what| format!("`{text}` is no origin: {what}"))?;
    Ok(text.to_ascii_lowercase())
}

/// Checks `host` or `host:port`.
fn authority_of(text: &str) -> Result<(), String> {
    if text.contains('@') {
        return Err("a user and a password have no place in it".to_owned());
    }
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    };
    if !is_host(host) {
        return Err(format!("`{host}` is no host"));
    }
    match port {
        Some(port) if !port.parse::<u16>().is_ok_and(|number| number > 0) || port.starts_with('+') => {
            Err(format!("`{port}` is no port from 1 to 65535"))
        }
        _ => Ok(()),
    }
}

/// A name by the rules of DNS (RFC 1123, section 2.1) with the underscore that containers use, or an address.
/// A server of DNS: an address, with a port where it isn't 53.
pub(super) fn dns_server(text: &str) -> Checked {
    const PORT: u16 = 53;
    let alone = text.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, PORT));
    match alone.or_else(|_| text.parse::<SocketAddr>()) {
        Ok(address) if address.port() != 0 => Ok(address.to_string()),
        Ok(_) => Err(format!("`{text}` has no port; leave it out for 53")),
        Err(_) => Err(format!(
            "`{text}` is no address of a server, such as `10.0.0.53` or `10.0.0.53:5353`"
        )),
    }
}

/// The name of SRV records. A dot at its end says that no search domain is to be tried.
pub(super) fn service_name(text: &str) -> Checked {
    let name = text.to_ascii_lowercase();
    if name.starts_with('[') || !is_host(name.strip_suffix('.').unwrap_or(&name)) {
        return Err(format!(
            "`{text}` is no name of SRV records, such as `_http._tcp.shop.example.com`"
        ));
    }
    Ok(name)
}

fn is_host(text: &str) -> bool {
    if let Some(inner) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return inner.parse::<Ipv6Addr>().is_ok();
    }
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    text.len() <= 253 && text.split('.').all(label)
}
