//! A gate under attack, and the honest clients whose waiting is measured meanwhile.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, nice, setrlimit};

use super::super::client::Client;
use super::super::frames::{Frames, Raw};
use super::super::gate::{Gate, eventually};
use super::super::upstream::Upstream;

/// Calm and attacked take turns so often, and the medians of the rounds are compared: one round on a busy machine says
/// nothing.
const ROUNDS: usize = 5;

/// What else runs on a machine disturbs a comparison now and then, for some seconds on end, and an attack that harms does
/// so every time. So it is tried again until the disturbance is likely to be over; the bound is the same each time.
const TRIES: usize = 12;

/// Requests of a round, and the connections that they go over in turn, so that every worker is asked.
const REQUESTS: usize = 400;
const CLIENTS: usize = 8;

/// What honest clients may wait at most under attack: three times as long as in calm.
const FACTOR: u32 = 3;

/// Below this nobody notices, and a busy machine's noise is larger than what is measured.
const FLOOR: Duration = Duration::from_millis(8);

/// By how much the gate may grow, whatever comes.
const GROWTH: u64 = 96 << 20;

/// How many attackers there are at a time. The machine of a test has few cores, and the gate has two workers.
const ATTACKERS: usize = 2;

/// A gate, and what came of the attacks on it.
pub(super) struct Siege {
    gate: Gate,
    _upstream: Upstream,
    before: u64,
    ground: Ground,
}

/// What attackers and defenders both see.
#[derive(Default)]
pub(super) struct Ground {
    over: AtomicBool,
    frames: AtomicU64,
    thrown_out: AtomicU64,
}

/// Connections that are merely there.
pub(super) struct Crowd(Vec<TcpStream>);

impl Siege {
    /// A gate that answers `/plain` and `/large` by itself. Its upstream never ends `/endless`, and reads `/taken` to its
    /// end; nobody reads `/held`.
    pub(super) fn start() -> Siege {
        allow_descriptors();
        let upstream = Upstream::playing(|peer| {
            let Some(request) = peer.head() else { return };
            if request.target() == "/endless" {
                peer.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n");
                peer.send(vec![b'x'; 1_000_000]);
            }
            peer.rest();
        });
        let gate = Gate::start(&format!(
            "listeners:\n  - bind: 127.0.0.1:0\n    limits: {{connections: 15000}}\n\
             services: {{up: \"http://{}\", silent: \"http://{}\"}}\n\
             routes:\n  - {{path: /plain, to: {{respond: here}}}}\n  - {{path: /large, to: {{respond: {}}}}}\n\
             \x20 - {{path: /held, to: {{service: silent}}}}\n  - {{path: /**, to: {{service: up}}}}\n",
            upstream.address(),
            silent(),
            "x".repeat(16 * 1024)
        ));
        let siege = Siege {
            gate,
            _upstream: upstream,
            before: 0,
            ground: Ground::default(),
        };
        // What it takes to serve honest clients is no growth.
        slowest_of_most(siege.gate.address());
        let before = siege.gate.peak_memory();
        Siege { before, ..siege }
    }

    /// Attackers come again and again with this, each time on a connection of its own, while others are served.
    pub(super) fn flood(&self, attack: impl Fn(&mut Raw, &Ground) -> io::Result<()> + Sync) {
        let address = self.gate.address();
        let attacked = || {
            self.besieged(&attack, |frames| {
                eventually("the attack", || {
                    self.ground.frames.load(Ordering::SeqCst) > frames + 1000
                });
                slowest_of_most(address)
            })
        };
        self.assert_calm(|| slowest_of_most(address), attacked);
    }

    /// The same, and the gate ends the attackers' connections.
    pub(super) fn repel(&self, attack: impl Fn(&mut Raw, &Ground) -> io::Result<()> + Sync) {
        self.flood(&attack);
        self.besieged(&attack, |_| {
            eventually("an attacker to be thrown out", || {
                self.ground.thrown_out.load(Ordering::SeqCst) > 0
            });
        });
    }

    /// Does something while attackers are at work. It is told how many frames were sent before.
    fn besieged<T>(
        &self,
        attack: &(impl Fn(&mut Raw, &Ground) -> io::Result<()> + Sync),
        meanwhile: impl FnOnce(u64) -> T,
    ) -> T {
        let address = self.gate.address();
        self.ground.over.store(false, Ordering::SeqCst);
        let frames = self.ground.frames.load(Ordering::SeqCst);
        std::thread::scope(|scope| {
            for _ in 0..ATTACKERS {
                scope.spawn(|| self.ground.besiege(address, attack));
            }
            let _over = Over(&self.ground);
            meanwhile(frames)
        })
    }

