//! Where the programs of the servers are.

use std::path::{Path, PathBuf};

/// Which package of Debian brings a program.
const PACKAGES: &[(&str, &str)] = &[
    ("cp", "coreutils"),
    ("initdb", "postgresql"),
    ("mariadb", "mariadb-client"),
    ("mariadb-install-db", "mariadb-server"),
    ("mariadbd", "mariadb-server"),
    ("pgbouncer", "pgbouncer"),
    ("postgres", "postgresql"),
    ("psql", "postgresql"),
];

/// Where a program is: in the newest PostgreSQL of Debian, which keeps its programs out of the search path, in the search path,
/// or among the programs of administrators, whom an ordinary search path leaves out.
///
/// # Errors
/// Names the program that is missing, and its package.
pub fn program(name: &str) -> Result<PathBuf, String> {
    let versioned = newest_postgres().map(|(_, folder)| folder.join("bin"));
    let searched = std::env::var_os("PATH").unwrap_or_default();
    let administrators = ["/usr/local/sbin", "/usr/sbin"].map(PathBuf::from);
    versioned
        .into_iter()
        .chain(std::env::split_paths(&searched))
        .chain(administrators)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
        .ok_or_else(|| {
            let package = PACKAGES.iter().find(|(program, _)| *program == name);
            let package = package.map_or(name, |(_, package)| package);
            format!("`{name}` is missing; on Debian, as root: apt-get install {package}")
        })
}

/// The major version of the PostgreSQL that is started, where there is one: after it the packages of extensions are named.
#[must_use]
pub fn postgres_version() -> Option<u32> {
    newest_postgres().map(|(version, _)| version)
}

/// The newest PostgreSQL of Debian that has a server: its major version and its folder.
pub(crate) fn newest_postgres() -> Option<(u32, PathBuf)> {
    let versions = std::fs::read_dir(Path::new("/usr/lib/postgresql")).ok()?;
    versions
        .filter_map(|entry| {
            let folder = entry.ok()?.path();
            let version = folder.file_name()?.to_str()?.parse().ok()?;
            folder.join("bin/postgres").is_file().then_some((version, folder))
        })
        .max()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named_with_its_package() {
        let reason = program("no-such-program").unwrap_err();
        assert!(reason.contains("apt-get install no-such-program"), "{reason}");
        assert!(program("postgres").unwrap().starts_with("/usr"));
    }
}
