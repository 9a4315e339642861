//! Where a server is and how its connections begin, from the URL and the settings.

use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr as _;
use std::time::Duration;

use percent_encoding::percent_decode_str;
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

use super::tls::{self, Tls};
use crate::settings::Settings;

/// How long a connection may take to be there. A server that is restarting answers at once that it is.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a peer may be silent about what it was sent: then it is gone, whatever the network says.
const SILENCE: Duration = Duration::from_secs(10);
/// How long a transaction may wait for its next statement: one that we forgot would hold its locks for ever.
pub(super) const IDLE_IN_TRANSACTION: Duration = Duration::from_secs(30);

/// Where a server is, and what connections to it are opened with.
#[derive(Clone)]
pub(super) struct Address {
    pub(super) config: Config,
    pub(super) tls: Option<Tls>,
}

#[derive(Clone, Copy, PartialEq)]
enum Mode {
    Disable,
    Require,
    VerifyFull,
}

impl Address {
    /// The address of the settings' URL.
    ///
    /// # Errors
    /// What is wrong with the URL, without what it holds.
    pub(super) fn new(settings: &Settings) -> Result<Address, String> {
        let (url, mode, roots) = split(&settings.url)?;
        // The driver's own words may repeat a part of the URL.
        let mut config = Config::from_str(&url).map_err(|_| "the URL can't be understood".to_owned())?;
        if config.get_hosts().is_empty() {
            return Err("the URL names no host".to_owned());
        }
        if config.get_application_name().is_none() {
            config.application_name("portcullis");
        }
        config.connect_timeout(CONNECT_TIMEOUT);
        config.tcp_user_timeout(SILENCE);
        config.keepalives_idle(SILENCE);
        let local = config.get_hosts().iter().all(is_local);
        let mode = mode.unwrap_or(if local { Mode::Disable } else { Mode::VerifyFull });
        let tls = match mode {
            Mode::Disable => None,
            Mode::Require => Some(Tls::unverified()),
            Mode::VerifyFull => Some(Tls::verified(tls::roots(roots.as_deref())?)),
        };
        config.ssl_mode(if tls.is_some() {
            SslMode::Require
        } else {
            SslMode::Disable
        });
        Ok(Address { config, tls })
    }

    /// The same for connections that serve requests: what they do can't write unless a transaction says that it does, and
    /// ends in time. A pooler takes no such settings, since the next transaction may have another connection: there each
    /// transaction says all of it.
    pub(super) fn serving(mut self, settings: &Settings) -> Address {
        if settings.pooled {
            return self;
        }
        let own = self.config.get_options().unwrap_or_default();
        let options = format!(
            "{own} -c default_transaction_read_only=on -c statement_timeout={} \
             -c idle_in_transaction_session_timeout={} -c datestyle=ISO -c bytea_output=hex",
            settings.statement_timeout.as_millis().max(1),
            IDLE_IN_TRANSACTION.as_millis(),
        );
        self.config.options(options.trim_start());
        self
    }
}

/// The URL without what the driver doesn't know, and that.
fn split(url: &str) -> Result<(String, Option<Mode>, Option<PathBuf>), String> {
    let Some((base, query)) = url.split_once('?') else {
        return Ok((url.to_owned(), None, None));
    };
    let (mut mode, mut roots, mut others) = (None, None, Vec::new());
    for parameter in query.split('&') {
        match parameter.split_once('=') {
            Some(("sslmode", value)) => mode = Some(read_mode(value)?),
            Some(("sslrootcert", value)) => {
                let path = percent_decode_str(value)
                    .decode_utf8()
                    .map_err(|_| "sslrootcert is not UTF-8")?;
                roots = Some(PathBuf::from(path.as_ref()));
            }
            _ => others.push(parameter),
        }
    }
    Ok((format!("{base}?{}", others.join("&")), mode, roots))
}

fn read_mode(value: &str) -> Result<Mode, String> {
    match value {
        "disable" => Ok(Mode::Disable),
        "require" => Ok(Mode::Require),
        "verify-full" => Ok(Mode::VerifyFull),
        // These give way to whoever stands between, in silence.
        "allow" | "prefer" => {
            Err("`sslmode` that gives way protects nothing: say disable, require or verify-full".to_owned())
        }
        _ => Err("`sslmode` is disable, require or verify-full".to_owned()),
    }
}

fn is_local(host: &Host) -> bool {
    match host {
        Host::Tcp(name) => name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback()),
        Host::Unix(_) => true,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::tests::settings;

    fn address(url: &str) -> Result<Address, String> {
        Address::new(&settings(url))
    }

    #[test]
    fn a_server_elsewhere_is_verified_unless_the_url_says_otherwise() {
        let is_encrypted = |url| address(url).unwrap().tls.is_some();
        assert!(!is_encrypted("postgres://u:p@127.0.0.1:5432/d"));
        assert!(!is_encrypted("postgres://u@localhost/d"));
        assert!(!is_encrypted("postgres://u@%2Frun%2Fpostgresql/d"));
        assert!(is_encrypted(
            "postgres://u@localhost/d?sslmode=require&application_name=x"
        ));
        assert!(!is_encrypted("postgres://u@db.example/d?sslmode=disable"));
    }

    #[test]
    fn a_wrong_url_is_not_repeated() {
        for (url, expected) in [
            ("postgres://u:secret@db.example/d?sslmode=prefer", "gives way"),
            ("postgres://u:secret@db.example/d?sslmode=on", "disable, require"),
            (
                "postgres://u:secret@db.example:port/d?sslmode=disable",
                "can't be understood",
            ),
            (
                "postgres://u:secret@db.example/d?nonsense=secret",
                "can't be understood",
            ),
            ("postgres:///d", "no host"),
        ] {
            let reason = address(url).err().unwrap();
            assert!(reason.contains(expected) && !reason.contains("secret"), "{reason}");
        }
    }

    #[test]
    fn connections_that_serve_cannot_write_by_themselves() {
        let mut settings = settings("postgres://u@localhost/d?options=-c%20search_path%3Dapi");
        let address = Address::new(&settings).unwrap();
        let options = address
            .clone()
            .serving(&settings)
            .config
            .get_options()
            .unwrap()
            .to_owned();
        assert!(
            options.starts_with("-c search_path=api -c default_transaction_read_only=on"),
            "{options}"
        );
        settings.pooled = true;
        assert_eq!(
            address.serving(&settings).config.get_options(),
            Some("-c search_path=api")
        );
    }
}
