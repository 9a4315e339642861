//! A process as the system tells of it (`proc(5)`).

use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::Sample;

/// A process, and not another that got its number after it ended.
#[derive(Debug)]
pub(super) struct Process {
    folder: PathBuf,
    name: String,
    began: u64,
    ticks: u64,
}

/// What `/proc/PID/stat` says.
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    name: String,
    /// Ended, but not yet taken note of by its parent.
    ended: bool,
    /// In ticks of the clock, its own and the system's for it.
    processor_time: u64,
    threads: u64,
    /// When it began, in ticks since the system did.
    began: u64,
}

impl Process {
    /// # Errors
    /// When there is none with this number.
    pub(super) fn find(pid: u32) -> io::Result<Process> {
        let folder = PathBuf::from(format!("/proc/{pid}"));
        let stat = Stat::read(&fs::read_to_string(folder.join("stat"))?)?;
        Ok(Process {
            folder,
            name: stat.name,
            began: stat.began,
            ticks: rustix::param::clock_ticks_per_second().max(1),
        })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// # Errors
    /// When it has ended.
    pub(super) fn sample(&self, at: Duration) -> io::Result<Sample> {
        let stat = Stat::read(&fs::read_to_string(self.folder.join("stat"))?)?;
        if stat.ended || stat.began != self.began {
            return Err(io::ErrorKind::NotFound.into());
        }
        let status = fs::read_to_string(self.folder.join("status"))?;
        let descriptors = fs::read_dir(self.folder.join("fd")).ok();
        Ok(Sample {
            at,
            processor_time: Duration::from_secs_f64(stat.processor_time as f64 / self.ticks as f64),
            memory: memory(&status).ok_or(io::ErrorKind::InvalidData)?,
            descriptors: descriptors.map(|entries| entries.count() as u64),
            threads: stat.threads,
        })
    }
}

impl Stat {
    /// The name is in brackets and may have brackets and spaces itself, so that fields are counted from the last bracket.
    fn read(text: &str) -> io::Result<Stat> {
        let parse = || {
            let (begin, rest) = text.rsplit_once(')')?;
            let (_, name) = begin.split_once('(')?;
            let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
            // The manual counts from 1 and the number and name before: the state is its field 3.
            let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
            Some(Stat {
                name: name.to_owned(),
                ended: matches!(*fields.first()?, "Z" | "X"),
                processor_time: field(14)?.saturating_add(field(15)?),
                threads: field(20)?,
                began: field(22)?,
            })
        };
        parse().ok_or_else(|| io::ErrorKind::InvalidData.into())
    }
}

/// Bytes, from the text of `/proc/PID/status`.
fn memory(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kilobytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_have_anything() {
        let text = "42 (a) b (c) S 1 42 42 0 -1 4194560 1 0 0 0 250 50 0 0 20 0 7 0 123456 1 2 3";
        let stat = Stat::read(text).expect("it is whole");
        let expected = Stat {
            name: "a) b (c".to_owned(),
            ended: false,
            processor_time: 300,
            threads: 7,
            began: 123_456,
        };
        assert_eq!(stat, expected);
        assert!(Stat::read("42 (dead) Z 1 42 42 0 -1 4 1 0 0 0 2 5 0 0 20 0 1 0 1 1").is_ok_and(|stat| stat.ended));
        for broken in ["", "42", "42 (a", "42 (a)", "42 (a) S 1 2", "42 ) S 1 2 ("] {
            assert!(Stat::read(broken).is_err(), "{broken}");
        }
    }

    #[test]
    fn memory_is_in_bytes() {
        assert_eq!(memory("Name:\tx\nVmRSS:\t    2048 kB\nThreads:\t1\n"), Some(2_097_152));
        assert_eq!(memory("Name:\tx\n"), None);
        assert_eq!(memory("VmRSS:\t18446744073709551615 kB\n"), None);
    }
}
