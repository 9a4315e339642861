//! Who may do what.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema::form;

/// Lets requests pass that are allowed to do what they ask for (403). All that is written must hold. Short form: the
/// expression, or a list of them.
///
/// Expressions are written in CEL, the Common Expression Language (`cel.dev`). Their types are checked when the file is read,
/// and what each may cost is limited. One that fails for a request, because a claim is missing or a text is no number, refuses
/// it.
///
/// `request` has `method`, `path` (in the normal form in which it was routed), `query` (a map whose values are lists, since a
/// parameter can be there several times: `'1' in request.query.a`), `headers` (a map; names in any case, the values of several
/// fields of one name joined by commas), `host` (in small letters, without a port), `scheme`, `size` (bytes of content; null
/// where the client doesn't say), `id` and `version` (`HTTP/1.1`).
///
/// `client` has `address` (what a trusted proxy said, or else the peer's), `peer` (the address of the other end of the
/// connection) and `port` (the peer's).
///
/// `consumer` has `name`, `by` (the policy that found it out), `scopes` and `roles` (lists); it is null when nobody is known.
/// `claims` is a map of what its token says, and empty where there is none.
///
/// `params` is a map of what the variable parts of the route's path matched, `route` the route's name, `time` when the request
/// came.
///
/// `tls` has `server_name` and `client`, the certificate that the client showed, or null: `subject`, `dns_names`, `uris`,
/// `mail_addresses` and `fingerprint`. For a connection without TLS it is null.
///
/// Beside the language's own functions there are `client.address.inNetwork('10.0.0.0/8')`, which takes a list of networks, too,
/// and for texts `lowerAscii`, `upperAscii`, `trim`, `split`, `join`, `replace`, `substring`, `indexOf`, `lastIndexOf`,
/// `charAt` and `reverse`. Patterns, networks and time zones must be written in the expression.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(transform = form::short("allow"))]
pub struct Authorize {
    /// Expressions that must be true: `claims.tenant == params.tenant`.
    #[schemars(length(min = 1), transform = form::single)]
    pub allow: Vec<String>,
    /// Scopes that the consumer must have, all of them. Who has too few is told which (RFC 6750).
    pub scopes: Vec<String>,
    /// Roles that the consumer must have, all of them. For any of several: `consumer.roles.exists(role, role in ['a', 'b'])`.
    pub roles: Vec<String>,
}
