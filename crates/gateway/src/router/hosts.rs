//! From a host to the paths that are claimed on it.

use std::borrow::Cow;

use super::host_pattern::{HostPattern, LONGEST_HOST};
use super::text_map::TextMap;
use super::tree::Tree;

/// The paths of each host pattern.
#[derive(Debug, Default)]
pub(super) struct Hosts {
    trees: Vec<Tree>,
    exact: TextMap<usize>,
    /// By what follows `*.`.
    below: TextMap<usize>,
    any: Option<usize>,
    longest_below: usize,
}

impl Hosts {
    /// The paths of that pattern, or of the rules without a host.
    pub(super) fn tree_mut(&mut self, pattern: Option<&HostPattern>) -> &mut Tree {
        let next = self.trees.len();
        let at = match pattern {
            None => *self.any.get_or_insert(next),
            Some(HostPattern::Exact(host)) => *self.exact.get_or_insert(host, next),
            Some(HostPattern::Below(suffix)) => {
                self.longest_below = self.longest_below.max(suffix.len());
                *self.below.get_or_insert(suffix, next)
            }
        };
        if at == next {
            self.trees.push(Tree::default());
        }
        &mut self.trees[at]
    }

    /// Whether there is a pattern at all.
    pub(super) fn has_names(&self) -> bool {
        !self.exact.is_empty() || !self.below.is_empty()
    }

    /// As [`Hosts::tree_mut`], where there is one.
    pub(super) fn tree(&self, pattern: Option<&HostPattern>) -> Option<&Tree> {
        let at = match pattern {
            None => self.any,
            Some(HostPattern::Exact(host)) => self.exact.get(host).copied(),
            Some(HostPattern::Below(suffix)) => self.below.get(suffix).copied(),
        };
        at.map(|at| &self.trees[at])
    }

    /// The paths of all patterns that match a host in normal form, the most specific pattern first.
    pub(super) fn trees<'s>(&'s self, host: &'s str) -> impl Iterator<Item = &'s Tree> {
        let exact = self.exact.get(host).copied();
        // Suffixes that are longer than any pattern's are not looked up: a host of a hundred labels costs little.
        let below = suffixes(if self.below.is_empty() { "" } else { host })
            .skip_while(|suffix| suffix.len() > self.longest_below)
            .filter_map(|suffix| self.below.get(suffix).copied());
        exact.into_iter().chain(below).chain(self.any).map(|at| &self.trees[at])
    }
}

/// What stands behind each dot of a host but for a leading one, the longest first.
fn suffixes(host: &str) -> impl Iterator<Item = &str> {
    host.match_indices('.')
        .filter(|(at, _)| *at > 0)
        .map(|(at, _)| &host[at + 1..])
}

/// A host as patterns write it: in small letters, without port and trailing dot. Empty for one that no pattern can
/// match because it is too long.
pub(super) fn normal(host: &str) -> Cow<'_, str> {
    let host = match host.rfind(':') {
        Some(colon) if !host[colon..].contains(']') => &host[..colon],
        _ => host,
    };
    let host = host.strip_suffix('.').unwrap_or(host);
    if host.len() > LONGEST_HOST {
        return Cow::Borrowed("");
    }
    if host.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Cow::Owned(host.to_ascii_lowercase());
    }
    Cow::Borrowed(host)
}

#[cfg(test)]
mod tests {
    use super::{normal, suffixes};

    #[test]
    fn hosts_have_one_form() {
        let long = "a".repeat(254);
        for (host, expected) in [
            ("example.com", "example.com"),
            ("EXAMPLE.com.:8080", "example.com"),
            ("example.com.", "example.com"),
            ("[::1]:80", "[::1]"),
            ("[::1]", "[::1]"),
            ("", ""),
            (":80", ""),
            (long.as_str(), ""),
        ] {
            assert_eq!(normal(host), expected);
        }
    }

    #[test]
    fn suffixes_shrink_and_never_are_the_whole() {
        assert_eq!(suffixes("a.b.c").collect::<Vec<_>>(), ["b.c", "c"]);
        assert_eq!(suffixes(".b").count(), 0);
    }
}
