//! `ip` says from where clients may come.
//!
//! ```yaml
//! ip:
//!   allow: [10.0.0.0/8]
//!   deny: [10.66.0.0/16]
//!   countries: {database: countries.mmdb, deny: [XX]}
//! ```
//!
//! What counts is the client's address: that of its connection, or what a proxy said that the listener trusts. What is
//! denied may not enter though it is allowed as well. Networks are found in a time that hardly grows with their number.

mod countries;
mod networks;

use std::net::IpAddr;
use std::path::Path;

use ipnet::IpNet;
use portcullis_config::policy::ip::Ip as Written;
use portcullis_core::{Ctx, Error, Next, Policy, Reply, Request, codes};

use countries::Countries;
use networks::Networks;

/// The largest file of networks or database of countries.
const LARGEST_FILE: u64 = 512 * 1024 * 1024;

/// Says from where clients may come.
#[derive(Debug)]
pub struct Ip {
    allow: Option<Networks>,
    deny: Networks,
    countries: Option<Countries>,
}

impl Ip {
    /// Compiles what the file says; paths are relative to `base`.
    ///
    /// # Errors
    /// When nothing is said, or a file can't be read or understood.
    pub fn new(config: &Written, base: &Path) -> Result<Ip, String> {
        let mut deny = config.deny.clone();
        if let Some(file) = &config.deny_file {
            deny.extend(networks_of(&base.join(file))?);
        }
        let countries = config.countries.as_ref().map(|written| Countries::new(written, base));
        if config.allow.is_empty() && config.deny.is_empty() && config.deny_file.is_none() && countries.is_none() {
            return Err("this lets everybody in: say `allow`, `deny`, `deny_file` or `countries`".to_owned());
        }
        Ok(Ip {
            allow: (!config.allow.is_empty()).then(|| Networks::new(&config.allow)),
            deny: Networks::new(&deny),
            countries: countries.transpose()?,
        })
    }

    /// Why that client may not enter.
    fn objection(&self, client: IpAddr) -> Option<String> {
        let client = client.to_canonical();
        if self.deny.contains(client) {
            return Some(format!("{client} is denied"));
        }
        if self.allow.as_ref().is_some_and(|allow| !allow.contains(client)) {
            return Some(format!("{client} is not among those that are allowed"));
        }
        self.countries.as_ref()?.objection(client)
    }
}

impl Policy for Ip {
    fn call<'a>(&'a self, cx: &'a mut Ctx, request: Request, next: Next<'a>) -> Reply<'a> {
        match self.objection(cx.client) {
            None => next.run(cx, request),
            Some(why) => Error::new(&codes::FORBIDDEN)
                .with_detail("not from this address")
                .with_cause(why)
                .by_policy("ip")
                .into(),
        }
    }
}

/// The networks that a file lists.
fn networks_of(path: &Path) -> Result<Vec<IpNet>, String> {
    let text = read(path)?;
    let text = String::from_utf8(text).map_err(|_| format!("{} is not text", path.display()))?;
    let mut networks = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() {
            continue;
        }
        let single = || line.parse::<IpAddr>().map(IpNet::from);
        let network = line.parse::<IpNet>().or_else(|_| single());
        let network =
            network.map_err(|_| format!("line {} of {} is no network: `{line}`", index + 1, path.display()))?;
        networks.push(network);
    }
    Ok(networks)
}

