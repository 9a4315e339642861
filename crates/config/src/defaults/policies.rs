//! The defaults of policies, each with its reason.

use std::time;

use crate::defaults::texts;
use crate::listener::Hsts;
use crate::policy::compress::{CompressLevel, Encoding};
use crate::policy::forward::ForwardFact;
use crate::policy::graphql::{Cost, GraphQl, OperationKind};
use crate::policy::mode::Mode;
use crate::policy::payload::{Decompress, Duplicates, JsonLimits, XmlLimits};
use crate::policy::rate_limit::RateLimitKey;
use crate::policy::validate::Unknown;
use crate::units::{ByteSize, Duration};

/// The methods that pages of other origins may use: those of a REST resource. GET, HEAD and POST need no permission.
pub fn cors_methods() -> Vec<String> {
    texts(&["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"])
}

/// The header fields that pages of other origins may send: what a JSON client with a token needs.
pub fn cors_headers() -> Vec<String> {
    texts(&["Accept", "Authorization", "Content-Type"])
}

/// How long a browser may remember: 10 min. Chromium caps it at two hours, and a mistake should not outlive a coffee.
pub fn cors_max_age() -> Duration {
    Duration(time::Duration::from_secs(600))
}

/// The encodings of responses: the cheapest one first, then the smallest, then the one that everybody knows.
pub fn compress_encodings() -> Vec<Encoding> {
    vec![Encoding::Zstd, Encoding::Br, Encoding::Gzip]
}

/// What is worth compressing: 1 KiB. Less fits into the first packet either way.
pub fn compress_min_size() -> ByteSize {
    ByteSize::kib(1)
}

/// The types that are worth compressing: text of all kinds, and fonts and images that aren't compressed in themselves.
pub fn compress_types() -> Vec<String> {
    texts(&[
        "text/*",
        "*+json",
        "*+xml",
        "*+text",
        "application/json",
        "application/x-ndjson",
        "application/json-seq",
        "application/xml",
        "application/javascript",
        "application/yaml",
        "application/x-yaml",
        "application/toml",
        "application/sql",
        "application/graphql",
        "application/wasm",
        "application/rtf",
        "application/x-www-form-urlencoded",
        "application/vnd.ms-fontobject",
        "font/ttf",
        "font/otf",
        "image/bmp",
        "image/x-icon",
        "image/vnd.microsoft.icon",
    ])
}

/// How hard each encoding tries: as far as the time for each further byte saved is well spent on what is sent once.
pub fn compress_level() -> CompressLevel {
    CompressLevel {
        zstd: 3,
        br: 4,
        gzip: 5,
    }
}

/// Memory of the compressors of a worker: 256 MiB are 128 streams at a time, more than a core can feed.
pub fn compress_memory() -> ByteSize {
    ByteSize::mib(256)
}

/// The methods whose repetition does harm (RFC 9110 §9.2.2): those that clients make and change things with.
pub fn idempotency_methods() -> Vec<String> {
    texts(&["POST", "PATCH"])
}

/// How long an answer is kept for those who ask again: a day, as payment services do; who retries for longer has given up.
pub fn idempotency_ttl() -> Duration {
    Duration::seconds(86_400)
}

/// How long a request may take: 5 min. Few take longer, and whoever waits for a gate that died can ask again by then.
pub fn idempotency_lease() -> Duration {
    Duration::seconds(300)
}

/// Bytes of a request that is read before it goes on: 1 MiB, far more than orders and payments have.
pub fn idempotency_body() -> ByteSize {
    ByteSize::mib(1)
}

/// Bytes of an answer that is kept: 1 MiB. Answers to what changes something are small; this bounds what a client can fill.
pub fn idempotency_response() -> ByteSize {
    ByteSize::mib(1)
}

/// What a browser calls the place that asks for a password, where the file does not say.
pub fn basic_realm() -> String {
    "restricted".to_owned()
}

/// How long a verified password is known again: five minutes, in which a person has done what a page needs, and after which a
/// password that was taken back is of no use.
pub fn basic_remember() -> Duration {
    Duration::seconds(300)
}

/// Where a service is asked who may enter: at its root, as services made for nothing else expect it.
pub fn forward_path() -> String {
    "/".to_owned()
}

