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
    /// The load, and what stands behind its address and its time.
    pub(super) load: &'static str,
    pub(super) rest: &'static [&'static str],
}

/// Another proxy, and its configuration below `conformance/peers`, or why it can't do the job.
pub(super) struct Peer {
    pub(super) name: &'static str,
    pub(super) template: Result<&'static str, &'static str>,
}

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

const fn variant(name: &'static str, load: &'static str, rest: &'static [&'static str]) -> Variant {
    Variant { name, load, rest }
}

const ENCRYPTED: &[Peer] = &[
    peer("nginx", "nginx.conf.template"),
    peer("haproxy", "haproxy.cfg.template"),
];

/// What inspects requests has something to look at: parameters, fields and cookies, or a body.
const INSPECTED: &[Variant] = &[
    variant("GET", "http1", &["search"]),
    variant("POST of JSON", "http1", &["order"]),
];

pub(super) const CASES: &[Case] = &[
    Case {
        name: "http2-upstream",
        unit: "request",
        upstream: "http2",
        port: Port::Clear,
        variants: &[variant("", "http1", &[])],
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
        variants: &[variant("", "grpc", &[])],
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
            variant("full, post-quantum offered", "handshakes", &["full", "default"]),
            variant("full, X25519 only", "handshakes", &["full", "classical"]),
            variant("resumed, post-quantum offered", "handshakes", &["resumed", "default"]),
            variant("resumed, X25519 only", "handshakes", &["resumed", "classical"]),
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
            variant("64 bytes", "websocket", &["64"]),
            variant("4 KiB", "websocket", &["4096"]),
        ],
        ours: "bare.yaml",
        peers: ENCRYPTED,
    },
    Case {
        name: "http3",
        unit: "request",
        upstream: "http1",
        port: Port::Tls,
        variants: &[variant("", "http3", &[])],
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
