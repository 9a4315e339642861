//! Every reason for which the gate itself answers, with the status it has on the wire.
//!
//! The list is part of the interface: names don't change, and the reference page of errors is generated from it.

use crate::Status;

/// One reason, under a name that stays.
#[derive(Debug, PartialEq, Eq)]
pub struct Code {
    /// The stable name: the `code` of a problem document, a log's field and a metric's label.
    pub name: &'static str,
    /// The status that goes out.
    pub status: Status,
    /// Whose fault it is.
    pub fault: Fault,
    /// One line for people.
    pub title: &'static str,
    /// What to do about it, for the reference page.
    pub advice: &'static str,
    /// The error type of `Proxy-Status` (RFC 9209 §2.3), where one is registered for it.
    pub proxy_status: Option<&'static str>,
}

/// Whose fault a failure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The client sent what can't be answered.
    Client,
    /// A policy refused: the request was understood.
    Policy,
    /// The backend failed.
    Upstream,
    /// The gate itself failed, or is at its limit.
    Gate,
}

impl Fault {
    /// The word for logs and documents.
    pub fn as_str(self) -> &'static str {
        match self {
            Fault::Client => "client",
            Fault::Policy => "policy",
            Fault::Upstream => "upstream",
            Fault::Gate => "gate",
        }
    }
}

macro_rules! codes {
    ($($const:ident = $name:literal, $status:ident, $fault:ident, $proxy_status:expr, $title:literal, $advice:literal;)*) => {
        $(
            #[doc = $title]
            pub static $const: Code = Code {
                name: $name,
                status: Status::$status,
                fault: Fault::$fault,
                title: $title,
                advice: $advice,
                proxy_status: $proxy_status,
            };
        )*

        /// All of them, in the order of the reference page.
        pub static ALL: &[&Code] = &[$(&$const,)*];
    };
}

