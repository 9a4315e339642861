//! What is compared: the cases, what loads them, and which configuration each proxy has there.

/// A job that several proxies do.
pub(super) struct Case {
    pub(super) name: &'static str,
    /// What is counted, in the singular.
    pub(super) unit: &'static str,
    /// What the server behind the proxy speaks.
    pub(super) upstream: &'static str,
    /// Where clients come.
    pub(super) port: Port,
    pub(super) variants: &'static [Variant],
    /// Our configuration, below `conformance/peers`.
    pub(super) ours: &'static str,
    pub(super) peers: &'static [Peer],
}

/// Which of a proxy's two ports.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Port {
    Clear,
    Tls,
}

/// The same job done in another way.
pub(super) struct Variant {
    /// What tells it from the others; empty where there is one.
    pub(super) name: &'static str,
    pub(super) work: Work,
}

/// What loads the proxies.
pub(super) enum Work {
    /// `portcullis bench`: a path, and its own words for everything else.
    Requests(&'static str, &'static [&'static str]),
    /// `portcullis-load`, for what the other doesn't speak: a kind of load, and what stands behind its address and its time.
    Other(&'static str, &'static [&'static str]),
}

/// Another proxy, and its configuration below `conformance/peers`, or why it can't do the job.
pub(super) struct Peer {
    pub(super) name: &'static str,
    pub(super) template: Result<&'static str, &'static str>,
}

/// Ours without policies, as a peer of ours with some.
pub(super) const BARE: &str = "bare";

const fn peer(name: &'static str, template: &'static str) -> Peer {
    Peer {
        name,
        template: Ok(template),
    }
}

const fn unable(name: &'static str, reason: &'static str) -> Peer {
    Peer {
        name,
        template: Err(reason),
    }
}

const fn other(name: &'static str, load: &'static str, rest: &'static [&'static str]) -> Variant {
    Variant {
        name,
        work: Work::Other(load, rest),
    }
}

const fn requests(name: &'static str, path: &'static str, words: &'static [&'static str]) -> Variant {
    Variant {
        name,
        work: Work::Requests(path, words),
    }
}

/// So many clients on connections that are kept, each of whom asks again when it has been answered.
const CLIENTS: &[&str] = &["--users", "64", "-c", "64"];
/// The same by TLS, with a certificate that nobody has signed.
const CLIENTS_BY_TLS: &[&str] = &["--users", "64", "-c", "64", "--insecure"];

/// Fewer connections, of sixteen requests in progress each.
const STREAMS_OF_HTTP2: &[&str] = &[
    "--protocol",
    "http2",
    "--users",
    "128",
    "-c",
    "8",
    "--streams",
    "16",
    "--insecure",
];
const STREAMS_OF_HTTP3: &[&str] = &[
    "--protocol",
    "http3",
    "--users",
    "128",
    "-c",
    "8",
    "--streams",
    "16",
    "--insecure",
];

const SMALL_AND_LARGE: &[Variant] = &[
    requests("GET, 1 KiB", "/1k", CLIENTS),
    requests("GET, 64 KiB", "/64k", CLIENTS),
    requests(
        "POST of 4 KiB, 1 KiB back",
        "/1k",
        &[
            "--users",
            "64",
            "-c",
            "64",
            "-X",
            "POST",
            "--body-file",
            "conformance/peers/bodies/4k.json",
        ],
    ),
];

const ENCRYPTED: &[Peer] = &[
    peer("nginx", "nginx.conf.template"),
    peer("haproxy", "haproxy.cfg.template"),
];

/// What inspects requests has something to look at: parameters, fields and cookies, or a body.
const INSPECTED: &[Variant] = &[
    requests(
        "GET",
        "/search?q=blue+widgets&page=2&sort=price&in_stock=true",
        &[
            "--users",
            "64",
            "-c",
            "64",
            "-H",
            "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
            "-H",
            "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
            "-H",
            "Accept-Language: en-GB,en;q=0.5",
            "-H",
            "Referer: https://gate.test/catalogue",
            "-H",
            "Cookie: session=0a1b2c3d4e5f60718293a4b5; theme=dark",
        ],
    ),
    requests(
        "POST of JSON",
        "/orders",
        &[
            "--users",
            "64",
            "-c",
            "64",
            "-X",
            "POST",
            "-H",
            "Accept: application/json",
            "-H",
            "Content-Type: application/json",
            "--body-file",
            "conformance/peers/bodies/order.json",
        ],
    ),
];

pub(super) const CASES: &[Case] = &[
    Case {
        name: "http1",
        unit: "request",
        upstream: "http1",
        port: Port::Clear,
        variants: SMALL_AND_LARGE,
        ours: "bare.yaml",
        peers: ENCRYPTED,
    },
    Case {
        name: "tls",
        unit: "request",
        upstream: "http1",
        port: Port::Tls,
        variants: &[requests("GET, 1 KiB", "/1k", CLIENTS_BY_TLS)],
        ours: "bare.yaml",
        peers: ENCRYPTED,
    },
    Case {
        name: "http2",
        unit: "request",
        upstream: "http1",
        port: Port::Tls,
        variants: &[requests("GET, 1 KiB", "/1k", STREAMS_OF_HTTP2)],
        ours: "bare.yaml",
        peers: ENCRYPTED,
    },
    Case {
        name: "guarded",
        unit: "request",
        upstream: "http1",
        port: Port::Clear,
        variants: SMALL_AND_LARGE,
        ours: "guarded.yaml",
        peers: &[peer(BARE, "bare.yaml")],
    },
    Case {
        name: "http2-upstream",
        unit: "request",
        upstream: "http2",
        port: Port::Clear,
        variants: &[requests("", "/1k", CLIENTS)],
        ours: "http2.yaml",
        peers: &[
            unable("nginx", "nginx 1.22 speaks no HTTP/2 to servers, but for gRPC"),
            peer("haproxy", "haproxy-http2.cfg.template"),
            peer("envoy", "envoy-http2.yaml.template"),
        ],
    },
    Case {
        name: "grpc",
        unit: "call",
        upstream: "http2",
        port: Port::Clear,
        variants: &[other("", "grpc", &[])],
        ours: "http2.yaml",
        peers: &[
            peer("nginx", "nginx-grpc.conf.template"),
            peer("haproxy", "haproxy-http2.cfg.template"),
            peer("envoy", "envoy-http2.yaml.template"),
        ],
    },
    Case {
        name: "handshakes",
        unit: "handshake",
        upstream: "http1",
        port: Port::Tls,
        variants: &[
            other("full, post-quantum offered", "handshakes", &["full", "default"]),
            other("full, X25519 only", "handshakes", &["full", "classical"]),
            other("resumed, post-quantum offered", "handshakes", &["resumed", "default"]),
            other("resumed, X25519 only", "handshakes", &["resumed", "classical"]),
        ],
        ours: "bare.yaml",
        peers: ENCRYPTED,
    },
    Case {
        name: "websocket",
        unit: "message and its echo",
        upstream: "http1",
        port: Port::Clear,
        variants: &[
            other("64 bytes", "websocket", &["64"]),
            other("4 KiB", "websocket", &["4096"]),
        ],
        ours: "bare.yaml",
        peers: ENCRYPTED,
    },
    Case {
        name: "http3",
        unit: "request",
        upstream: "http1",
        port: Port::Tls,
        variants: &[requests("", "/1k", STREAMS_OF_HTTP3)],
        ours: "bare.yaml",
        peers: &[
            unable("nginx", "nginx 1.22 speaks no HTTP/3"),
            unable("haproxy", "HAProxy 2.6 of Debian is built without QUIC"),
            peer("envoy", "envoy-http3.yaml.template"),
            peer("caddy", "Caddyfile.template"),
        ],
    },
    Case {
        name: "waf",
        unit: "request",
        upstream: "http1",
        port: Port::Clear,
        variants: INSPECTED,
        ours: "waf/portcullis.yaml.template",
        peers: &[peer("nginx", "waf/nginx.conf.template")],
    },
    Case {
        name: "waf-embedded",
        unit: "request",
        upstream: "http1",
        port: Port::Clear,
        variants: INSPECTED,
        ours: "waf/portcullis-embedded.yaml.template",
        peers: &[peer("nginx", "waf/nginx.conf.template")],
    },
    Case {
        name: "waf-without",
        unit: "request",
        upstream: "http1",
        port: Port::Clear,
        variants: INSPECTED,
        ours: "bare.yaml",
        peers: &[peer("nginx", "nginx.conf.template")],
    },
];

/// Ten thousand idle connections; see `idle_peers.rs`.
pub(super) const IDLE: Case = Case {
    name: "idle-tls",
    unit: "idle connection",
    upstream: "http1",
    port: Port::Tls,
    variants: &[],
    ours: "bare.yaml",
    peers: ENCRYPTED,
};
