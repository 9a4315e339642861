//! Compiled rule sets, shared by the routes that have the same, and kept while their files stay as they are.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::SystemTime;

use portcullis_waf::seclang::{self, Options, RuleSet, Source};

/// How many problems of rule files are told at once.
const MOST_TOLD: usize = 10;

/// Rule sets in use.
#[derive(Debug, Default)]
pub struct RuleSets(Mutex<HashMap<(Vec<Source>, Options), Known>>);

#[derive(Debug)]
struct Known {
    rules: Weak<RuleSet>,
    stamps: Vec<(PathBuf, Stamp)>,
}

/// What tells that a file was changed: when, and how long it is. `None` for one that isn't there.
type Stamp = Option<(SystemTime, u64)>;

impl RuleSets {
    /// The rule set of these sources: the one in use, or one that is compiled now.
    ///
    /// # Errors
    /// Says what in the files can't be run, with its place.
    pub(super) fn load(&self, sources: &[Source], options: &Options) -> Result<Arc<RuleSet>, String> {
        let key = (sources.to_vec(), options.clone());
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known.get(&key)
            && let Some(rules) = found.rules.upgrade()
            && found.stamps.iter().all(|(path, stamp)| stamp_of(path) == *stamp)
        {
            return Ok(rules);
        }
        let rules = seclang::load(sources, options).map_err(|problems| told(&problems))?;
        let rules = Arc::new(rules);
        known.retain(|_, known| known.rules.strong_count() > 0);
        let stamps = rules
            .files()
            .iter()
            .map(|path| (path.clone(), stamp_of(path)))
            .collect();
        let rules_in_use = Arc::downgrade(&rules);
        known.insert(
            key,
            Known {
                rules: rules_in_use,
                stamps,
            },
        );
        Ok(rules)
    }
}

fn stamp_of(path: &PathBuf) -> Stamp {
    let data = std::fs::metadata(path).ok()?;
    Some((data.modified().ok()?, data.len()))
}

fn told(problems: &[seclang::Problem]) -> String {
    let shown: Vec<String> = problems.iter().take(MOST_TOLD).map(ToString::to_string).collect();
    let more = problems.len().saturating_sub(MOST_TOLD);
    let rest = if more > 0 {
        format!("; and {more} more")
    } else {
        String::new()
    };
    format!("{}{rest}", shown.join("; "))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn rules_are_compiled_once_for_what_is_in_their_files() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.conf");
        std::fs::write(&file, "SecAction id:1,pass").unwrap();
        let sources = [Source::Path(folder.path().to_owned())];
        let sets = RuleSets::default();
        let first = sets.load(&sources, &Options::default()).unwrap();
        assert!(Arc::ptr_eq(&first, &sets.load(&sources, &Options::default()).unwrap()));
        std::fs::write(&file, "SecAction id:1,pass\nSecAction id:2,pass").unwrap();
        let second = sets.load(&sources, &Options::default()).unwrap();
        assert_eq!((first.len(), second.len()), (1, 2));
        std::fs::write(folder.path().join("b.conf"), "SecAction id:3,pass").unwrap();
        assert_eq!(sets.load(&sources, &Options::default()).unwrap().len(), 3);
        std::fs::write(&file, "SecNothing").unwrap();
        let problem = sets.load(&sources, &Options::default()).unwrap_err();
        assert!(
            problem.contains("a.conf:1") && problem.contains("SecNothing"),
            "{problem}"
        );
    }
}
