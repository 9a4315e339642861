//! Where proxies have their files, and which ports there are.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};

/// A folder of files; it goes when this is dropped.
pub(in crate::bench) struct Folder {
    path: PathBuf,
}

impl Folder {
    /// # Errors
    /// When it can't be made.
    pub(in crate::bench) fn make() -> Result<Folder, String> {
        let path = std::env::temp_dir().join(format!("portcullis-steady-{}", std::process::id()));
        // What an earlier process of the same number has left behind would be taken for ours.
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).map_err(|failure| failure.to_string())?;
        Ok(Folder { path })
    }

    pub(in crate::bench) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// Ports that are free now, and that the system gives to nobody who asks for any: a server that was killed must have its own
/// again, and whoever connects to it meanwhile must not get it as the port of his own.
///
/// # Errors
/// When there are not so many.
pub(in crate::bench) fn ports<const N: usize>() -> Result<[u16; N], String> {
    const LOWEST: u16 = 10_240;
    let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let first = range.split_whitespace().next().and_then(|first| first.parse().ok());
    let end = first.unwrap_or(32_768).max(LOWEST + 1);
    // Other runs on this machine begin elsewhere.
    let spread = u16::try_from(std::process::id() % u32::from(end - LOWEST)).unwrap_or(0);
    let mut found = [0; N];
    let mut candidates = (LOWEST + spread..end).chain(LOWEST..LOWEST + spread);
    for port in &mut found {
        *port = candidates
            .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
            .ok_or("no port is free")?;
    }
    Ok(found)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn ports_are_different_ones() {
        let [first, second, third] = ports().unwrap();
        assert!(first != second && second != third && first != third);
    }
}