    /// Many connections that each send a beginning, and then one byte at a time.
    pub(super) fn trickle(&self, count: usize, beginning: &[u8], byte: u8) {
        let mut crowd = self.silent(count);
        for stream in &mut crowd.0 {
            let _ = stream.write_all(beginning);
        }
        let over = AtomicBool::new(false);
        let alone = Siege::start();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                yield_to_others();
                while !over.load(Ordering::SeqCst) {
                    for stream in &mut crowd.0 {
                        let _ = stream.write(&[byte]);
                    }
                    // Slowness is the attack.
                    std::thread::sleep(Duration::from_millis(100));
                }
            });
            self.assert_calm(
                || slowest_of_most(alone.gate.address()),
                || slowest_of_most(self.gate.address()),
            );
            over.store(true, Ordering::SeqCst);
        });
    }

    /// Many connections that ask, and take nothing of the answer.
    pub(super) fn unread(&self, count: usize, request: &[u8]) {
        let mut crowd = self.silent(count);
        for stream in &mut crowd.0 {
            let _ = stream.write_all(request);
        }
        self.assert_calm_beside(&crowd);
    }

    /// Many connections that say nothing, from several addresses of this machine.
    pub(super) fn silent(&self, count: usize) -> Crowd {
        let address = self.gate.address();
        let crowd = (0..count).map(|number| {
            let host = u8::try_from(2 + number / 2500).unwrap();
            let stream = connect_from(Ipv4Addr::new(127, 0, 0, host), address);
            stream.set_nonblocking(true).unwrap();
            stream
        });
        Crowd(crowd.collect())
    }

    /// Asserts that honest clients are served beside a crowd as they are by a gate without one.
    pub(super) fn assert_calm_beside(&self, crowd: &Crowd) {
        let alone = Siege::start();
        self.assert_calm(
            || slowest_of_most(alone.gate.address()),
            || slowest_of_most(self.gate.address()),
        );
        assert!(
            crowd.0.iter().any(still_open),
            "the crowd was gone before anything was measured"
        );
    }

    /// Asserts that honest clients wait hardly longer under attack than in calm, and that the gate stays small.
    #[track_caller]
    fn assert_calm(&self, calm: impl Fn() -> Duration, attacked: impl Fn() -> Duration) {
        for tried in 1..=TRIES {
            let rounds: Vec<_> = (0..ROUNDS).map(|_| (calm(), attacked())).collect();
            self.assert_small();
            let (calm, attacked) = (
                median(rounds.iter().map(|round| round.0)),
                median(rounds.iter().map(|round| round.1)),
            );
            eprintln!("p99 in calm {calm:?}, attacked {attacked:?}");
            if attacked <= (calm * FACTOR).max(FLOOR) {
                return;
            }
            assert!(
                tried < TRIES,
                "others waited {attacked:?} for an answer, in place of {calm:?}"
            );
        }
    }

    /// Asserts that the gate has never been larger than it may grow to.
    fn assert_small(&self) {
        let growth = self.gate.peak_memory().saturating_sub(self.before);
        assert!(growth <= GROWTH, "the gate grew by {} MiB", growth >> 20);
    }
}

/// Ends the attack, however what went on meanwhile ended.
struct Over<'a>(&'a Ground);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.over.store(true, Ordering::SeqCst);
    }
}

impl Ground {
    /// Sends frames, as long as the siege goes on.
    pub(super) fn send(&self, raw: &mut Raw, frames: &Frames, count: u64) -> io::Result<()> {
        raw.write(frames.bytes(), &|| !self.is_over())?;
        self.frames.fetch_add(count, Ordering::SeqCst);
        if self.is_over() {
            return Err(ErrorKind::Interrupted.into());
        }
        Ok(())
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }

    fn besiege(&self, address: SocketAddr, attack: &impl Fn(&mut Raw, &Ground) -> io::Result<()>) {
        yield_to_others();
        while !self.is_over() {
            let Ok(mut raw) = Raw::open(address) else {
                continue;
            };
            if attack(&mut raw, self).is_err() && !self.is_over() {
                self.thrown_out.fetch_add(1, Ordering::SeqCst);
            }
        }
    }
}

/// A server that takes connections and nothing else. It does so little because it shares the machine with the gate.
fn silent() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut latest = VecDeque::new();
        for stream in listener.incoming().map_while(Result::ok) {
            latest.push_back(stream);
            if latest.len() > 1500 {
                // More than the gate has at a time, so that it is one that the gate has ended.
                latest.pop_front();
            }
        }
    });
    address
}

/// The time within which 99 of 100 requests were answered.
fn slowest_of_most(address: SocketAddr) -> Duration {
    let mut clients: Vec<Client> = (0..CLIENTS).map(|_| Client::connect(address)).collect();
    let mut waits: Vec<Duration> = (0..REQUESTS)
        .map(|number| {
            let started = Instant::now();
            let answer = clients[number % CLIENTS].get("/plain");
            assert_eq!(answer.text(), "here");
            started.elapsed()
        })
        .collect();
    waits.sort_unstable();
    waits[REQUESTS * 99 / 100]
}

fn median(values: impl Iterator<Item = Duration>) -> Duration {
    let mut values: Vec<Duration> = values.collect();
    values.sort_unstable();
    values[values.len() / 2]
}

fn connect_from(host: Ipv4Addr, address: SocketAddr) -> TcpStream {
    use socket2::{Domain, Protocol, Socket, Type};
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP)).unwrap();
    socket.bind(&SocketAddr::from((host, 0)).into()).unwrap();
    socket.connect(&address.into()).unwrap();
    socket.into()
}

fn still_open(mut stream: &TcpStream) -> bool {
    match stream.read(&mut [0]) {
        Ok(length) => length > 0,
        Err(failure) => failure.kind() == ErrorKind::WouldBlock,
    }
}

/// An attacker is on a machine of its own: what it computes must not count against the gate.
fn yield_to_others() {
    // On Linux it is the thread's alone.
    let _ = nice(19);
}

/// Connections need descriptors, here and in the gate, which inherits the limit.
fn allow_descriptors() {
    let limit = getrlimit(Resource::Nofile);
    let all = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    setrlimit(Resource::Nofile, all).unwrap();
}
