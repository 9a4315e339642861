//! Addresses that are kept out for a while.

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema::form;
use crate::{defaults, units};

/// Keeps addresses out for a while: those that offend too often, and those that operators name (`POST /bans` on the admin
/// listener). IPv6 clients are told apart by their /64 network. Short form: `after`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(transform = form::short("after"))]
pub struct Bans {
    /// An address that offends more often than this is banned: `20/1m`. By default only operators ban.
    pub after: Option<units::Quota>,
    /// The statuses of answers that are offences, whoever gives them. By default 401, 403 and 429: guessed passwords and keys,
    /// what may not be asked, what was inspected and blocked, too many requests.
    #[schemars(length(min = 1))]
    pub offences: Vec<u16>,
    /// For how long an address is banned the first time. Each time it comes back to offend doubles it.
    #[serde(rename = "for")]
    pub lasting: units::Duration,
    /// The longest ban, and for how long an earlier one is remembered.
    pub longest: units::Duration,
    /// What becomes of those who are banned.
    pub answer: BanAnswer,
    /// How long a tarpit holds a request.
    pub tarpit: units::Duration,
    /// Networks that are never banned for offences: your own, and those of proxies that you trust.
    #[schemars(with = "Vec<String>", transform = form::items("ip-network"))]
    pub never: Vec<IpNet>,
}

impl Default for Bans {
    fn default() -> Bans {
        Bans {
            after: None,
            offences: vec![401, 403, 429],
            lasting: defaults::ban(),
            longest: defaults::longest_ban(),
            answer: BanAnswer::default(),
            tarpit: defaults::tarpit(),
            never: Vec::new(),
        }
    }
}

/// What becomes of those who are banned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BanAnswer {
    /// New connections are closed before anything is read; requests on open ones are refused (403).
    #[default]
    Close,
    /// Requests are refused (403).
    Refuse,
    /// Requests are held for a while, then refused. At most a thousand are held at a time.
    Tarpit,
}
