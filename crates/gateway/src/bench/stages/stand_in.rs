//! A server whose behaviour is known, to take the place of one that isn't.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use portcullis_bench::stand_in::{
    Behaviour, Capacity, Content, Delay, Failures, Fault, Settings, Stalls, StandIn, Which,
};

use crate::bench::interrupt;
use crate::cli::print;

/// How often somebody looks whether it is to end.
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);

/// How a server stands in for another.
pub(crate) struct Standing {
    /// Where it listens.
    pub(crate) bind: SocketAddr,
    /// The status of its answers.
    pub(crate) status: u16,
    /// Bytes of their content.
    pub(crate) size: usize,
    /// How long each takes.
    pub(crate) delay: Duration,
    /// The most requests a second, beyond which they wait in one queue.
    pub(crate) capacity: Option<f64>,
    /// The longest that queue may be; what comes then is refused with 503.
    pub(crate) queue: Option<u64>,
    /// How often it stands still, and how long.
    pub(crate) stalls: Option<(Duration, Duration)>,
    /// Which request fails with 500: each one of so many.
    pub(crate) fail_every: Option<u64>,
}

impl Standing {
    /// Serves until somebody asks for the end.
    ///
    /// # Errors
    /// When it can't listen, or what is asked of it makes no sense.
    pub(crate) fn serve(&self) -> Result<u8, String> {
        let behaviour = Behaviour {
            content: Content {
                status: self.status,
                body: Bytes::from(vec![b'x'; self.size]),
                ..Content::default()
            },
            delay: match self.delay.is_zero() {
                true => Delay::None,
                false => Delay::Fixed(self.delay),
            },
            capacity: self.capacity.map(|rate| Capacity {
                rate,
                queue: self.queue,
            }),
            stalls: self.stalls.map(|(period, length)| Stalls { period, length }),
            failures: self.fail_every.map(|every| Failures {
                which: Which::Every(every),
                fault: Fault::Status(500),
            }),
            ..Behaviour::default()
        };
        let settings = Settings {
            address: self.bind,
            ..Settings::default()
        };
        let server = StandIn::start_with(behaviour, settings)
            .map_err(|error| format!("no stand-in on {}: {error}", self.bind))?;
        print(&format!("http://{}\n", server.address()));
        while !interrupt::asked() {
            std::thread::sleep(BETWEEN_LOOKS);
        }
        print(&format!(
            "{} requests on {} connections, {} refused\n",
            server.requests(),
            server.connections(),
            server.refused()
        ));
        Ok(0)
    }
}
