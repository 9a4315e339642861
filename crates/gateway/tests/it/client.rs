//! A client that sends what it is told to, byte by byte, and reads strictly.

use std::fmt::Write as _;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

use serde_json::Value;

use super::gate::PATIENCE;
use super::json::json;

/// A connection to the gate that sends exactly what it is told to, and reads answers strictly.
pub(crate) struct Client {
    stream: Box<dyn Connection>,
    input: Vec<u8>,
}

/// A socket, or TLS over one.
pub(crate) trait Connection: Read + Write + Send {
    /// Ends our direction and leaves the other.
    fn end(&mut self);
}

impl Connection for TcpStream {
    fn end(&mut self) {
        self.shutdown(Shutdown::Write).unwrap();
    }
}

/// An answer of the gate.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Vec<(String, String)>,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Client {
        Client::over(Box::new(socket(address)))
    }

    pub(crate) fn over(stream: Box<dyn Connection>) -> Client {
        Client {
            stream,
            input: Vec::new(),
        }
    }

    /// Sends bytes as they are. That the other side has closed already shows when the answer is read.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.stream.write_all(bytes.as_ref());
        let _ = self.stream.flush();
    }

    /// Ends our direction of the connection.
    pub(crate) fn end(&mut self) {
        self.stream.end();
    }

    /// One GET, and its answer.
    pub(crate) fn get(&mut self, target: &str) -> Answer {
        self.ask("GET", target, &[], "")
    }

    /// One request, and its answer. A body that isn't empty is sent with its length.
    pub(crate) fn ask(
        &mut self,
        method: &str,
        target: &str,
        fields: &[(&str, &str)],
        body: impl AsRef<[u8]>,
    ) -> Answer {
        let body = body.as_ref();
        let mut head = format!("{method} {target} HTTP/1.1\r\n");
        if !fields.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            head.push_str("Host: gate.test\r\n");
        }
        for (name, value) in fields {
            write!(head, "{name}: {value}\r\n").unwrap();
        }
        if !body.is_empty() {
            write!(head, "Content-Length: {}\r\n", body.len()).unwrap();
        }
        head.push_str("\r\n");
        self.send([head.as_bytes(), body].concat());
        if method == "HEAD" {
            self.answer_to_head()
        } else {
            self.answer()
        }
    }

    /// The next final answer; those before it (1xx) are passed over.
    pub(crate) fn answer(&mut self) -> Answer {
        self.final_answer(false)
    }

    /// The answer to a HEAD, which has no body whatever its fields say.
    pub(crate) fn answer_to_head(&mut self) -> Answer {
        self.final_answer(true)
    }

    fn final_answer(&mut self, to_head: bool) -> Answer {
        loop {
            let answer = self
                .try_answer(to_head)
                .unwrap_or_else(|failure| panic!("no answer: {failure}"));
            if answer.status >= 200 || answer.status == 101 {
                return answer;
            }
        }
    }

    /// The next answer, 1xx as well.
    pub(crate) fn try_answer(&mut self, to_head: bool) -> io::Result<Answer> {
        let head = self.line_block()?;
        let mut lines = head.split("\r\n");
        let status_line = lines.next().unwrap();
        assert!(status_line.starts_with("HTTP/1.1 "), "{status_line:?}");
        let status: u16 = status_line[9..12].parse().unwrap();
        let fields: Vec<_> = lines.map(field).collect();
        let mut answer = Answer {
            status,
            fields,
            body: Vec::new(),
            trailers: Vec::new(),
        };
        if to_head || status < 200 || status == 204 || status == 304 {
            return Ok(answer);
        }
        if answer.field("transfer-encoding").is_some() {
            assert_eq!(answer.field("transfer-encoding"), Some("chunked"));
            assert_eq!(answer.field("content-length"), None, "both framings");
            self.chunks(&mut answer)?;
        } else if let Some(length) = answer.field("content-length") {
            let length = length.parse().unwrap();
            answer.body = self.take(length)?;
        } else {
            answer.body = self.rest()?;
        }
        Ok(answer)
    }

    fn chunks(&mut self, answer: &mut Answer) -> io::Result<()> {
        loop {
            let line = self.line()?;
            let size = usize::from_str_radix(line.split(';').next().unwrap(), 16).unwrap();
            if size == 0 {
                break;
            }
            answer.body.extend(self.take(size)?);
            assert_eq!(self.line()?, "", "a chunk's end");
        }
        loop {
            let line = self.line()?;
            if line.is_empty() {
                return Ok(());
            }
            answer.trailers.push(field(&line));
        }
    }

    /// A head without the empty line at its end.
    fn line_block(&mut self) -> io::Result<String> {
        self.fill_until(|input| {
            input
                .windows(4)
                .position(|window| window == b"\r\n\r\n")
                .map(|at| (at, at + 4))
        })
    }

    /// A line without its end.
    pub(crate) fn line(&mut self) -> io::Result<String> {
        self.fill_until(|input| {
            input
                .windows(2)
                .position(|window| window == b"\r\n")
                .map(|at| (at, at + 2))
        })
    }

    fn fill_until(&mut self, found: impl Fn(&[u8]) -> Option<(usize, usize)>) -> io::Result<String> {
        loop {
            if let Some((length, used)) = found(&self.input) {
                let text = String::from_utf8(self.input[..length].to_vec()).unwrap();
                self.input.drain(..used);
                return Ok(text);
            }
            self.fill()?;
        }
    }

    /// So many bytes.
    pub(crate) fn take(&mut self, length: usize) -> io::Result<Vec<u8>> {
        while self.input.len() < length {
            self.fill()?;
        }
        Ok(self.input.drain(..length).collect())
    }

    /// What comes up to this text, and the text.
    pub(crate) fn until(&mut self, text: &str) -> String {
        let end = text.as_bytes();
        self.fill_until(|input| {
            let at = input.windows(end.len()).position(|window| window == end)?;
            Some((at + end.len(), at + end.len()))
        })
        .unwrap_or_else(|failure| panic!("no {text:?}: {failure}"))
    }

    /// Everything until the other side ends.
    pub(crate) fn rest(&mut self) -> io::Result<Vec<u8>> {
        loop {
            match self.fill() {
                Ok(()) => {}
                Err(end) if end.kind() == ErrorKind::UnexpectedEof => return Ok(std::mem::take(&mut self.input)),
                Err(failure) => return Err(failure),
            }
        }
    }

    fn fill(&mut self) -> io::Result<()> {
        let mut piece = [0; 16 * 1024];
        match uninterrupted(|| self.stream.read(&mut piece))? {
            0 => Err(io::Error::new(
                ErrorKind::UnexpectedEof,
                format!("closed after {:?}", String::from_utf8_lossy(&self.input)),
            )),
            length => {
                self.input.extend_from_slice(&piece[..length]);
                Ok(())
            }
        }
    }

    /// Asserts that the other side closes the connection, and sends nothing more before.
    pub(crate) fn assert_closed(&mut self) {
        match self.rest() {
            Ok(rest) => assert_eq!(String::from_utf8_lossy(&rest), "", "bytes before the end"),
            // What we sent after the refusal was never read, and then the kernel resets instead of ending.
            Err(failure) => assert_eq!(failure.kind(), ErrorKind::ConnectionReset, "{failure}"),
        }
    }
}

