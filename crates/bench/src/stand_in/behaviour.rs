//! How a stand-in behaves.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use portcullis_core::headers::is_token;

use crate::histogram::Histogram;

/// The longest that a stand-in takes for anything, so that what waits in it ends.
const LONGEST: Duration = Duration::from_secs(3600);

/// The most content of an answer.
const MOST_CONTENT: usize = 64 * 1024 * 1024;

/// The most fields of an answer that are not of its framing.
const MOST_FIELDS: usize = 128;

/// What a stand-in does with requests. They go through it in this order: they queue for its capacity, they take their delay, and their
/// answers are held while it stalls. Which ones fail is decided as they come.
#[derive(Clone, Debug)]
pub struct Behaviour {
    /// What is answered.
    pub content: Content,
    /// How many are served in a second.
    pub capacity: Option<Capacity>,
    /// How long each takes beside that; they don't wait for each other.
    pub delay: Delay,
    /// When answers are held.
    pub stalls: Option<Stalls>,
    /// How much longer everything takes than it says here: 1.05 is five per cent slower, of capacity and delay.
    pub slow_down: f64,
    /// Which requests fail, and how.
    pub failures: Option<Failures>,
    /// Where chance begins.
    pub seed: u64,
}

/// An answer, the same for each request. It has no `Date`, so that it is the same bytes each time.
#[derive(Clone, Debug)]
pub struct Content {
    /// The status; 200 to 599.
    pub status: u16,
    /// The fields but for `Content-Length` and `Connection`.
    pub headers: Vec<(String, String)>,
    /// The content.
    pub body: Bytes,
}

/// One queue that is served at a fixed pace: a request leaves it `1 / rate` seconds after the one before, or after it came where the
/// queue was empty. The pace is kept by deadlines that were fixed when the requests came, so that nothing adds up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Capacity {
    /// Requests a second.
    pub rate: f64,
    /// How many may wait or be served; 503 is answered at once to those that come beyond. `None`: any number wait.
    pub queue: Option<u64>,
}

/// How long requests take.
#[derive(Clone, Debug, Default)]
pub enum Delay {
    /// No time.
    #[default]
    None,
    /// Always the same time.
    Fixed(Duration),
    /// A time from a distribution that was recorded, each as often as it occurs there.
    Recorded(Histogram),
}

/// Times when answers are held: `k · period` up to `k · period + length` after the behaviour began, for k = 1, 2 and so on. All that would
/// leave then leaves at the end of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stalls {
    /// From the beginning of one to that of the next.
    pub period: Duration,
    /// How long each is; less than the period.
    pub length: Duration,
}

/// Requests that fail.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Failures {
    /// Which.
    pub which: Which,
    /// How.
    pub fault: Fault,
}

/// Which requests.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Which {
    /// The k-th, the 2k-th and so on, counted from when the behaviour began to hold.
    Every(u64),
    /// Such a share of all, 0 to 1, by chance.
    Share(f64),
}

/// How a request fails, when its answer would be due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// With this status and no content.
    Status(u16),
    /// The connection is reset.
    Reset,
    /// The connection is closed without an answer.
    Close,
    /// Nothing comes, until the client closes the connection.
    Hang,
    /// Something comes that is not HTTP, and the connection is closed.
    Garbage,
}

impl Default for Behaviour {
    /// Answers at once, with 200 and two bytes.
    fn default() -> Behaviour {
        Behaviour {
            content: Content::default(),
            capacity: None,
            delay: Delay::None,
            stalls: None,
            slow_down: 1.0,
            failures: None,
            seed: 0,
        }
    }
}

impl Default for Content {
    fn default() -> Content {
        Content {
            status: 200,
            headers: vec![("Content-Type".to_owned(), "text/plain".to_owned())],
            body: Bytes::from_static(b"ok"),
        }
    }
}

impl Stalls {
    /// When something leaves that would leave so long after the behaviour began.
    pub fn release(&self, due: Duration) -> Duration {
        let (period, due_nanos) = (self.period.as_nanos().max(1), due.as_nanos());
        let into = due_nanos % period;
        if due_nanos < period || into >= self.length.as_nanos() {
            return due;
        }
        due + self.length - Duration::from_nanos(u64::try_from(into).expect("it is less than the length of a stall"))
    }
}

