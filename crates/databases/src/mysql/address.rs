//! Where a server is, from the URL.

use std::net::IpAddr;

use mysql_async::{Opts, OptsBuilder};
use percent_encoding::percent_decode_str;

/// Bytes of a packet at the most, either way. A row is one packet.
const MAX_PACKET: usize = 64 << 20;

/// Where a server is, and what connections to it are opened with.
#[derive(Clone)]
pub(super) struct Address {
    pub(super) options: Opts,
    /// The database that the URL names.
    pub(super) database: String,
}

impl Address {
    /// The address of that URL: `mysql://USER:PASSWORD@HOST:PORT/DATABASE`, with `sslmode` and `socket` as parameters.
    ///
    /// # Errors
    /// What is wrong with the URL, without what it holds.
    pub(super) fn new(url: &str) -> Result<Address, String> {
        let (base, query) = url.split_once('?').unwrap_or((url, ""));
        let base = match base.strip_prefix("mariadb:") {
            Some(rest) => format!("mysql:{rest}"),
            None => base.to_owned(),
        };
        // The driver's own words may repeat a part of the URL.
        let options = Opts::from_url(&base).map_err(|_| "the URL can't be understood".to_owned())?;
        let Some(database) = options.db_name().filter(|name| !name.is_empty()).map(str::to_owned) else {
            return Err("the URL names no database".to_owned());
        };
        let (mut socket, mut is_plain) = (None, false);
        for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
            match parameter.split_once('=') {
                Some(("sslmode", "disable")) => is_plain = true,
                Some(("sslmode", _)) => {
                    return Err("connections to MariaDB and MySQL can't be encrypted: `sslmode` is disable".to_owned());
                }
                Some(("socket", path)) => {
                    let path = percent_decode_str(path)
                        .decode_utf8()
                        .map_err(|_| "socket is not UTF-8")?;
                    socket = Some(path.into_owned());
                }
                _ => return Err("the URL has a parameter other than `sslmode` and `socket`".to_owned()),
            }
        }
        if !is_plain && socket.is_none() && !is_local(options.ip_or_hostname()) {
            // In silence nothing is sent where others can read it.
            return Err(
                "connections to MariaDB and MySQL can't be encrypted: where the network is trusted, say \
                 `?sslmode=disable`"
                    .to_owned(),
            );
        }
        let options = OptsBuilder::from_opts(options)
            .socket(socket)
            .prefer_socket(false)
            // A change to the values that are there already counts as one: the row was found.
            .client_found_rows(true)
            // Sessions keep statements themselves.
            .stmt_cache_size(0)
            .max_allowed_packet(Some(MAX_PACKET))
            .connect_attribute("program_name", "portcullis");
        Ok(Address {
            options: options.into(),
            database,
        })
    }
}

impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The options hold a password.
        f.debug_struct("Address")
            .field("database", &self.database)
            .finish_non_exhaustive()
    }
}

fn is_local(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn a_url_says_where_and_who() {
        let address = Address::new("mariadb://us%20er:p%2Fw@127.0.0.1:3307/shop").unwrap();
        assert_eq!(address.database, "shop");
        let options = &address.options;
        assert_eq!((options.user(), options.pass()), (Some("us er"), Some("p/w")));
        assert_eq!((options.ip_or_hostname(), options.tcp_port()), ("127.0.0.1", 3307));
        let address = Address::new("mysql://u@localhost/d?socket=%2Frun%2Fmysqld.sock").unwrap();
        assert_eq!(address.options.socket(), Some("/run/mysqld.sock"));
        assert!(Address::new("mysql://u:p@[::1]:3306/d").is_ok());
        assert!(Address::new("mysql://u:p@db.example/d?sslmode=disable").is_ok());
    }

    #[test]
    fn a_wrong_url_is_not_repeated() {
        for (url, expected) in [
            ("mysql://u:secret@db.example/d", "can't be encrypted"),
            (
                "mysql://u:secret@db.example/d?sslmode=verify-full",
                "can't be encrypted",
            ),
            ("mysql://u:secret@127.0.0.1:port/d", "can't be understood"),
            ("mysql://u:secret@127.0.0.1/", "no database"),
            ("mysql://u:secret@127.0.0.1/d?nonsense=secret", "parameter other than"),
        ] {
            let reason = Address::new(url).err().unwrap();
            assert!(reason.contains(expected) && !reason.contains("secret"), "{reason}");
        }
    }
}
