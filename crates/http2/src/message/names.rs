use http::HeaderName;
use http::header;
use portcullis_core::Known;

/// The name as HTTP/2 and HTTP/3 write it: in small letters. Costs no search and no memory for a well-known one. Nothing
/// for what is no name, which a list of fields never holds.
pub(super) fn header_name(known: Option<Known>, name: &[u8]) -> Option<HeaderName> {
    match known {
        Some(known) => Some(well_known(known)),
        None => HeaderName::from_bytes(name).ok(),
    }
}

const CONSUMER: HeaderName = HeaderName::from_static("x-consumer");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const PREFER: HeaderName = HeaderName::from_static("prefer");
const PROXY_STATUS: HeaderName = HeaderName::from_static("proxy-status");
const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

fn well_known(known: Known) -> HeaderName {
    match known {
        Known::Accept => header::ACCEPT,
        Known::AcceptEncoding => header::ACCEPT_ENCODING,
        Known::AcceptRanges => header::ACCEPT_RANGES,
        Known::AccessControlRequestHeaders => header::ACCESS_CONTROL_REQUEST_HEADERS,
        Known::AccessControlRequestMethod => header::ACCESS_CONTROL_REQUEST_METHOD,
        Known::Age => header::AGE,
        Known::Allow => header::ALLOW,
        Known::Authorization => header::AUTHORIZATION,
        Known::CacheControl => header::CACHE_CONTROL,
        Known::ContentEncoding => header::CONTENT_ENCODING,
        Known::ContentLength => header::CONTENT_LENGTH,
        Known::ContentRange => header::CONTENT_RANGE,
        Known::ContentType => header::CONTENT_TYPE,
        Known::Cookie => header::COOKIE,
        Known::Date => header::DATE,
        Known::Etag => header::ETAG,
        Known::Forwarded => header::FORWARDED,
        Known::Host => header::HOST,
        Known::IfMatch => header::IF_MATCH,
        Known::IfModifiedSince => header::IF_MODIFIED_SINCE,
        Known::IfNoneMatch => header::IF_NONE_MATCH,
        Known::IfRange => header::IF_RANGE,
        Known::IfUnmodifiedSince => header::IF_UNMODIFIED_SINCE,
        Known::LastModified => header::LAST_MODIFIED,
        Known::Link => header::LINK,
        Known::Location => header::LOCATION,
        Known::Origin => header::ORIGIN,
        Known::Prefer => PREFER,
        Known::ProxyStatus => PROXY_STATUS,
        Known::Range => header::RANGE,
        Known::RateLimit => RATE_LIMIT,
        Known::RateLimitPolicy => RATE_LIMIT_POLICY,
        Known::Referer => header::REFERER,
        Known::RetryAfter => header::RETRY_AFTER,
        Known::Server => header::SERVER,
        Known::SetCookie => header::SET_COOKIE,
        Known::Te => header::TE,
        Known::Traceparent => TRACEPARENT,
        Known::Trailer => header::TRAILER,
        Known::UserAgent => header::USER_AGENT,
        Known::Vary => header::VARY,
        Known::Via => header::VIA,
        Known::WwwAuthenticate => header::WWW_AUTHENTICATE,
        Known::XConsumer => CONSUMER,
        Known::XForwardedFor => FORWARDED_FOR,
        Known::XForwardedHost => FORWARDED_HOST,
        Known::XForwardedPort => FORWARDED_PORT,
        Known::XForwardedProto => FORWARDED_PROTO,
        Known::XRequestId => REQUEST_ID,
        rare => HeaderName::from_bytes(rare.as_str().as_bytes()).expect("a well-known name is a token"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_well_known_name_is_itself() {
        for known in Known::in_set(u64::MAX) {
            let name = header_name(Some(known), b"unused").expect("it is a name");
            assert_eq!(name.as_str(), known.as_str().to_ascii_lowercase());
        }
    }
}
