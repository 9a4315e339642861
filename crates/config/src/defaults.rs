//! Every default, each with its reason.

pub mod policies;

use std::path::PathBuf;

use crate::database::Pool;
use crate::listener::{Http3, ListenerLimits, ListenerProtocol, ListenerTimeouts};
use crate::route::rollout::Judge;
use crate::route::tables::QueryLimits;
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

/// Connections to a database.
pub fn database_pool() -> Pool {
    Pool {
        max: None,
        // Whoever waits longer only adds to the crowd, and a client that is told so at once comes back.
        wait: Duration::seconds(1),
    }
}

/// Connections to a database server: 16, a few for each core that such a server usually has; more would wait for each other
/// there.
pub const DATABASE_CONNECTIONS: u32 = 16;

/// Connections that read a database of SQLite: no more than cores, and more than 4 have to wait for memory.
pub const SQLITE_CONNECTIONS: usize = 4;

/// How often a database is asked whether its tables have changed: 10 s, before anybody wonders; it costs one small question.
pub fn schema_look() -> Duration {
    Duration::seconds(10)
}

/// The claim that names a role: `role`, as PostgREST has it.
pub fn role_claim() -> String {
    "role".to_owned()
}

/// What helps whoever uses it and costs nothing.
pub const fn yes() -> bool {
    true
}

/// Limits of queries: more than people write, and little enough for a database to plan in a millisecond.
pub fn query_limits() -> QueryLimits {
    QueryLimits {
        max_depth: 8,
        max_nodes: 64,
        // The keys of a page of rows of another service.
        max_listed: 1000,
        max_value: ByteSize::kib(4),
        max_counted: 1_000_000,
        max_steps: 100,
    }
}

/// Rows that `offset` may leave out: 10,000. The database reads each of them; behind that, cursors are for.
pub fn max_offset() -> u32 {
    10_000
}

/// What a table knows.
pub(crate) const TABLE_METHODS: &[&str] = &["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"];

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

fn texts(list: &[&str]) -> Vec<String> {
    list.iter().map(|text| (*text).to_owned()).collect()
}

/// Many times what a server nearby takes, and not so long that anybody would notice.
pub fn soft_store_deadline() -> Duration {
    Duration::millis(50)
}

/// A gate by itself goes on with all of what a limit allows.
pub fn soft_store_nodes() -> u16 {
    1
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