/// A file, whole, if it isn't too large.
fn read(path: &Path) -> Result<Vec<u8>, String> {
    let cannot = |why: &dyn std::fmt::Display| format!("can't read {}: {why}", path.display());
    let length = std::fs::metadata(path).map_err(|error| cannot(&error))?.len();
    if length > LARGEST_FILE {
        return Err(cannot(&format!("it has more than {LARGEST_FILE} bytes")));
    }
    std::fs::read(path).map_err(|error| cannot(&error))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use std::sync::Arc;
    use std::time::Instant;

    use portcullis_config::policy::ip as written;
    use tempfile::TempDir;

    use super::*;
    use crate::trial::{context_of, request, send_as};

    fn networks(networks: &[&str]) -> Vec<IpNet> {
        networks.iter().map(|network| network.parse().unwrap()).collect()
    }

    fn status(ip: Ip, client: &str) -> u16 {
        let policy: Arc<dyn Policy> = Arc::new(ip);
        let cx = context_of(client.parse().unwrap(), Instant::now());
        let trial = send_as(
            &policy,
            cx,
            request("GET", "/", &[("X-Forwarded-For", "10.0.0.1")]),
            &[],
        );
        assert_eq!(trial.seen.is_some(), trial.status().code() == 200);
        trial.status().code()
    }

    #[test]
    fn what_is_denied_may_not_enter_though_it_is_allowed() {
        for (client, expected) in [
            ("10.0.0.1", 200),
            ("10.66.0.1", 403),
            ("11.0.0.1", 403),
            ("::ffff:10.0.0.1", 200),
            ("::ffff:10.66.0.1", 403),
            ("2001:db8::1", 200),
            ("2001:db9::1", 403),
        ] {
            let config = Written {
                allow: networks(&["10.0.0.0/8", "2001:db8::/32"]),
                deny: networks(&["10.66.0.0/16"]),
                ..Written::default()
            };
            assert_eq!(
                status(Ip::new(&config, Path::new("")).unwrap(), client),
                expected,
                "{client}"
            );
        }
    }

    #[test]
    fn networks_are_read_from_a_file() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("bad");
        std::fs::write(
            &path,
            "# known\n\n192.0.2.0/24 # all of it\n198.51.100.7\n2001:db8::/32\n",
        )
        .unwrap();
        let config = Written {
            deny_file: Some("bad".into()),
            ..Written::default()
        };
        for (client, expected) in [
            ("192.0.2.9", 403),
            ("198.51.100.7", 403),
            ("198.51.100.8", 200),
            ("2001:db8::1", 403),
        ] {
            assert_eq!(
                status(Ip::new(&config, folder.path()).unwrap(), client),
                expected,
                "{client}"
            );
        }
        std::fs::write(&path, "192.0.2.0/24\n192.0.2\n").unwrap();
        assert!(Ip::new(&config, folder.path()).is_err_and(|why| why.contains("line 2")));
        std::fs::remove_file(&path).unwrap();
        assert!(Ip::new(&config, folder.path()).is_err_and(|why| why.contains("can't read")));
    }

    #[test]
    fn a_database_says_which_country_it_is() {
        let folder = TempDir::new().unwrap();
        let database = countries::tests::database(&[("192.0.2.0/24", "DE"), ("198.51.100.0/24", "FR")]);
        std::fs::write(folder.path().join("countries.mmdb"), database).unwrap();
        let config = |allow: &[&str], deny: &[&str]| {
            let codes = |codes: &[&str]| codes.iter().map(|code| (*code).to_owned()).collect();
            let countries = written::Countries {
                database: "countries.mmdb".into(),
                allow: codes(allow),
                deny: codes(deny),
            };
            let config = Written {
                countries: Some(countries),
                ..Written::default()
            };
            Ip::new(&config, folder.path())
        };
        for (client, only_germany, not_france) in [
            ("192.0.2.1", 200, 200),
            ("198.51.100.1", 403, 403),
            ("203.0.113.1", 403, 200),
            ("2001:db8::1", 403, 200),
        ] {
            assert_eq!(status(config(&["DE"], &[]).unwrap(), client), only_germany, "{client}");
            assert_eq!(status(config(&[], &["FR"]).unwrap(), client), not_france, "{client}");
        }
        assert!(config(&[], &[]).is_err());
        assert!(config(&["Germany"], &[]).is_err_and(|why| why.contains("ISO 3166")));
        std::fs::write(folder.path().join("countries.mmdb"), b"no database").unwrap();
        assert!(config(&["DE"], &[]).is_err());
    }

    #[test]
    fn what_says_nothing_is_refused() {
        assert!(Ip::new(&Written::default(), Path::new("")).is_err());
    }
}
