//! Every default, each with its reason.

use std::path::PathBuf;
use std::time;

use crate::listener::{Hsts, Http3, ListenerLimits, ListenerProtocol, ListenerTimeouts};
use crate::policy::compress::{CompressLevel, Encoding};
use crate::policy::forward::ForwardFact;
use crate::policy::graphql::{Cost, GraphQl, OperationKind};
use crate::policy::mode::Mode;
use crate::policy::payload::{Decompress, Duplicates, JsonLimits, XmlLimits};
use crate::policy::rate_limit::RateLimitKey;
use crate::policy::validate::Unknown;
use crate::route::rollout::Judge;
use crate::service::{
    AdaptiveConcurrency, CircuitBreaker, Health, HealthKind, HealthMethod, KeepAlive, MaxPending, Outlier, Retry,
    RetryBudget, RetryOn, ServiceTimeout, StatusRange,
};
use crate::units::{ByteSize, Duration, Percent};

/// How long requests in progress may go on after SIGTERM: 30 s, the grace that Kubernetes gives a pod before it kills it.
pub fn drain() -> Duration {
    Duration::seconds(30)
}

/// How long requests may go on under a configuration that was replaced: a day. Whoever changes routes, keys or certificates
/// can count on the change being true everywhere by the next day, and clients of streams must be able to begin anew anyway.
pub fn max_age() -> Duration {
    Duration::seconds(86_400)
}

/// Which share of the requests is mirrored: all. Who mirrors wants to see how the service does under the load that there is.
pub fn mirror_percent() -> Percent {
    Percent::whole(100)
}

/// Bytes of a body that is mirrored: 64 KiB, more than calls of an API have, and 6 MiB for all copies that a worker may have.
pub fn mirror_body() -> ByteSize {
    ByteSize::kib(64)
}

/// How long a mirror may take: 5 s. Who waits for nobody's sake for longer only takes connections.
pub fn mirror_timeout() -> Duration {
    Duration::seconds(5)
}

/// The steps of a roll-out: one request of twenty shows most of what is bad, and three quarters of the clients never see it.
pub fn rollout_steps() -> Vec<Percent> {
    [5, 25, 50, 100].map(Percent::whole).to_vec()
}

/// How long a step of a roll-out takes: a minute, in which caches fill, and whoever rolled out still looks.
pub fn rollout_every() -> Duration {
    Duration::seconds(60)
}

/// What a new version is judged by.
pub fn rollout_judge() -> Judge {
    Judge {
        // One failure more of a hundred requests is what people notice.
        errors: Percent::whole(1),
        // A new version may have cold caches, and a difference that matters is larger than that.
        latency: Percent::whole(150),
        // Of fewer a 95th percentile says little.
        min_requests: 100,
    }
}

/// The protocols of a listener: all, for a client takes the best that it can.
pub fn listener_protocols() -> Vec<ListenerProtocol> {
    vec![
        ListenerProtocol::Http1,
        ListenerProtocol::Http2,
        ListenerProtocol::Http3,
    ]
}

/// How HTTP/3 is spoken.
pub fn http3() -> Http3 {
    Http3 {
        advertised_port: None,
        // A session resumes once, so what somebody records is worth nothing to him; and it saves a round trip.
        early_data: true,
    }
}

/// The limits of a listener.
pub fn listener_limits() -> ListenerLimits {
    ListenerLimits {
        // Browsers and proxies rarely send more than 16 KiB; twice that leaves room for large cookies and tokens.
        head: ByteSize::kib(32),
        // RFC 9112, section 3 asks for at least 8000 bytes.
        target: ByteSize::kib(8),
        // What Apache and nginx users are used to; a request with more is an attack or a mistake.
        fields: 100,
        // With a few KiB for each connection, a small machine survives this many idle ones.
        connections: 20_000,
        // Behind one address there may be a whole office: who is under attack says how many it may have.
        connections_per_client: None,
        new_connections_per_client: None,
        // RFC 9113, section 6.5.2 advises no less than 100; what a page or a busy client needs at a time, and no more than
        // one connection should be able to ask of the backends.
        streams: 128,
    }
}

