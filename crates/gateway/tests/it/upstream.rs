//! A server behind the gate whose every byte a test decides.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use socket2::{Domain, Socket, Type};

use super::client::uninterrupted;
use super::gate::{PATIENCE, eventually};

/// Sockets whose addresses were given away as those of nobody.
static NOBODY: Mutex<Vec<Socket>> = Mutex::new(Vec::new());

/// An upstream whose every byte a test decides.
pub(crate) struct Upstream {
    address: SocketAddr,
    seen: Arc<Seen>,
}

/// What has come in so far.
#[derive(Default)]
struct Seen {
    accepted: AtomicUsize,
    open: AtomicUsize,
    requests: Mutex<Vec<Received>>,
}

/// A connection that the gate made.
pub(crate) struct Peer {
    stream: TcpStream,
    input: Vec<u8>,
    seen: Arc<Seen>,
    /// Where the request that it sent last stands among those that were seen.
    place: usize,
    /// Which connection it is, from 0.
    pub(crate) number: usize,
}

/// A request as the gate sent it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Received {
    pub(crate) line: String,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Vec<(String, String)>,
}

impl Upstream {
    /// An upstream that plays `script` on each connection, on a thread of its own.
    pub(crate) fn playing(script: impl Fn(&mut Peer) + Send + Sync + 'static) -> Upstream {
        Upstream::playing_on(TcpListener::bind("127.0.0.1:0").unwrap(), script)
    }

