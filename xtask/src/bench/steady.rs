//! What measurements at fixed rates have in common: the load, targets whose faults are commanded, and proxies that live through
//! changes.

pub(super) mod client;
pub(super) mod place;
pub(super) mod report;
pub(super) mod subject;
pub(super) mod target;

use std::path::PathBuf;

use super::load_process::Load;
use super::options::Options;
use super::proxies::find;
use crate::process;

/// The programs of a measurement.
pub(super) struct Programs {
    pub(super) load: PathBuf,
    ours: PathBuf,
}

impl Programs {
    /// Builds what has to be built. The variables `PORTCULLIS` and `PORTCULLIS_LOAD` name binaries to take in place of those
    /// that are built now.
    ///
    /// # Errors
    /// When something can't be built.
    pub(super) fn build(options: &Options) -> Result<Programs, String> {
        let load = match std::env::var_os("PORTCULLIS_LOAD") {
            Some(path) => path.into(),
            None => Load::build(!options.debug)?.into_program(),
        };
        let ours = match std::env::var_os("PORTCULLIS") {
            Some(path) => path.into(),
            None => process::portcullis(!options.debug)?,
        };
        Ok(Programs { load, ours })
    }

    /// The program of a proxy, where there is one.
    pub(super) fn of(&self, kind: subject::Kind) -> Option<PathBuf> {
        match kind {
            subject::Kind::Portcullis => Some(self.ours.clone()),
            _ => find(kind.name()),
        }
    }
}