impl Answer {
    /// The only value of a field.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let mut values = self.fields(name);
        let value = values.next();
        assert!(values.next().is_none(), "several {name} in {self:?}");
        value
    }

    /// All values of a field.
    pub(crate) fn fields(&self, name: &str) -> impl Iterator<Item = &str> {
        let name = name.to_ascii_lowercase();
        self.fields
            .iter()
            .filter(move |(known, _)| *known == name)
            .map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        json(&self.body)
    }

    /// Asserts that it is a failure of that status and code, as RFC 9457 wants it to be written.
    #[track_caller]
    pub(crate) fn assert_problem(&self, status: u16, code: &str) -> &Answer {
        assert_eq!(self.status, status, "{self}");
        assert_eq!(self.field("content-type"), Some("application/problem+json"), "{self}");
        let problem = self.json();
        assert_eq!(problem["code"], code, "{self}");
        assert_eq!(problem["status"], status, "{self}");
        assert!(problem["title"].is_string() && problem["type"].is_string(), "{self}");
        self
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} {:?} {:?}",
            self.status,
            self.fields,
            String::from_utf8_lossy(&self.body)
        )
    }
}

/// A connected socket that fails rather than waits forever.
pub(crate) fn socket(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect_timeout(&address, PATIENCE).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// Reads again where the read was interrupted. On a socket with a time limit the kernel doesn't do so by itself, not even
/// after a mere stop of the process or of the whole machine.
pub(crate) fn uninterrupted(mut read: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match read() {
            Err(failure) if failure.kind() == ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}

/// A field line, its name in small letters.
fn field(line: &str) -> (String, String) {
    let (name, value) = line.split_once(':').unwrap_or_else(|| panic!("no field: {line:?}"));
    (name.to_ascii_lowercase(), value.trim().to_owned())
}
