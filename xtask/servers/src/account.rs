//! Who runs a server.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

/// An account of this machine. The servers refuse to run as root, and an ordinary user can't become anybody else.
#[derive(Clone, Copy)]
pub(crate) struct Account {
    uid: u32,
    /// Who it has to become; nobody where it is us.
    other: Option<(u32, u32)>,
}

impl Account {
    /// The account of that name where we are root, our own otherwise.
    pub(crate) fn of_server(name: &str, package: &str) -> Result<Account, String> {
        let ours = rustix::process::geteuid();
        if !ours.is_root() {
            let uid = ours.as_raw();
            return Ok(Account { uid, other: None });
        }
        let accounts = std::fs::read_to_string("/etc/passwd").map_err(|failure| format!("/etc/passwd: {failure}"))?;
        let (uid, gid) = ids(&accounts, name)
            .ok_or_else(|| format!("there is no account `{name}`; on Debian, the package {package} makes it"))?;
        let other = Some((uid, gid));
        Ok(Account { uid, other })
    }

    pub(crate) fn uid(&self) -> u32 {
        self.uid
    }

    /// Has a command run by this account.
    pub(crate) fn runs(&self, command: &mut Command) {
        if let Some((uid, gid)) = self.other {
            // The groups that root is in are left by that, too.
            command.uid(uid).gid(gid);
        }
    }

    /// Gives it a file or folder.
    pub(crate) fn owns(&self, path: &Path) -> Result<(), String> {
        let Some((uid, gid)) = self.other else { return Ok(()) };
        std::os::unix::fs::chown(path, Some(uid), Some(gid)).map_err(|failure| format!("{}: {failure}", path.display()))
    }
}

fn ids(accounts: &str, name: &str) -> Option<(u32, u32)> {
    let line = accounts.lines().find(|line| line.split(':').next() == Some(name))?;
    let mut fields = line.split(':').skip(2);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_found_by_its_whole_name() {
        let accounts = "root:x:0:0:root:/root:/bin/bash\nmysqld:x:7:8::/:/bin/false\nmysql:x:105:113:MariaDB,,,:/nonexistent:/bin/false\n";
        assert_eq!(ids(accounts, "mysql"), Some((105, 113)));
        assert_eq!(ids(accounts, "postgres"), None);
    }
}
