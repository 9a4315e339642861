//! All that a run needs to know but how long and how much.

use std::sync::Arc;
use std::time::Duration;

use crate::flow::Flow;
use crate::load::Spacing;
use crate::target::Target;

/// What is asked of whom, by how many connections and threads.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Who is asked.
    pub target: Target,
    /// What is asked; at least one.
    pub flows: Arc<[Flow]>,
    /// Names under which steps are counted.
    pub routes: Vec<String>,
    /// The most connections, over all threads.
    pub connections: usize,
    /// The most requests in progress on each; of HTTP/1.1 always one.
    pub streams: usize,
    /// A connection for each request, to measure what connecting costs.
    pub fresh_connections: bool,
    /// Threads that generate the load.
    pub threads: usize,
    /// The processors of these threads, in turn. Empty: wherever the system puts them.
    pub processors: Vec<usize>,
    /// How long a request may take, from its actual start. It has failed then.
    pub timeout: Duration,
    /// The most arrivals that wait for a connection. Those beyond are missed, which is counted.
    pub backlog: usize,
    /// How arrivals of a rate lie in time.
    pub spacing: Spacing,
    /// Where chance begins, so that a run can be repeated.
    pub seed: u64,
}