/// What a service is shown of a request that it is asked about: where credentials are.
pub fn forward_request_headers() -> Vec<String> {
    texts(&["Authorization", "Cookie"])
}

/// How long a service that is asked about each request may take: 5 s, since whoever waits longer has gone.
pub fn forward_timeout() -> Duration {
    Duration::seconds(5)
}

/// What makes a question to a service another one: all that it is told, so that an answer is never taken for another's.
pub fn forward_cache_by() -> Vec<ForwardFact> {
    vec![
        ForwardFact::Method,
        ForwardFact::Host,
        ForwardFact::Uri,
        ForwardFact::Client,
    ]
}

/// Where issuers have their introspection endpoint, as RFC 7662 writes it in its examples.
pub fn introspect_path() -> String {
    "/introspect".to_owned()
}

/// How long an issuer may take: 5 s, as for any question that holds a request up.
pub fn introspect_timeout() -> Duration {
    Duration::seconds(5)
}

/// How long an active token stays one: a minute, in which a client with a token asks many times, and for which a token that
/// was taken back may still be of use.
pub fn introspect_cache() -> Duration {
    Duration::seconds(60)
}

/// How long a token that is no good stays so: 5 s keep a client that repeats itself from the issuer, and a token that is
/// only just being made known is not locked out for long.
pub fn introspect_cache_refused() -> Duration {
    Duration::seconds(5)
}

/// Where a token lists what it is good for (RFC 7662 §2.2, RFC 8693 §4.2).
pub fn scopes_claim() -> String {
    "scope".to_owned()
}

/// From where a page may load what: from its own origin alone, without scripts in the page itself; and no other site may frame it.
/// Pages that need more say so.
pub fn content_security_policy() -> String {
    "default-src 'self'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'; object-src 'none'".to_owned()
}

/// What pages may use of a device: nothing of what would ask a person.
pub fn permissions_policy() -> String {
    "camera=(), geolocation=(), microphone=(), payment=(), usb=()".to_owned()
}

/// For how long browsers speak HTTPS only to a host that was reached by it: a year, without names below it, which others may run.
pub fn hsts() -> Hsts {
    Hsts {
        max_age: Duration::seconds(365 * 86_400),
        include_subdomains: false,
        preload: false,
    }
}

/// How far an issuer's clock may differ from ours: half a minute, which is more than clocks that are kept by NTP ever do, and
/// little beside the minutes that a token lives.
pub fn jwt_leeway() -> Duration {
    Duration::seconds(30)
}

/// What a token may say that it is: a plain one, or one for access (RFC 9068). One for a log-out or a proof is neither.
pub fn jwt_types() -> Vec<String> {
    texts(&["JWT", "at+jwt"])
}

/// Who a token is about (RFC 7519 §4.1.2).
pub fn jwt_name_claim() -> String {
    "sub".to_owned()
}

/// How often keys of tokens are fetched where nobody says: ten minutes, after which a key that was taken back is of no use.
pub fn jwt_refresh() -> Duration {
    Duration::seconds(600)
}

/// How long keys of tokens are good without being fetched again: a day, in which somebody has noticed.
pub fn jwt_max_stale() -> Duration {
    Duration::seconds(86_400)
}

/// What a signature covers at the least: whatever decides where a request goes and what it does there.
pub fn hmac_covered() -> Vec<String> {
    ["@method", "@authority", "@path", "@query"].map(str::to_owned).into()
}

/// How old a signature may be: five minutes, enough for slow networks and clocks that nobody tends.
pub fn hmac_max_age() -> Duration {
    Duration::seconds(300)
}

/// How far ahead a signer's clock may be: half a minute, more than clocks that are set by a network differ.
pub fn hmac_leeway() -> Duration {
    Duration::seconds(30)
}

/// Bytes of a signed body: a mebibyte, more than calls of an API have.
pub fn hmac_body() -> ByteSize {
    ByteSize::mib(1)
}

/// Bytes of a body that is looked at for attacks: what the Core Rule Set's people take for enough, and some milliseconds of work.
pub fn inspected_body() -> ByteSize {
    ByteSize::kib(128)
}

/// Bytes of a body that is held against a schema: a mebibyte, more than calls of an API have.
pub fn validated_body() -> ByteSize {
    ByteSize::mib(1)
}

