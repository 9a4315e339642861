//! A file with a run on each line (JSON Lines).

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use super::{Kept, Line, MOST_BYTES_OF_LINE, Owner, Store, Trouble, damaged};

/// The largest file: some thousands of runs.
const MOST_BYTES: u64 = 64 << 20;

/// Baselines of any names in one file, which is made when the first is kept.
///
/// Several processes may add at a time. What a process didn't finish writing before it died is passed over by readers, and removed by
/// whoever writes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    path: PathBuf,
}

impl File {
    /// The file at a path.
    pub fn at(path: impl Into<PathBuf>) -> File {
        File { path: path.into() }
    }

    fn place(&self, number: usize) -> String {
        format!("line {number} of {}", self.path.display())
    }

    fn trouble(&self, what: &str, error: &io::Error) -> Trouble {
        Trouble(format!("{} can't be {what}: {error}", self.path.display()))
    }
}

impl Store for File {
    fn add(&self, _name: &str, line: &str) -> Result<(), Trouble> {
        let written = |error| self.trouble("written", &error);
        if let Some(folder) = self.path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::create_dir_all(folder).map_err(written)?;
        }
        let mut options = OpenOptions::new();
        let mut file = options
            .read(true)
            .append(true)
            .create(true)
            .open(&self.path)
            .map_err(written)?;
        // It is given up with the file. Without it, two that repair the end at once would remove what the other has written.
        flock(&file, FlockOperation::LockExclusive).map_err(|error| written(error.into()))?;
        let begin = repair(&mut file).map_err(written)?;
        if begin + line.len() as u64 + 1 > MOST_BYTES {
            return Err(Trouble(format!(
                "{} is full: it may have {MOST_BYTES} bytes; remove old lines, or begin another file",
                self.path.display()
            )));
        }
        let added = file
            .write_all(format!("{line}\n").as_bytes())
            .and_then(|()| file.sync_data());
        added.map_err(|error| {
            // Half a line would be repaired by the next one anyway; this may free the space that was wanting.
            let _ = file.set_len(begin);
            written(error)
        })
    }

    fn lines(&self, name: Option<&str>) -> Result<Vec<Line>, Trouble> {
        let bytes = read(&self.path).map_err(|error| self.trouble("read", &error))?;
        let mut found = Vec::new();
        for (index, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
            let place = self.place(index + 1);
            match owned(line) {
                Ok(None) => {}
                Ok(Some((owner, text))) => {
                    if name.is_none_or(|name| name == owner) {
                        let text = text.to_owned();
                        found.push(Line { place, text });
                    }
                }
                // Whoever wrote it died meanwhile, or is still writing.
                Err(_) if !line.ends_with(b"\n") => {}
                Err(why) => return Err(damaged(&place, &why)),
            }
        }
        Ok(found)
    }
}

/// Whose a line is, and its text; nothing for an empty one.
fn owned(line: &[u8]) -> Result<Option<(String, &str)>, String> {
    if line.len() > MOST_BYTES_OF_LINE + 1 {
        return Err(format!("it has more than {MOST_BYTES_OF_LINE} bytes"));
    }
    let text = str::from_utf8(line).map_err(|error| error.to_string())?.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let owner: Owner = serde_json::from_str(text).map_err(|error| error.to_string())?;
    Ok(Some((owner.baseline, text)))
}

/// The whole file; nothing where there is none.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let file = match fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    file.take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 <= MOST_BYTES {
        true => Ok(bytes),
        false => Err(io::Error::other(format!("it has more than {MOST_BYTES} bytes"))),
    }
}

/// Makes the file end with a whole line, and gives its length: a last line without a break gets one if it is whole, and is removed
/// otherwise.
fn repair(file: &mut fs::File) -> io::Result<u64> {
    let length = file.metadata()?.len();
    let back = length.min(MOST_BYTES_OF_LINE as u64 + 1);
    file.seek(SeekFrom::Start(length - back))?;
    let mut end = Vec::new();
    file.take(back).read_to_end(&mut end)?;
    let whole = end.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let torn = &end[whole..];
    if torn.is_empty() {
        return Ok(length);
    }
    if whole == 0 && back < length {
        return Err(io::Error::other("its last line is too long; it is no file of runs"));
    }
    if serde_json::from_slice::<Kept>(torn).is_ok() {
        file.write_all(b"\n")?;
        return Ok(length + 1);
    }
    // A file of another kind, named by mistake, is none that may be cut.
    if length > 0 && !torn.starts_with(b"{\"baseline\":") && !b"{\"baseline\":".starts_with(torn) {
        return Err(io::Error::other("its last line is none of ours; it is no file of runs"));
    }
    let length = length - torn.len() as u64;
    file.set_len(length)?;
    Ok(length)
}
