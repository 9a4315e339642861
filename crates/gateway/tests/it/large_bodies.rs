//! Bodies far larger than what the gate may hold pass in both directions, by every protocol, and come whole.
//!
//! They have 64 MiB here. `PORTCULLIS_TEST_BODY_MIB=2048` makes them larger; the gate must not need more memory for that.

mod http1;
mod http2;
mod http3;
mod tunnel;

use std::io;
use std::net::SocketAddr;
use std::sync::OnceLock;
use std::time::Instant;

use bytes::Bytes;

use super::folder::Folder;
use super::gate::Gate;
use super::secure::Identity;
use super::upstream::{Peer, Upstream};

/// What the gate may grow by while it passes on a body of any size: windows and buffers.
const GROWTH: u64 = 32 << 20;

/// A prime, so that nothing that is lost or doubled in round numbers leaves the pattern in step.
const PERIOD: usize = 65_521;

/// How large a body is.
fn size() -> u64 {
    let mebibytes = std::env::var("PORTCULLIS_TEST_BODY_MIB").map_or(64, |text| text.parse().unwrap());
    mebibytes << 20
}

/// Bytes that can be told at each place, so that what comes is compared and not only counted.
struct Pattern(u64);

impl Pattern {
    fn new() -> Pattern {
        Pattern(0)
    }

    /// The next bytes, at most so many.
    fn next(&mut self, most: u64) -> Bytes {
        let length = usize::try_from(most.min(PERIOD as u64)).unwrap();
        let start = self.place();
        self.0 += length as u64;
        Bytes::from_static(&period()[start..start + length])
    }

    /// Compares what came with what had to come.
    #[track_caller]
    fn check(&mut self, came: &[u8]) {
        for piece in came.chunks(PERIOD) {
            let start = self.place();
            assert!(
                piece == &period()[start..start + piece.len()],
                "changed after {}",
                self.0
            );
            self.0 += piece.len() as u64;
        }
    }

    fn place(&self) -> usize {
        usize::try_from(self.0 % PERIOD as u64).unwrap()
    }
}

/// The pattern twice, so that a period from each place is one slice.
fn period() -> &'static [u8] {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    BYTES.get_or_init(|| {
        let mut random = fastrand::Rng::with_seed(7);
        let once: Vec<u8> = (0..PERIOD).map(|_| random.u8(..)).collect();
        once.repeat(2)
    })
}

/// A gate with a listener in clear text and one with TLS, and an upstream that checks what goes up (`/up`), makes what
/// comes down (`/down`), and echoes what comes through a tunnel (`/tunnel`).
struct Passage {
    gate: Gate,
    identity: Identity,
    before: u64,
    _upstream: Upstream,
}

impl Passage {
    fn start() -> Passage {
        let upstream = Upstream::playing(serve);
        let address = upstream.address();
        Passage::to(&format!("\"http://{address}\""), upstream)
    }

    /// To an upstream that speaks something else than the usual one.
    fn to(service: &str, upstream: Upstream) -> Passage {
        let folder = Folder::new();
        let identity = Identity::make(&folder, "front", &["localhost"]);
        let gate = Gate::start_in(
            folder,
            &format!(
                "listeners:\n  - bind: 127.0.0.1:0\n  - bind: 127.0.0.1:0\n\
                 \x20   tls: {{certificates: [{{cert: front.pem, key: front.key}}]}}\n\
                 services: {{up: {service}}}\nroutes:\n  - {{path: /plain, to: {{respond: here}}}}\n\
                 \x20 - {{path: /**, to: {{service: up}}}}\n"
            ),
        );
        gate.get("/plain");
        identity
            .connect(gate.listener(1), "localhost")
            .unwrap()
            .ask("GET", "/plain", &[("Host", "localhost")], "");
        let before = gate.peak_memory();
        Passage {
            gate,
            identity,
            before,
            _upstream: upstream,
        }
    }

    fn clear(&self) -> SocketAddr {
        self.gate.listener(0)
    }

    fn secure(&self) -> SocketAddr {
        self.gate.listener(1)
    }

    /// Does it, says how fast it went, and asserts that the gate has not grown.
    fn pass(&self, what: &str, exchange: impl FnOnce()) {
        let started = Instant::now();
        exchange();
        let seconds = started.elapsed().as_secs_f64();
        let growth = self.gate.peak_memory().saturating_sub(self.before);
        let mebibytes = size() >> 20;
        eprintln!(
            "{what}: {mebibytes} MiB in {seconds:.1} s, the gate grew by {} KiB",
            growth >> 10
        );
        assert!(growth <= GROWTH, "{what}: the gate grew by {} MiB", growth >> 20);
    }
}

/// The upstream by HTTP/1.1.
fn serve(peer: &mut Peer) {
    while let Some(request) = peer.head() {
        match request.target() {
            "/up" => {
                let length: u64 = request.field("content-length").unwrap().parse().unwrap();
                let mut pattern = Pattern::new();
                while pattern.0 < length {
                    let most = usize::try_from((length - pattern.0).min(PERIOD as u64)).unwrap();
                    let Some(piece) = peer.take(most) else { return };
                    pattern.check(&piece);
                }
                peer.answer("200 OK", &format!("{length} whole"));
            }
            "/down" => {
                peer.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", size()));
                let mut pattern = Pattern::new();
                while pattern.0 < size() {
                    peer.send(pattern.next(size() - pattern.0));
                }
            }
            _ => {
                peer.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: pattern\r\n\r\n");
                while let Some(piece) = peer.some() {
                    peer.send(piece);
                }
                return;
            }
        }
    }
}

/// What the upstream says of a body that came whole.
fn whole() -> String {
    format!("{} whole", size())
}

/// Runs a client that waits for several things at a time.
fn run(client: impl Future<Output = io::Result<()>>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(client).unwrap();
}
