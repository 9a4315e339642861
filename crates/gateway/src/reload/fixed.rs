//! What a reload can't change.

use std::path::PathBuf;

use portcullis_config::listener::Admin;
use portcullis_config::{File, Loaded, Problem, Problems};

use crate::worker;

/// The keys of the file that a reload leaves as they were at the start.
pub(crate) const NEED_A_RESTART: [&str; 3] = ["workers", "admin", "state"];

/// What was decided at start and holds until the end of the process.
pub(crate) struct Fixed {
    /// As the file said it, for the effective configuration.
    workers: Option<u16>,
    count: usize,
    admin: Option<Admin>,
    state: Option<PathBuf>,
}

impl Fixed {
    /// What a file decides, and the number of workers that it comes to.
    pub(crate) fn new(file: &File, count: usize) -> Fixed {
        Fixed {
            workers: file.workers,
            count,
            admin: file.admin.clone(),
            state: file.state.clone(),
        }
    }

    /// Puts what was decided at start in place of what a new file says, and warns where that differs.
    ///
    /// # Errors
    /// When the file, or the environment, names no possible number of workers.
    pub(crate) fn keep(&self, loaded: &mut Loaded) -> Result<Vec<Problem>, Problems> {
        let mut warnings = Vec::new();
        let count = worker::count(loaded.file.workers).map_err(|why| Problems(vec![loaded.problem("workers", why)]))?;
        if count != self.count {
            let message = format!("the change from {} to {count} needs a restart", self.count);
            warnings.push(loaded.problem("workers", message));
        }
        let address = |admin: &Option<Admin>| {
            let bind = admin.as_ref().map(|admin| admin.bind.to_string());
            bind.unwrap_or_else(|| "none".to_owned())
        };
        let (then, now) = (address(&self.admin), address(&loaded.file.admin));
        if then != now {
            let message = format!("the change from {then} to {now} needs a restart");
            warnings.push(loaded.problem("admin", message));
        }
        let folder = |state: &Option<PathBuf>| {
            state
                .as_ref()
                .map_or("none".to_owned(), |path| path.display().to_string())
        };
        let (then, now) = (folder(&self.state), folder(&loaded.file.state));
        if then != now {
            let message = format!("the change from {then} to {now} needs a restart");
            warnings.push(loaded.problem("state", message));
        }
        self.put_into(&mut loaded.file);
        Ok(warnings)
    }

    /// Puts what was decided at start in place of what a file says.
    pub(crate) fn put_into(&self, file: &mut File) {
        file.workers = self.workers;
        file.state.clone_from(&self.state);
        file.admin.clone_from(&self.admin);
    }
}
