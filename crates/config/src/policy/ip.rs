//! Addresses that may enter, and those that may not.

use std::path::PathBuf;

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema::form;

/// From where clients may come (403). The address is the client's: that of the connection, or what a proxy of the listener's
/// `trusted_proxies` said. All that is written must hold. Short form: the networks that are allowed.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(transform = form::short("allow"))]
pub struct Ip {
    /// Networks that may enter: `10.0.0.0/8`, `2001:db8::/32`, `192.0.2.7/32`. When there are any, nobody else may.
    #[schemars(with = "Vec<String>", transform = form::items("ip-network"))]
    pub allow: Vec<IpNet>,
    /// Networks that may not enter, even when `allow` has them, too.
    #[schemars(with = "Vec<String>", transform = form::items("ip-network"))]
    pub deny: Vec<IpNet>,
    /// A file of networks that may not enter, one in each line; what follows a `#` is a remark. It is read with the configuration.
    #[schemars(extend("format" = "path"))]
    pub deny_file: Option<PathBuf>,
    /// From which countries clients may come, by a database of yours.
    pub countries: Option<Countries>,
}

/// Countries that may enter, or may not.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Countries {
    /// A database in MaxMind's format that has `country.iso_code`: GeoLite2, DB-IP and others. It is read with the configuration.
    #[schemars(extend("format" = "path"))]
    pub database: PathBuf,
    /// Countries that may enter, by ISO 3166: `DE`. When there are any, nobody else may, nor an address that the database does not know.
    #[serde(default)]
    pub allow: Vec<String>,
    /// Countries that may not enter. An address that the database does not know may.
    #[serde(default)]
    pub deny: Vec<String>,
}
