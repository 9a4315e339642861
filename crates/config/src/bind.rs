//! What a listener listens on.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use crate::formats;
use crate::units::written_as_text;

/// An address of the network, or a path of a Unix socket.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Bind {
    /// Address and port; port 0 leaves the port to the system.
    Tcp(SocketAddr),
    /// A socket of this machine, relative to the configuration file.
    Unix(PathBuf),
}

written_as_text!(
    Bind,
    "listen-address",
    "^(unix:.+|.+:[0-9]+)$",
    ["0.0.0.0:8080", "[::]:8080", "unix:run/gate.sock"]
);

impl FromStr for Bind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = formats::check("listen-address", text)?;
        match text.strip_prefix("unix:") {
            Some(path) => Ok(Bind::Unix(path.into())),
            None => text
                .parse()
                .map(Bind::Tcp)
                .map_err(|_| format!("`{text}` is no address")),
        }
    }
}

impl fmt::Display for Bind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Bind::Tcp(address) => write!(f, "{address}"),
            Bind::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_written_back() {
        for text in ["0.0.0.0:80", "[::1]:8443", "unix:run/gate.sock", "unix:/run/gate.sock"] {
            assert_eq!(text.parse::<Bind>().unwrap().to_string(), text);
        }
        for text in ["unix:", "unix:run/", "gate.sock", "8080"] {
            assert!(text.parse::<Bind>().is_err(), "{text}");
        }
        assert!(format!("unix:/{}", "x".repeat(107)).parse::<Bind>().is_err());
    }
}