/// Where a provider sends people back: a path that no service is likely to have.
pub fn oidc_callback() -> String {
    "/.oidc/callback".to_owned()
}

/// Where people log out, beside the path to which they are sent back.
pub fn oidc_logout() -> String {
    "/.oidc/logout".to_owned()
}

/// Where people come after they logged out: the first page.
pub fn oidc_after_logout() -> String {
    "/".to_owned()
}

/// The name of a session's cookie.
pub fn oidc_cookie() -> String {
    "portcullis-session".to_owned()
}

/// How long a session lasts: 8 h, a day of work. A cookie that was stolen is of no use on the next.
pub fn oidc_lifetime() -> Duration {
    Duration::seconds(8 * 3600)
}

/// How long a session lasts that nobody uses: an hour, as for a screen that nobody sits before.
pub fn oidc_idle() -> Duration {
    Duration::seconds(3600)
}

/// The claim that names a person: the one that every provider gives and never changes.
pub fn oidc_name_claim() -> String {
    "sub".to_owned()
}

/// Who opens many at a time is a client; what a service can take together is `by: route`.
pub fn concurrency_by() -> Vec<RateLimitKey> {
    vec![RateLimitKey::ClientIp]
}

/// A second: whoever waits longer would rather be told.
pub fn concurrency_wait() -> Duration {
    Duration::seconds(1)
}

/// Header fields that tell what a backend runs on, which is where an attacker begins.
pub fn reveal_headers() -> Vec<String> {
    let names = [
        "Server",
        "X-Powered-By",
        "X-AspNet-Version",
        "X-AspNetMvc-Version",
        "X-Runtime",
        "X-Generator",
    ];
    names.map(str::to_owned).into()
}

/// The largest response whose content is looked at: a mebibyte, for it is held in memory.
pub fn reveal_inspected() -> ByteSize {
    ByteSize::mib(1)
}

/// What a description doesn't have is refused: it is there to say all that an API has.
pub fn unknown_paths() -> Unknown {
    Unknown::Refuse
}

/// How far content may grow: ten mebibytes hold what a mebibyte of honest text becomes, and text grows by less than a hundred times,
/// while bombs grow by a thousand and more.
pub fn decompress() -> Decompress {
    Decompress {
        enabled: true,
        max: ByteSize::mib(10),
        ratio: 100,
    }
}

/// What JSON may be made of: some times what calls of an API have, and a few milliseconds of work for slow programs.
pub fn json_limits() -> JsonLimits {
    JsonLimits {
        enabled: true,
        depth: 32,
        keys: 1000,
        values: 10_000,
        string: ByteSize::kib(64),
        key: 256,
        number: 64,
        duplicates: Duplicates::Refuse,
    }
}

/// What XML may be made of: as for JSON, with attributes that people still write.
pub fn xml_limits() -> XmlLimits {
    XmlLimits {
        enabled: true,
        depth: 32,
        elements: 10_000,
        attributes: 64,
        text: ByteSize::kib(64),
        name: 256,
    }
}

/// What GraphQL may ask for: what pages of applications need some times over. Introspection as tools ask for it is 15 deep.
pub fn graphql() -> GraphQl {
    GraphQl {
        depth: 15,
        cost: graphql_cost(),
        aliases: 30,
        directives: 50,
        root_fields: 20,
        kinds: vec![OperationKind::Query, OperationKind::Mutation],
        operations: 10,
        batch: 0,
        introspection: false,
        names: Vec::new(),
        hashes: Vec::new(),
        persisted: false,
        websocket: false,
        tokens: 10_000,
        max_body: validated_body(),
        mode: Mode::default(),
    }
}

/// What GraphQL may cost: a list of a hundred with a list of ten in each, and some fields of each item.
pub fn graphql_cost() -> Cost {
    Cost {
        max: 10_000,
        arguments: ["first", "last", "limit"].map(str::to_owned).into(),
        default: 100,
    }
}

/// The field in which a page shows its token, as most libraries for pages write it.
pub fn csrf_header() -> String {
    "X-CSRF-Token".to_owned()
}

/// The name of the cookie from which a page reads its token.
pub fn csrf_cookie() -> String {
    "portcullis-csrf".to_owned()
}