    /// The same, on a socket that the test has chosen.
    pub(crate) fn playing_on(listener: TcpListener, script: impl Fn(&mut Peer) + Send + Sync + 'static) -> Upstream {
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Seen::default());
        let script = Arc::new(script);
        let known = Arc::clone(&seen);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { return };
                let number = known.accepted.fetch_add(1, Ordering::SeqCst);
                known.open.fetch_add(1, Ordering::SeqCst);
                let mut peer = Peer {
                    stream,
                    input: Vec::new(),
                    seen: Arc::clone(&known),
                    place: 0,
                    number,
                };
                let script = Arc::clone(&script);
                std::thread::spawn(move || {
                    peer.stream.set_nodelay(true).unwrap();
                    peer.stream.set_read_timeout(Some(PATIENCE * 3)).unwrap();
                    script(&mut peer);
                    let _ = peer.stream.shutdown(Shutdown::Both);
                    peer.seen.open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Upstream { address, seen }
    }

    /// An upstream that gives the same answer to every request.
    pub(crate) fn answering(answer: impl AsRef<[u8]>) -> Upstream {
        let answer = answer.as_ref().to_vec();
        Upstream::playing(move |peer| {
            while peer.request().is_some() {
                peer.send(&answer);
            }
        })
    }

    /// An upstream that says `ok` to every request.
    pub(crate) fn ok() -> Upstream {
        Upstream::answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    }

    /// An upstream that answers with what it received, as JSON.
    pub(crate) fn echo() -> Upstream {
        Upstream::playing(|peer| {
            while let Some(request) = peer.request() {
                peer.answer("200 OK", &request.to_json().to_string());
            }
        })
    }

    /// An address at which nobody listens.
    pub(crate) fn nobody() -> SocketAddr {
        // Held and never listened on: an address that is merely free may be that of another test a moment later.
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        let address = socket.local_addr().unwrap().as_socket().unwrap();
        NOBODY.lock().unwrap().push(socket);
        address
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections were made so far.
    pub(crate) fn accepted(&self) -> usize {
        self.seen.accepted.load(Ordering::SeqCst)
    }

    /// How many connections are open.
    pub(crate) fn open(&self) -> usize {
        self.seen.open.load(Ordering::SeqCst)
    }

    /// The requests that came in so far.
    pub(crate) fn requests(&self) -> Vec<Received> {
        self.seen.requests.lock().unwrap().clone()
    }

    /// The last request, once there is one.
    pub(crate) fn last(&self) -> Received {
        eventually("a request at the upstream", || !self.requests().is_empty());
        self.requests().pop().unwrap()
    }
}

impl Peer {
    /// The next request with its body; none at the end of the connection.
    pub(crate) fn request(&mut self) -> Option<Received> {
        let mut request = self.head()?;
        if request.field("transfer-encoding").is_some() {
            loop {
                let line = self.until(b"\r\n")?;
                let size = usize::from_str_radix(&line, 16).unwrap();
                if size == 0 {
                    break;
                }
                request.body.extend(self.take(size)?);
                self.until(b"\r\n")?;
            }
            loop {
                let line = self.until(b"\r\n")?;
                if line.is_empty() {
                    break;
                }
                request.trailers.push(field(&line));
            }
        } else if let Some(length) = request.field("content-length") {
            let length = length.parse().unwrap();
            request.body = self.take(length)?;
        }
        // Not the last one, which may have come on another connection meanwhile.
        self.seen.requests.lock().unwrap()[self.place] = request.clone();
        Some(request)
    }

    /// The head of the next request alone.
    pub(crate) fn head(&mut self) -> Option<Received> {
        let head = self.until(b"\r\n\r\n")?;
        let mut lines = head.split("\r\n");
        let line = lines.next().unwrap().to_owned();
        let request = Received {
            line,
            fields: lines.map(field).collect(),
            ..Received::default()
        };
        let mut requests = self.seen.requests.lock().unwrap();
        self.place = requests.len();
        requests.push(request.clone());
        Some(request)
    }

    /// Sends bytes as they are.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.stream.write_all(bytes.as_ref());
    }

    /// Sends bytes as they are, and says whether the gate took them.
    pub(crate) fn sent(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// Sends an answer with its length.
    pub(crate) fn answer(&mut self, status: &str, body: &str) {
        self.send(format!(
            "HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ));
    }

    /// So many bytes of what comes, or none at the end.
    pub(crate) fn take(&mut self, length: usize) -> Option<Vec<u8>> {
        while self.input.len() < length {
            self.fill().ok()?;
        }
        Some(self.input.drain(..length).collect())
    }

    /// Whatever is there next, or none at the end.
    pub(crate) fn some(&mut self) -> Option<Vec<u8>> {
        if self.input.is_empty() {
            self.fill().ok()?;
        }
        Some(std::mem::take(&mut self.input))
    }

    /// Everything that still comes.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        while self.fill().is_ok() {}
        std::mem::take(&mut self.input)
    }

    /// Ends our direction and leaves the other.
    pub(crate) fn end(&mut self) {
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// Makes the kernel send a reset instead of an end.
    pub(crate) fn reset(&mut self) {
        socket2::SockRef::from(&self.stream)
            .set_linger(Some(std::time::Duration::ZERO))
            .unwrap();
    }

    fn until(&mut self, end: &[u8]) -> Option<String> {
        loop {
            if let Some(at) = self.input.windows(end.len()).position(|window| window == end) {
                let text = String::from_utf8_lossy(&self.input[..at]).into_owned();
                self.input.drain(..at + end.len());
                return Some(text);
            }
            self.fill().ok()?;
        }
    }

    fn fill(&mut self) -> io::Result<()> {
        let mut piece = [0; 16 * 1024];
        match uninterrupted(|| self.stream.read(&mut piece))? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            length => {
                self.input.extend_from_slice(&piece[..length]);
                Ok(())
            }
        }
    }
}

impl Received {
    /// The only value of a field.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let mut values = self.fields(name);
        let value = values.next();
        assert!(values.next().is_none(), "several {name} in {self:?}");
        value
    }

    pub(crate) fn fields(&self, name: &str) -> impl Iterator<Item = &str> {
        let name = name.to_ascii_lowercase();
        self.fields
            .iter()
            .filter(move |(known, _)| *known == name)
            .map(|(_, value)| value.as_str())
    }

    pub(crate) fn target(&self) -> &str {
        self.line.split(' ').nth(1).unwrap()
    }

    fn to_json(&self) -> Value {
        json!({
            "line": self.line,
            "fields": self.fields,
            "length": self.body.len(),
            "body": String::from_utf8_lossy(&self.body),
            "trailers": self.trailers,
        })
    }
}

fn field(line: &str) -> (String, String) {
    let (name, value) = line.split_once(':').unwrap_or_else(|| panic!("no field: {line:?}"));
    (name.to_ascii_lowercase(), value.trim().to_owned())
}
