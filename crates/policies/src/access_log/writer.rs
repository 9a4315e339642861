//! The thread that writes the lines of one destination.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use super::sink::{Destination, Shared};

/// How long lines are gathered before they are written together.
const GATHER: Duration = Duration::from_millis(50);

/// How long to wait for room where the output doesn't make us wait by itself.
const RETRY: Duration = Duration::from_millis(5);

/// The thread that writes to one destination. It sleeps while there is nothing to write.
pub(super) struct Writer {
    destination: Destination,
    file: File,
    shared: Arc<Shared>,
    /// Whether the last write ended within a line.
    torn: bool,
}

impl Writer {
    pub(super) fn open(destination: Destination, shared: Arc<Shared>) -> Result<Writer, String> {
        let file = open(&destination).map_err(|error| match &destination {
            Destination::StandardOutput => format!("standard output can't be used for the access log: {error}"),
            Destination::File(path) => unusable(path, &error),
        })?;
        Ok(Writer {
            destination,
            file,
            shared,
            torn: false,
        })
    }

    pub(super) fn run(mut self) {
        let mut batch = Vec::new();
        loop {
            let is_called = || {
                let flags = [&self.shared.pending, &self.shared.reopen, &self.shared.closing];
                flags.iter().any(|flag| flag.load(Ordering::SeqCst))
            };
            while !is_called() {
                thread::park();
            }
            if !self.shared.reopen.load(Ordering::SeqCst) && !self.shared.closing.load(Ordering::SeqCst) {
                thread::park_timeout(GATHER);
            }
            if self.shared.reopen.swap(false, Ordering::SeqCst) {
                self.reopen();
            }
            // Read before the buffers are: a line that was there when closing began is written.
            let closing = self.shared.closing.load(Ordering::SeqCst);
            self.shared.pending.store(false, Ordering::SeqCst);
            let shared = Arc::clone(&self.shared);
            shared.take_all(&mut batch, |lines| self.write(lines));
            if closing {
                return;
            }
        }
    }

    fn reopen(&mut self) {
        match open(&self.destination) {
            Ok(file) => (self.file, self.torn) = (file, false),
            Err(_) => self.count_failure(),
        }
    }

    /// Writes lines. What can't be written is lost and counted: waiting for a full disk would only lose more.
    fn write(&mut self, lines: &[u8]) {
        if self.torn && !matches!(self.file.write(b"\n"), Ok(1)) {
            self.lose(lines);
            return;
        }
        self.torn = false;
        let mut rest = lines;
        while !rest.is_empty() {
            match self.file.write(rest) {
                Ok(0) => return self.lose_from(lines, rest),
                Ok(written) => rest = &rest[written..],
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(RETRY),
                Err(_) => return self.lose_from(lines, rest),
            }
        }
    }

    fn lose_from(&mut self, lines: &[u8], rest: &[u8]) {
        let written = &lines[..lines.len() - rest.len()];
        self.torn = written.last().is_some_and(|byte| *byte != b'\n');
        self.lose(rest);
    }

    fn lose(&self, lines: &[u8]) {
        self.count_failure();
        let lost = lines.iter().filter(|byte| **byte == b'\n').count();
        self.shared.totals.dropped.fetch_add(lost as u64, Ordering::Relaxed);
    }

    fn count_failure(&self) {
        self.shared.totals.failed_writes.fetch_add(1, Ordering::Relaxed);
    }
}

/// Whether a file could be opened, found out without creating it.
pub(super) fn check(path: &Path) -> Result<(), String> {
    let outcome = match path.metadata() {
        Ok(found) if found.is_file() => OpenOptions::new().append(true).open(path).map(drop),
        Ok(found) if found.is_dir() => Err(ErrorKind::IsADirectory.into()),
        // To open a pipe would wait for its reader.
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => folder_of(path).metadata().map(drop),
        Err(error) => Err(error),
    };
    outcome.map_err(|error| unusable(path, &error))
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

fn unusable(path: &Path, error: &io::Error) -> String {
    let folder = folder_of(path);
    if error.kind() == ErrorKind::NotFound && !folder.exists() {
        return format!(
            "the access log {} can't be opened: there is no folder {}; create it",
            path.display(),
            folder.display()
        );
    }
    format!("the access log {} can't be opened: {error}", path.display())
}

fn open(destination: &Destination) -> io::Result<File> {
    match destination {
        // A descriptor of our own: no lock and no buffer are shared with whoever else prints.
        Destination::StandardOutput => Ok(File::from(io::stdout().as_fd().try_clone_to_owned()?)),
        // Not for everybody to read: it tells who asked for what.
        Destination::File(path) => OpenOptions::new().append(true).create(true).mode(0o640).open(path),
    }
}
