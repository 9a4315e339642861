//! Folders that go with the process, and data that is initialised once.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::account::Account;
use crate::programs::program;

/// Reads the numbers of processes until we are gone, which closes its standard input, however we ended: by a signal that nobody
/// can handle, too. Then it ends the last one, as it ends without leaving shared memory behind, and removes the folder.
/// A parent's death signal would not do: it comes when the thread ends that started the process.
const KEEPER: &str = r#"
trap '' HUP INT TERM
runs() {
    read -r status <"/proc/$server/stat" || return 1
    case "$status" in *") Z "*) return 1 ;; esac
}
while read -r number; do server=$number; done
if [ -n "$server" ] && kill -s "$2" "$server"; then
    kill -s CONT "$server"
    tries=0
    while [ $tries -lt 100 ] && runs; do sleep 0.05; tries=$((tries + 1)); done
    kill -s KILL "$server"
fi
rm -rf -- "$1"
"#;

/// A temporary folder. It is removed when this is dropped and when this process ends, with the server that runs in it.
pub(crate) struct Folder {
    path: PathBuf,
    keeper: Child,
}

impl Folder {
    /// An empty one that the account owns. The signal is what ends its server at once.
    pub(crate) fn new(name: &str, account: &Account, signal: &str) -> Result<Folder, String> {
        let path = std::env::temp_dir().join(unique(&format!("portcullis-{name}")));
        let said = |failure: std::io::Error| format!("{}: {failure}", path.display());
        std::fs::create_dir(&path).map_err(said)?;
        account.owns(&path)?;
        let keeper = Command::new("sh")
            .args(["-c", KEEPER, "keeper"])
            .args([path.as_os_str(), signal.as_ref()])
            .current_dir("/")
            // A group of its own: what is typed at the terminal is for us, and it cleans up afterwards.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|failure| format!("sh can't be run: {failure}"))?;
        Ok(Folder { path, keeper })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Which process is the server in it; nothing when it has ended.
    pub(crate) fn keep(&self, server: Option<u32>) -> Result<(), String> {
        let number = server.map_or_else(String::new, |number| number.to_string());
        let line = format!("{number}\n");
        let mut pipe = self.keeper.stdin.as_ref().expect("its standard input is ours");
        pipe.write_all(line.as_bytes())
            .map_err(|failure| format!("the keeper of {} is gone: {failure}", self.path.display()))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Waiting closes its standard input first.
        let _ = self.keeper.wait();
    }
}

/// Puts a copy of initialised data at a place. It is made once, in a folder that is given, and kept beside what Cargo makes.
pub(crate) fn initialised(
    name: &str,
    account: &Account,
    place: &Path,
    make: impl FnOnce(&Path) -> Result<(), String>,
) -> Result<(), String> {
    let kept = target().join("servers").join(format!("{name}-{}", account.uid()));
    if !kept.is_dir() {
        // The account may not be allowed into the checkout, so that it is made elsewhere.
        let folder = Folder::new(&format!("{name}-new"), account, "KILL")?;
        let made = folder.path().join("data");
        make(&made)?;
        let said = |failure: std::io::Error| format!("{}: {failure}", kept.display());
        std::fs::create_dir_all(target().join("servers")).map_err(said)?;
        let nearly = kept.with_file_name(unique(name));
        copy(&made, &nearly)?;
        // Whole or not at all, and another process may have been first: then the renaming fails, and its data will do.
        if let Err(failure) = std::fs::rename(&nearly, &kept) {
            let _ = std::fs::remove_dir_all(&nearly);
            if !kept.is_dir() {
                return Err(said(failure));
            }
        }
    }
    copy(&kept, place)
}

/// Copies a folder with its owners.
fn copy(from: &Path, to: &Path) -> Result<(), String> {
    let output = Command::new(program("cp")?)
        .args(["-a", "--reflink=auto", "-T", "--"])
        .args([from, to])
        .stdin(Stdio::null())
        .output()
        .map_err(|failure| format!("cp can't be run: {failure}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("copying {}: {}", from.display(), said.trim()))
}

/// A name that no other process and no other thread uses.
pub(crate) fn unique(name: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let moment = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.subsec_nanos());
    format!("{name}-{}-{moment:x}-{count}", std::process::id())
}

/// Where Cargo puts what it makes.
fn target() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let folder = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    root.join(folder)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use std::io::{BufRead, BufReader, Read};
    use std::time::{Duration, Instant};

    use crate::postgres::Postgres;

    use super::*;

    const STARTING: &str = "PORTCULLIS_SERVERS_TEST";

    #[test]
    fn nothing_outlives_a_process_that_is_killed() {
        if std::env::var_os(STARTING).is_some() {
            start_and_wait();
            return;
        }
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "--nocapture",
                "folder::tests::nothing_outlives_a_process_that_is_killed",
            ])
            .env(STARTING, "yes")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let said = BufReader::new(process.stdout.take().unwrap());
        let line = said
            .lines()
            .map(Result::unwrap)
            .find_map(|line| line.split_once("started ").map(|(_, rest)| rest.to_owned()));
        let (number, folder) = line.as_deref().unwrap().split_once(' ').unwrap();
        let server = Path::new("/proc").join(number).join("exe");
        assert!(Path::new(folder).join("data").exists() && server.exists());
        process.kill().unwrap();
        process.wait().unwrap();
        let deadline = Instant::now() + Duration::from_secs(30);
        while Path::new(folder).exists() || server.exists() {
            assert!(Instant::now() < deadline, "{folder} and {number} are there");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// On a thread that ends before the process does, as the threads of tests do.
    #[allow(clippy::print_stdout, reason = "the other process reads it")]
    fn start_and_wait() {
        let server = std::thread::spawn(|| Postgres::start().unwrap()).join().unwrap();
        println!("started {} {}", server.pid().unwrap(), server.folder().display());
        let _ = std::io::stdin().read(&mut [0]);
    }
}