impl Behaviour {
    /// Whether a server can behave so.
    pub(super) fn check(&self) -> io::Result<()> {
        self.content.check()?;
        let is_factor = |number: f64| number.is_finite() && (0.001..=1000.0).contains(&number);
        demand(is_factor(self.slow_down), "a factor of slowness is from 0.001 to 1000")?;
        if let Some(capacity) = self.capacity {
            let fits = (0.01..=1e7).contains(&capacity.rate);
            demand(
                fits,
                "a capacity is from one request in 100 seconds to ten million a second",
            )?;
        }
        if let Delay::Fixed(delay) = self.delay {
            demand(delay <= LONGEST, "no delay is longer than an hour")?;
        }
        if let Delay::Recorded(recorded) = &self.delay {
            demand(!recorded.is_empty(), "a recorded distribution has no values")?;
        }
        if let Some(stalls) = self.stalls {
            demand(
                stalls.length < stalls.period && stalls.period <= LONGEST,
                "a stall is shorter than its period, which is an hour at most",
            )?;
        }
        match self.failures.map(|failures| failures.which) {
            Some(Which::Every(0)) => demand(false, "there is no 0th request to fail")?,
            Some(Which::Share(share)) => demand((0.0..=1.0).contains(&share), "a share is from 0 to 1")?,
            Some(Which::Every(_)) | None => {}
        }
        match self.failures.map(|failures| failures.fault) {
            Some(Fault::Status(status)) => check_status(status),
            _ => Ok(()),
        }
    }
}

impl Content {
    fn check(&self) -> io::Result<()> {
        check_status(self.status)?;
        demand(self.body.len() <= MOST_CONTENT, "an answer has at most 64 MiB")?;
        demand(self.headers.len() <= MOST_FIELDS, "an answer has at most 128 fields")?;
        for (name, value) in &self.headers {
            demand(is_token(name.as_bytes()), "the name of a field is none")?;
            let framing = ["content-length", "transfer-encoding", "connection"];
            let is_framing = framing.iter().any(|own| name.eq_ignore_ascii_case(own));
            demand(!is_framing, "the fields of framing are the server's own")?;
            let is_text = value
                .bytes()
                .all(|byte| byte == b'\t' || (byte >= b' ' && byte != 0x7f));
            demand(is_text && value.len() <= 8192, "the value of a field is none")?;
        }
        Ok(())
    }
}

fn check_status(status: u16) -> io::Result<()> {
    demand((200..600).contains(&status), "a status is from 200 to 599")
}

fn demand(holds: bool, otherwise: &'static str) -> io::Result<()> {
    if holds {
        Ok(())
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidInput, otherwise))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn a_stall_holds_what_is_due_in_it() {
        let stalls = Stalls {
            period: Duration::from_millis(1000),
            length: Duration::from_millis(200),
        };
        for (due, released) in [
            (0, 0),
            (100, 100),
            (999, 999),
            (1000, 1200),
            (1199, 1200),
            (1200, 1200),
            (5050, 5200),
        ] {
            let left = stalls.release(Duration::from_millis(due));
            assert_eq!(left, Duration::from_millis(released), "due after {due} ms");
        }
    }

    #[test]
    fn what_no_server_can_do_is_refused() {
        let plain = Behaviour::default;
        let refused = |behaviour: Behaviour| behaviour.check().unwrap_err().to_string();
        assert!(plain().check().is_ok());
        let capacity = Some(Capacity {
            rate: f64::NAN,
            queue: None,
        });
        assert!(refused(Behaviour { capacity, ..plain() }).contains("capacity"));
        let delay = Delay::Fixed(Duration::from_secs(7200));
        assert!(refused(Behaviour { delay, ..plain() }).contains("hour"));
        let delay = Delay::Recorded(Histogram::new());
        assert!(refused(Behaviour { delay, ..plain() }).contains("no values"));
        let length = Duration::from_secs(1);
        let stalls = Some(Stalls { period: length, length });
        assert!(refused(Behaviour { stalls, ..plain() }).contains("stall"));
        let headers = vec![("A".to_owned(), "b\r\nC: d".to_owned())];
        let content = Content {
            headers,
            ..Content::default()
        };
        assert!(refused(Behaviour { content, ..plain() }).contains("value"));
        let failures = Some(Failures {
            which: Which::Every(0),
            fault: Fault::Reset,
        });
        assert!(refused(Behaviour { failures, ..plain() }).contains("0th"));
        assert!(
            refused(Behaviour {
                slow_down: 0.0,
                ..plain()
            })
            .contains("factor")
        );
    }
}