/// The timeouts of a listener.
pub fn listener_timeouts() -> ListenerTimeouts {
    ListenerTimeouts {
        // A head is a packet or two: 10 s forgive a lost one on a bad line and starve a slow-loris.
        head: Duration::seconds(10),
        // A phone may lose its network for a while in the middle of an upload.
        body: Duration::seconds(30),
        // Longer than the 60 s after which the usual load balancers and browsers let go, so that the client closes first
        // and no request meets a connection that is closing.
        idle: Duration::seconds(75),
        // As for the body, the other way round.
        write: Duration::seconds(30),
    }
}

/// The timeouts of a service.
pub fn service_timeout() -> ServiceTimeout {
    ServiceTimeout {
        // Within a data centre a connection takes a millisecond; a second allows for one lost SYN.
        connect: Duration::seconds(1),
        // After this long most people have gone.
        first_byte: Duration::seconds(30),
        // Downloads and streams may rightly take long.
        request: None,
        // A stream that says nothing for so long is dead, unless its owner knows better.
        idle: Duration::seconds(30),
        // There is no standard for it, so nobody is told unasked.
        header: None,
    }
}

/// When a request is sent again.
pub fn retry() -> Retry {
    Retry {
        // Two of three targets may be gone, and a request still finds the third.
        attempts: 2,
        // What says that the target, and not the request, is the trouble. Statuses are the application's own words.
        on: vec![RetryOn::Connect, RetryOn::Reset, RetryOn::Timeout],
        codes: Vec::new(),
        grpc: Vec::new(),
        methods: Vec::new(),
        per_try_timeout: None,
        // Long enough for a process to be replaced, short enough for nobody to notice.
        backoff: Duration::millis(25),
        // Most requests of programs are smaller; a thousand of them at a time take 64 MiB at the most.
        body: ByteSize::kib(64),
        budget: retry_budget(),
    }
}

/// How many retries a service may cause: the figures of Finagle and Linkerd.
pub fn retry_budget() -> RetryBudget {
    RetryBudget {
        percent: Percent::whole(20),
        // A service with few requests may still retry some.
        min_rate: 10,
        interval: Duration::seconds(10),
    }
}

/// How many attempts beside the first.
pub const fn hedges() -> u32 {
    1
}

/// Requests that wait for a target: none, for whoever waits here could be told at once.
pub fn max_pending() -> MaxPending {
    MaxPending {
        requests: 0,
        // Longer than a second hardly anybody waits for a page.
        timeout: Duration::seconds(1),
    }
}

/// Targets have their whole share at once: most servers need no warming up.
pub fn slow_start() -> Duration {
    Duration::seconds(0)
}

/// When unhealthy targets are used too: below half. It is rarely true that most servers fail at once and the rest can bear
/// the load of all.
pub fn panic_threshold() -> Percent {
    Percent::whole(50)
}

/// The weight of a target: that of every other.
pub const fn weight() -> u32 {
    1
}

/// Checks of targets.
pub fn health() -> Health {
    Health {
        // The one path of which every server knows something.
        path: "/".to_owned(),
        kind: HealthKind::Http,
        // A target that dies is found in about three seconds, for one small request in two.
        every: Duration::seconds(2),
        // What takes a second to say that it is well is not.
        timeout: Duration::seconds(1),
        // One that passes and fails by turns shouldn't come and go.
        healthy: 2,
        // A lost packet or a pause of its runtime is forgiven.
        unhealthy: 3,
        status: vec![StatusRange::new(200, 299)],
        body: None,
        method: HealthMethod::Get,
        port: None,
        host: None,
        grpc_service: None,
    }
}

/// When a target is left alone for what requests met.
pub fn outlier() -> Outlier {
    Outlier {
        off: false,
        // A server that fails now and then doesn't fail five times in a row; one that is gone does within milliseconds.
        consecutive: 5,
        // What share is too large depends on what clients ask for, and so does what is too slow.
        error_rate: None,
        latency: None,
        // With fewer, a share says little.
        min_requests: 20,
        interval: Duration::seconds(10),
        // As long as a process takes to start again, and not so long that its absence is felt.
        eject: Duration::seconds(30),
        max_eject: Duration::seconds(300),
        // The other half has to carry all: beyond it the cure is worse.
        max_ejected: Percent::whole(50),
    }
}

