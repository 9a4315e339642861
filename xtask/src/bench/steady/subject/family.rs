//! All processes of a proxy, also those that outlived the one that was started from here.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitOptions, kill_process, set_child_subreaper, waitpid};

use crate::bench::process_tree;

/// How long they have to end by themselves.
const GRACE: Duration = Duration::from_secs(2);

/// Processes below this one that run a certain program.
pub(super) struct Family {
    program: PathBuf,
}

impl Family {
    /// From now on those whose parent ends are children of this process, so that none gets lost.
    ///
    /// # Errors
    /// When the system has no such thing.
    pub(super) fn begin() -> Result<Family, String> {
        let own = i32::try_from(std::process::id()).ok().and_then(Pid::from_raw);
        set_child_subreaper(own).map_err(|failure| failure.to_string())?;
        Ok(Family {
            program: PathBuf::new(),
        })
    }

    /// Learns which program it is: what is started may be a script that starts it, and may have ended by now.
    pub(super) fn know(&mut self, program: &Path, process: u32) {
        self.program = image(process)
            .or_else(|| fs::canonicalize(program).ok())
            .unwrap_or_else(|| program.to_owned());
    }

    pub(super) fn members(&self) -> Vec<u32> {
        process_tree::members(std::process::id())
            .into_iter()
            .filter(|member| image(*member).is_some_and(|image| image == self.program))
            .collect()
    }

    /// The member that was started last.
    pub(super) fn youngest(&self) -> Option<u32> {
        self.members().into_iter().max_by_key(|member| started(*member))
    }

    /// Ends all of them.
    pub(super) fn end(&self, children: &mut [Child]) {
        let mut known = self.members();
        known.extend(children.iter().map(Child::id));
        for member in &known {
            let _ = signal(*member, Signal::TERM);
        }
        let deadline = Instant::now() + GRACE;
        while !self.members().is_empty() && Instant::now() < deadline {
            reap(children, &known);
            std::thread::sleep(Duration::from_millis(20));
        }
        known.extend(self.members());
        for member in self.members() {
            let _ = signal(member, Signal::KILL);
        }
        for child in children.iter_mut() {
            let _ = child.kill();
            let _ = child.wait();
        }
        reap(children, &known);
    }
}

/// Takes note of those that have ended and have no other parent than this process.
fn reap(children: &[Child], known: &[u32]) {
    let orphans = known
        .iter()
        .filter(|member| !children.iter().any(|child| child.id() == **member));
    for orphan in orphans.filter_map(|member| pid(*member)) {
        let _ = waitpid(Some(orphan), WaitOptions::NOHANG);
    }
}

/// # Errors
/// When there is no such process.
pub(super) fn signal(process: u32, signal: Signal) -> Result<(), String> {
    let pid = pid(process).ok_or("no process has such a number")?;
    kill_process(pid, signal).map_err(|failure| format!("process {process}: {failure}"))
}

fn pid(process: u32) -> Option<Pid> {
    i32::try_from(process).ok().and_then(Pid::from_raw)
}

/// The program that a process runs; none, when it has ended.
fn image(process: u32) -> Option<PathBuf> {
    let link = fs::read_link(format!("/proc/{process}/exe")).ok()?;
    // A binary that was replaced is the same for us.
    let text = link.to_str()?;
    Some(PathBuf::from(text.strip_suffix(" (deleted)").unwrap_or(text)))
}

/// When a process began, in ticks since the machine did; two of one tick have different numbers.
fn started(process: u32) -> (u64, u32) {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let began = text
        .rsplit_once(") ")
        .and_then(|(_, rest)| rest.split(' ').nth(19)?.parse().ok());
    (began.unwrap_or_default(), process)
}
