//! What a process that is under load takes: processor, memory, descriptors; and whether it lets go of them.

mod leak;
mod proc;

use std::io;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

pub use leak::{Grown, Leak};
use proc::Process;

/// The most samples that are kept. Where there would be more, every second one goes, and the others come half as often.
const MOST_SAMPLES: usize = 2_000;

/// The shortest time between two samples: the system counts processor time in hundredths of a second.
const SHORTEST: Duration = Duration::from_millis(20);

/// A process that is looked at from time to time, by a thread of its own.
#[derive(Debug)]
pub struct Watching {
    stop: Sender<()>,
    thread: JoinHandle<Resources>,
}

/// What a process took while it was watched.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Resources {
    /// The number of the process.
    pub pid: u32,
    /// The name of its program.
    pub name: String,
    /// In the order of time; at most 2,000.
    pub samples: Vec<Sample>,
    /// Whether it ended while it was watched.
    pub ended: bool,
}

/// What a process had taken at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// When, from the start of watching.
    pub at: Duration,
    /// Processor time of all its threads since it began.
    pub processor_time: Duration,
    /// Bytes of memory that it holds.
    pub memory: u64,
    /// Open descriptors; nothing where the system doesn't let us look.
    pub descriptors: Option<u64>,
    /// Threads.
    pub threads: u64,
}

impl Watching {
    /// Begins to watch a process, with a sample now and one after each `every`.
    ///
    /// # Errors
    /// When there is no such process, or no thread to watch it with.
    pub fn start(pid: u32, every: Duration) -> io::Result<Watching> {
        let process = Process::find(pid)?;
        let began = Instant::now();
        let mut resources = Resources {
            pid,
            name: process.name().to_owned(),
            samples: vec![process.sample(Duration::ZERO)?],
            ended: false,
        };
        let (stop, stopped) = mpsc::channel();
        let thread = thread::Builder::new().name("watch".to_owned()).spawn(move || {
            let mut every = every.max(SHORTEST);
            let mut due = began + every;
            loop {
                let stop = stopped.recv_timeout(due.saturating_duration_since(Instant::now()));
                let Ok(sample) = process.sample(began.elapsed()) else {
                    resources.ended = true;
                    return resources;
                };
                resources.samples.push(sample);
                if stop != Err(RecvTimeoutError::Timeout) {
                    return resources;
                }
                if resources.samples.len() >= MOST_SAMPLES {
                    every *= 2;
                    thin(&mut resources.samples);
                }
                due = (due + every).max(Instant::now());
            }
        })?;
        Ok(Watching { stop, thread })
    }

    /// Takes a last sample, and gives what was seen.
    pub fn finish(self) -> Resources {
        // Nobody hears it where the process has ended before.
        let _ = self.stop.send(());
        self.thread.join().unwrap_or_default()
    }
}

impl Resources {
    /// Processor time that was used between two moments of watching; nothing where no two samples are there.
    pub fn processor_time(&self, from: Duration, to: Duration) -> Option<Duration> {
        let (first, last) = self.ends(from, to)?;
        Some(last.processor_time.saturating_sub(first.processor_time))
    }

    /// How many processors were busy with it between two moments: 1.5 is one and a half.
    pub fn processors(&self, from: Duration, to: Duration) -> Option<f64> {
        let (first, last) = self.ends(from, to)?;
        let used = last.processor_time.saturating_sub(first.processor_time);
        Some(used.as_secs_f64() / last.at.saturating_sub(first.at).as_secs_f64())
    }

    /// The most memory that it was seen with, in bytes.
    pub fn most_memory(&self) -> Option<u64> {
        self.samples.iter().map(|sample| sample.memory).max()
    }

    /// What it took more and more of between two moments, without an end.
    pub fn leaks(&self, from: Duration, to: Duration) -> Vec<Leak> {
        leak::find(self.between(from, to))
    }

    /// The samples nearest to two moments, from inside where there are some.
    fn ends(&self, from: Duration, to: Duration) -> Option<(&Sample, &Sample)> {
        let inside = self.between(from, to);
        // A stretch that is shorter than the time between two samples lies between some outside.
        let (first, last) = match inside.len() >= 2 {
            true => (inside.first()?, inside.last()?),
            false => (
                self.samples.iter().rfind(|sample| sample.at <= from)?,
                self.samples.iter().find(|sample| sample.at >= to)?,
            ),
        };
        (first.at < last.at).then_some((first, last))
    }

    fn between(&self, from: Duration, to: Duration) -> &[Sample] {
        let begin = self.samples.partition_point(|sample| sample.at < from);
        let end = self.samples.partition_point(|sample| sample.at <= to);
        self.samples.get(begin..end).unwrap_or_default()
    }
}

fn thin(samples: &mut Vec<Sample>) {
    let mut keep = false;
    samples.retain(|_| {
        keep = !keep;
        keep
    });
}

#[cfg(test)]
mod tests;