codes! {
    BAD_REQUEST = "bad_request", BAD_REQUEST, Client, Some("http_request_error"),
        "The request is malformed", "Mend the client: the detail says what is wrong. The connection is closed, because what follows can't be told apart from the malformed part.";
    BAD_TARGET = "bad_target", BAD_REQUEST, Client, Some("http_request_error"),
        "The request target is malformed", "Percent-encode what may not stand in a path or query, and keep the path within the root.";
    AMBIGUOUS_FRAMING = "ambiguous_framing", BAD_REQUEST, Client, Some("http_request_error"),
        "The length of the request is ambiguous", "Send either one Content-Length or Transfer-Encoding: chunked. Anything else is how requests are smuggled.";
    REQUEST_TIMEOUT = "request_timeout", REQUEST_TIMEOUT, Client, Some("http_request_error"),
        "The request did not arrive in time", "The client stalled while it sent the head or the body; see the listener's timeouts.";
    CONTENT_TOO_LARGE = "content_too_large", CONTENT_TOO_LARGE, Client, Some("http_request_denied"),
        "The request body is too large", "Send less, or raise the limit of the route's `limits` policy.";
    URI_TOO_LONG = "uri_too_long", URI_TOO_LONG, Client, Some("http_request_error"),
        "The request target is too long", "Shorten the URL, or raise the listener's limit.";
    EXPECTATION_FAILED = "expectation_failed", EXPECTATION_FAILED, Client, Some("http_request_error"),
        "The expectation can't be met", "100-continue is the only expectation there is (RFC 9110 §10.1.1).";
    HEAD_TOO_LARGE = "head_too_large", REQUEST_HEADER_FIELDS_TOO_LARGE, Client, Some("http_request_error"),
        "The header fields are too large", "Send fewer or shorter fields (often it is cookies), or raise the listener's limits.";
    METHOD_NOT_IMPLEMENTED = "method_not_implemented", NOT_IMPLEMENTED, Client, Some("http_request_error"),
        "The method is not implemented", "CONNECT is not: this is a gateway, not a forward proxy.";
    CODING_NOT_IMPLEMENTED = "coding_not_implemented", NOT_IMPLEMENTED, Client, Some("http_request_error"),
        "The transfer coding is not implemented", "Send Transfer-Encoding: chunked and nothing else.";
    VERSION_NOT_SUPPORTED = "version_not_supported", HTTP_VERSION_NOT_SUPPORTED, Client, Some("http_request_error"),
        "The HTTP version is not supported", "Speak HTTP/1.0 or HTTP/1.1.";
    CLIENT_GONE = "client_gone", CLIENT_CLOSED_REQUEST, Client, None,
        "The client went away", "It broke the connection off before it had its answer. Nobody sees this but the log and the metrics.";
    ROUTE_NOT_FOUND = "route_not_found", NOT_FOUND, Client, Some("destination_not_found"),
        "No route matches the request", "`portcullis explain METHOD URL` tells why each route lost.";
    METHOD_NOT_ALLOWED = "method_not_allowed", METHOD_NOT_ALLOWED, Client, Some("http_request_denied"),
        "The method is not allowed here", "The Allow field lists the methods that are.";
    RESOURCE_NOT_FOUND = "resource_not_found", NOT_FOUND, Client, None,
        "There is no such resource", "A table, row or file that the URL names does not exist.";
    BAD_QUERY = "bad_query", BAD_REQUEST, Client, None,
        "The query can't be understood", "The detail names the parameter.";
    BAD_CONTENT = "bad_content", BAD_REQUEST, Client, None,
        "The content can't be understood", "The detail says where.";
    UNSUPPORTED_CONTENT_TYPE = "unsupported_content_type", UNSUPPORTED_MEDIA_TYPE, Client, None,
        "The content type is not supported", "The detail names the types that are.";
    INVALID_CONTENT = "invalid_content", UNPROCESSABLE_CONTENT, Client, None,
        "The content breaks a rule of the data", "The detail names the rule: a value that may not be missing, a check, a type.";
    INVALID_PARAMETERS = "invalid_parameters", BAD_REQUEST, Client, None,
        "A parameter is missing or wrong", "`errors` lists what is wrong with parameters of the path, the query, the fields or the cookies.";
    RESPONSE_INVALID = "response_invalid", BAD_GATEWAY, Upstream, Some("http_protocol_error"),
        "The service's answer breaks its contract", "It is not what the route's `openapi` document says, so it isn't handed on. The log says what is wrong with it.";
    CONFLICT = "conflict", CONFLICT, Client, None,
        "The change conflicts with the data", "A unique value exists already, or a row is still referred to.";
    PRECONDITION_FAILED = "precondition_failed", PRECONDITION_FAILED, Client, None,
        "A precondition failed", "The resource is not in the state that If-Match or If-Unmodified-Since asked for.";
    RANGE_NOT_SATISFIABLE = "range_not_satisfiable", RANGE_NOT_SATISFIABLE, Client, None,
        "The range can't be satisfied", "Content-Range tells how long the resource is.";
    TOO_EARLY = "too_early", TOO_EARLY, Client, None,
        "The request came too early", "It arrived in early data, which somebody might have recorded and sent again, and would change something. Browsers repeat it by themselves, without early data (RFC 8470).";
    RATE_LIMITED = "rate_limited", TOO_MANY_REQUESTS, Policy, Some("http_request_denied"),
        "Too many requests", "Wait for as long as Retry-After says.";
    QUOTA_EXHAUSTED = "quota_exhausted", TOO_MANY_REQUESTS, Policy, Some("http_request_denied"),
        "The quota is used up", "Wait for the next period, which begins when Retry-After says, or raise the route's `quota`.";
    TOO_MANY_IN_PROGRESS = "too_many_in_progress", TOO_MANY_REQUESTS, Policy, Some("http_request_denied"),
        "Too many requests at a time", "Wait for answers before asking more, or raise the limit of the route's `concurrency` policy.";
    UNAUTHENTICATED = "unauthenticated", UNAUTHORIZED, Policy, Some("http_request_denied"),
        "Authentication is needed", "Send valid credentials, as WWW-Authenticate asks.";
    FORBIDDEN = "forbidden", FORBIDDEN, Policy, Some("http_request_denied"),
        "This is not allowed", "The client is known, and what it asks for is not for it; see the route's `authorize`, `ip` and the like. The log has the reason.";
    BANNED = "banned", FORBIDDEN, Policy, Some("http_request_denied"),
        "Nothing is answered to this address for now", "It offended too often, or an operator banned it; `GET /bans` on the admin listener tells for how long, `DELETE /bans?network=…` lifts it.";
    GUARD_UNAVAILABLE = "guard_unavailable", SERVICE_UNAVAILABLE, Gate, Some("http_request_denied"),
        "It can't be found out whether this is allowed", "What guards the route depends on something that is away: keys, a service that is asked, a store. The log has the cause. Until it is back nobody is let in.";
    REQUEST_BLOCKED = "request_blocked", FORBIDDEN, Policy, Some("http_request_denied"),
        "The request was refused", "The route's `inspect` policy found what looks like an attack, in the request or in its answer. The log has the rule; for an honest request, `exclude` the rule, as narrowly as it can be.";
    REQUEST_FORGED = "request_forged", FORBIDDEN, Policy, Some("http_request_denied"),
        "The request may have been made by another page", "It carries a credential that browsers send by themselves, and does not come from this origin. Let the page's origin be trusted in the route's `csrf` policy; a program other than a browser sends no cookies, or an `Origin`.";
    IDEMPOTENCY_KEY_MISSING = "idempotency_key_missing", BAD_REQUEST, Client, Some("http_request_denied"),
        "The Idempotency-Key is missing", "Send the field Idempotency-Key with a value of its own for each request, such as a UUID in double quotes.";
    IDEMPOTENCY_KEY_INVALID = "idempotency_key_invalid", BAD_REQUEST, Client, Some("http_request_denied"),
        "The Idempotency-Key is malformed", "It is a string of Structured Fields (RFC 9651): a text in double quotes, such as a UUID.";
    IDEMPOTENCY_KEY_REUSED = "idempotency_key_reused", UNPROCESSABLE_CONTENT, Client, Some("http_request_denied"),
        "The Idempotency-Key is already used", "Another request had it. A request that is sent again is the same to the last byte; a new one needs a new key.";
    IDEMPOTENCY_IN_PROGRESS = "idempotency_in_progress", CONFLICT, Client, Some("http_request_denied"),
        "A request is outstanding for this Idempotency-Key", "Wait until the first request is answered, and ask again.";
    IDEMPOTENCY_OUTCOME_UNKNOWN = "idempotency_outcome_unknown", CONFLICT, Client, Some("http_request_denied"),
        "It is not known what became of the request with this Idempotency-Key", "The first one got no answer: the gate or the backend failed while it was done. Find out whether it took place; to have it done once more, send it with a new key.";
    IDEMPOTENCY_NOT_KEPT = "idempotency_not_kept", CONFLICT, Client, Some("http_request_denied"),
        "The answer to this Idempotency-Key can't be repeated", "The first request was answered, by more than the route's `idempotency` keeps; see `response`. The detail has its status.";
    PAYLOAD_REFUSED = "payload_refused", UNPROCESSABLE_CONTENT, Policy, Some("http_request_denied"),
        "The content is made of more than is allowed", "The detail names the limit of the route's `payload` policy and the place; send less, or raise the limit.";
    GRAPHQL_REFUSED = "graphql_refused", UNPROCESSABLE_CONTENT, Policy, Some("http_request_denied"),
        "The GraphQL request asks for too much", "The detail names the limit of the route's `graphql` policy; ask for less at a time, or raise the limit.";
    GRAPHQL_NOT_ALLOWED = "graphql_not_allowed", FORBIDDEN, Policy, Some("http_request_denied"),
        "The GraphQL operation is not allowed", "The route's `graphql` policy says which kinds of operations, names and documents are, and whether the schema may be asked for.";
    ORIGIN_FORBIDDEN = "origin_forbidden", FORBIDDEN, Policy, Some("http_request_denied"),
        "The origin is not allowed", "List the origin in the route's `cors` policy.";
    UPSTREAM_REFUSED = "upstream_refused", BAD_GATEWAY, Upstream, Some("connection_refused"),
        "The service can't be reached", "No connection could be made; the log names target and cause.";
    UPSTREAM_TLS = "upstream_tls", BAD_GATEWAY, Upstream, Some("tls_protocol_error"),
        "The service can't be reached safely", "The TLS handshake with the target failed; the log says why. Its certificate is verified always.";
    UPSTREAM_DNS = "upstream_dns", BAD_GATEWAY, Upstream, Some("dns_error"),
        "The service can't be found", "The name of the target does not resolve.";
    UPSTREAM_CLOSED = "upstream_closed", BAD_GATEWAY, Upstream, Some("connection_terminated"),
        "The service closed the connection", "It ended before a whole response was there; the log has the cause.";
    UPSTREAM_INVALID = "upstream_invalid", BAD_GATEWAY, Upstream, Some("http_protocol_error"),
        "The service gave an invalid response", "What came is not HTTP, or is framed ambiguously; the log has the cause.";
    RESPONSE_WITHHELD = "response_withheld", BAD_GATEWAY, Upstream, Some("http_protocol_error"),
        "The service's answer may not leave", "The route's `reveal` policy could not look at it, or it is too large; the log says which.";
    UPSTREAM_CONNECT_TIMEOUT = "upstream_connect_timeout", GATEWAY_TIMEOUT, Upstream, Some("connection_timeout"),
        "The service did not accept a connection in time", "See the service's `timeout.connect`.";
    UPSTREAM_TIMEOUT = "upstream_timeout", GATEWAY_TIMEOUT, Upstream, Some("http_response_timeout"),
        "The service did not answer in time", "See the service's `timeout.first_byte` and `timeout.request`.";
    UPSTREAM_BUSY = "upstream_busy", SERVICE_UNAVAILABLE, Upstream, Some("connection_limit_reached"),
        "The service is at its limit", "All connections that `max_connections` allows are in use.";
    UPSTREAM_UNAVAILABLE = "upstream_unavailable", SERVICE_UNAVAILABLE, Upstream, Some("destination_unavailable"),
        "The service has no target that may be asked", "All are being drained, or none was found; `GET /services` on the admin listener tells why.";
    CIRCUIT_OPEN = "circuit_open", SERVICE_UNAVAILABLE, Upstream, Some("destination_unavailable"),
        "The service is left alone for a while", "Too much of what it was sent failed; see its `circuit_breaker`. Retry-After tells when it is tried again.";
    UPSTREAM_OVERLOADED = "upstream_overloaded", SERVICE_UNAVAILABLE, Upstream, Some("connection_limit_reached"),
        "The service has enough to do", "More requests would wait for each other: its answers take longer than they did. See its `adaptive_concurrency`.";
    UPGRADE_NOT_OFFERED = "upgrade_not_offered", NOT_IMPLEMENTED, Upstream, Some("http_protocol_error"),
        "The service can't switch protocols", "It speaks HTTP/2 and offers no extended CONNECT (RFC 8441). For WebSocket, route to a service with `protocol: auto` or `http1`.";
    PRECONDITION_REQUIRED = "precondition_required", PRECONDITION_REQUIRED, Client, None,
        "The change needs a precondition", "The route wants `If-Match` with the row's ETag, so that nobody's change is lost: read the row first.";
    TOO_MANY_ROWS = "too_many_rows", BAD_REQUEST, Client, None,
        "The change would touch too many rows", "The route limits the rows of one change (`max_affected`). Nothing was changed; say more exactly which rows are meant.";
    UNINDEXED_QUERY = "unindexed_query", BAD_REQUEST, Client, None,
        "No index helps this query", "It would read a large table from end to end, which the route refuses (`reject_full_scan`). The detail names columns that have an index.";
    TRANSACTION_CONFLICT = "transaction_conflict", CONFLICT, Upstream, None,
        "Other transactions were faster", "The database could not order the change among others at the same time, several times over. Nothing was changed; ask again.";
    NOT_ACCEPTABLE = "not_acceptable", NOT_ACCEPTABLE, Client, None,
        "No form of the answer is acceptable", "`Accept` names no form that the resource has, or asks for one object where there is another number of rows.";
    DATABASE_BUSY = "database_busy", SERVICE_UNAVAILABLE, Upstream, None,
        "The database is busy", "It is locked, or its queue is full. Nothing was changed; ask again.";
    DATABASE_TIMEOUT = "database_timeout", GATEWAY_TIMEOUT, Upstream, None,
        "The database did not answer in time", "The statement was stopped at its time limit. Nothing was changed.";
    DATABASE_FULL = "database_full", SERVICE_UNAVAILABLE, Upstream, None,
        "The database can't store more", "The disk is full or the file is read-only. Nothing was changed.";
    DATABASE_FAILED = "database_failed", INTERNAL_SERVER_ERROR, Upstream, None,
        "The database failed", "The log has the cause.";
    FILE_FAILED = "file_failed", INTERNAL_SERVER_ERROR, Upstream, None,
        "The file can't be read", "The log has the cause.";
    OVERLOADED = "overloaded", SERVICE_UNAVAILABLE, Gate, Some("connection_limit_reached"),
        "The gate is at its limit", "A limit of the gate itself was reached: connections, descriptors, queued work, or what `overload` says.";
    CONFIGURATION_RETIRED = "configuration_retired", SERVICE_UNAVAILABLE, Gate, Some("http_request_error"),
        "The request outlived its configuration", "It began under a configuration that a reload replaced longer ago than `max_age`. Begin anew; where such requests are wanted for longer, raise `max_age`.";
    INTERNAL = "internal", INTERNAL_SERVER_ERROR, Gate, Some("proxy_internal_error"),
        "The gate failed", "This is a bug; the log has the cause.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_words() {
        let mut names: Vec<_> = ALL.iter().map(|code| code.name).collect();
        assert!(
            names
                .iter()
                .all(|name| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'))
        );
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ALL.len());
    }
}