/// When a service is left alone as a whole.
pub fn circuit_breaker() -> CircuitBreaker {
    CircuitBreaker {
        // Below that, retries and the ejection of targets help more than silence.
        errors: Percent::whole(50),
        // With fewer, a share says little.
        min_requests: 20,
        window: Duration::seconds(10),
        // Long enough for a breath, and nobody notices the end of an outage much later.
        open: Duration::seconds(5),
        probes: 3,
    }
}

/// The bounds of a limit that follows latency: what even small services can take, and what `max_connections` allows each target.
pub fn adaptive_concurrency() -> AdaptiveConcurrency {
    AdaptiveConcurrency { min: 10, max: 1000 }
}

/// The connections that are kept open to each target by each worker.
pub fn keep_alive() -> KeepAlive {
    KeepAlive {
        // Enough for steady traffic without opening connections, and a bounded number of sockets at the target.
        connections: 128,
        // Most servers close idle connections after 60 s or more; a connection that was closed meanwhile costs a retry.
        idle: Duration::seconds(60),
    }
}

/// The authority of certificates: Let's Encrypt, which issues to everybody for nothing.
pub fn acme_directory() -> String {
    "https://acme-v02.api.letsencrypt.org/directory".to_owned()
}

/// Where accounts and certificates are kept: `acme` beside the configuration file, so that both are found together.
pub fn acme_storage() -> PathBuf {
    PathBuf::from("acme")
}

/// Connections to a target at a time: 1024, the number of workers at which most application servers stop being useful.
pub fn max_connections() -> u32 {
    1024
}

/// How long a statement may run: 5 s. Whatever takes longer needs an index, not patience.
pub fn statement_timeout() -> Duration {
    Duration::seconds(5)
}

/// How long a write waits for another process's lock: 5 s, as long as a statement may run.
pub fn busy_timeout() -> Duration {
    Duration::seconds(5)
}

/// Statements that may wait for a connection: 1024, about as many as are answered within the statement timeout.
pub fn database_queue() -> u32 {
    1024
}

/// What a table knows.
pub(crate) const TABLE_METHODS: &[&str] = &["GET", "HEAD", "OPTIONS", "POST", "PATCH", "DELETE"];

/// The methods of a table: all that the resource knows. What must not change is said by `methods: [GET]`.
pub fn table_methods() -> Vec<String> {
    texts(TABLE_METHODS)
}

/// Rows in one answer: 1000, so that nobody reads a whole table by leaving out `limit`.
pub fn max_rows() -> u32 {
    1000
}

/// Rows that one PATCH or DELETE may touch: 1000, so that a forgotten filter does bounded harm.
pub fn max_affected() -> u32 {
    1000
}

/// Bytes of a body for a table: 1 MiB holds thousands of rows and is safe to hold in memory.
pub fn table_body() -> ByteSize {
    ByteSize::mib(1)
}

/// The file that answers for a folder: `index.html`, as everywhere.
pub fn index_file() -> String {
    "index.html".to_owned()
}

/// The status of a fixed answer: 200.
pub fn respond_status() -> u16 {
    200
}

/// The type of a fixed answer: plain text, which a browser never runs.
pub fn respond_content_type() -> String {
    "text/plain; charset=utf-8".to_owned()
}

/// The status of a redirection: 308, which keeps the method and the body (RFC 9110, section 15.4.9).
pub fn redirect_status() -> u16 {
    308
}

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

fn texts(list: &[&str]) -> Vec<String> {
    list.iter().map(|text| (*text).to_owned()).collect()
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

/// Many times what a server nearby takes, and not so long that anybody would notice.
pub fn soft_store_deadline() -> Duration {
    Duration::millis(50)
}

/// A gate by itself goes on with all of what a limit allows.
pub fn soft_store_nodes() -> u16 {
    1
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

/// How long an address is banned the first time: ten minutes, as fail2ban does, which ends most guessing and spares a person who
/// forgot a password.
pub fn ban() -> Duration {
    Duration::seconds(600)
}

/// The longest ban: a day, for addresses change hands.
pub fn longest_ban() -> Duration {
    Duration::seconds(86_400)
}

/// How long a tarpit holds a request: ten seconds, longer than scanners like to wait.
pub fn tarpit() -> Duration {
    Duration::seconds(10)
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
