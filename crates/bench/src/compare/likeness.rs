//! Whether runs were made alike, so that what differs in them is the target.

use crate::environment;
use crate::summary::Summary;

/// In what some run differs from the first, as sentences, each once.
pub(super) fn differences(base: &[Summary], head: &[Summary], targets_may_differ: bool) -> Vec<String> {
    let mut found = Vec::new();
    let Some((first, rest)) = base.split_first() else {
        return found;
    };
    for run in rest.iter().chain(head) {
        let mut unlike = |what: &str, one: &str, other: &str| {
            let sentence = format!("The {what} isn't the same: `{one}` and `{other}`.");
            if one != other && !found.contains(&sentence) {
                found.push(sentence);
            }
        };
        unlike("profile", &first.profile, &run.profile);
        if !targets_may_differ {
            unlike("name", &first.name, &run.name);
            unlike("target", &first.target, &run.target);
        }
        for difference in environment::differences(&first.environment, &run.environment) {
            let sentence = difference.to_string();
            if difference.matters && !found.contains(&sentence) {
                found.push(sentence);
            }
        }
    }
    found
}

/// What may well differ but ought to be known, such as the commit.
pub(super) fn told(base: &[&Summary], head: &[&Summary]) -> Vec<String> {
    let (Some(base), Some(head)) = (base.last(), head.last()) else {
        return Vec::new();
    };
    let all = environment::differences(&base.environment, &head.environment);
    let told = all.into_iter().filter(|difference| !difference.matters);
    told.map(|difference| difference.to_string()).collect()
}
