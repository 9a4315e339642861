use super::tree::{File, Tree};

pub(super) fn policies_described(tree: &Tree) -> Vec<String> {
    const REFERENCE: &str = "docs/reference/policies.md";
    // What several policies can be told in the same words.
    const SHARED: [&str; 2] = ["mode", "on_failure"];
    let reference = tree.file(REFERENCE).map(|file| file.text.as_str()).unwrap_or_default();
    let policies = tree
        .files
        .iter()
        .filter(|file| direct_child(&file.path, "crates/config/src/policy/"));
    let policies = policies.filter(|file| !SHARED.contains(&file.stem()));
    let missing = policies.filter(|file| !reference.contains(&format!("\n## {}\n", file.stem())));
    missing
        .map(|file| format!("{REFERENCE}: no section `{}`", file.stem()))
        .collect()
}

fn direct_child(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder)
        .is_some_and(|name| !name.contains('/') && name.ends_with(".rs"))
}

pub(super) fn configurations_started(tree: &Tree) -> Vec<String> {
    const TEST: &str = "crates/gateway/tests/it/examples.rs";
    let test = tree.file(TEST).map(|file| file.text.as_str()).unwrap_or_default();
    let shipped = tree
        .ending(".yaml")
        .filter(|file| file.path.starts_with("examples/") || file.path.starts_with("conformance/peers/"));
    let missing = shipped.filter(|file| !test.contains(&file.path));
    missing
        .map(|file| format!("{}: {TEST} doesn't start it", file.path))
        .collect()
}

pub(super) fn changelog(tree: &Tree) -> Vec<String> {
    match tree.file("CHANGELOG.md") {
        Some(file) if file.text.contains("\n## [Unreleased]\n") => Vec::new(),
        _ => vec!["CHANGELOG.md: no section `## [Unreleased]`".to_owned()],
    }
}

pub(super) fn links(tree: &Tree) -> Vec<String> {
    tree.ending(".md").flat_map(|file| broken_links(tree, file)).collect()
}

fn broken_links(tree: &Tree, file: &File) -> Vec<String> {
    let mut broken = Vec::new();
    let mut within_code = false;
    for (number, line) in file.text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            within_code = !within_code;
        }
        if within_code {
            continue;
        }
        for target in targets(line) {
            if let Some(reason) = leads_nowhere(tree, file, target) {
                broken.push(file.at(number, &format!("{target}: {reason}")));
            }
        }
    }
    broken
}

/// What stands in `](…)`.
fn targets(line: &str) -> impl Iterator<Item = &str> {
    line.split("](")
        .skip(1)
        .filter_map(|rest| rest.split([')', ' ']).next())
}

fn leads_nowhere(tree: &Tree, file: &File, target: &str) -> Option<&'static str> {
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let (path, heading) = target.split_once('#').unwrap_or((target, ""));
    let text = if path.is_empty() {
        Some(file.text.as_str())
    } else {
        let place = file.folder().join(path).canonicalize().ok();
        let Some(place) = place else {
            return Some("there is no such file");
        };
        let known = tree
            .files
            .iter()
            .find(|known| crate::process::root().join(&known.path).canonicalize().ok().as_ref() == Some(&place));
        known.map(|known| known.text.as_str())
    };
    let missing = !heading.is_empty()
        && text.is_some_and(|text| !text.lines().any(|line| anchor(line).as_deref() == Some(heading)));
    missing.then_some("there is no such heading")
}

/// The name that a heading's link has, as GitHub makes it.
fn anchor(line: &str) -> Option<String> {
    let title = line.strip_prefix('#')?.trim_start_matches('#').trim();
    let kept = title
        .chars()
        .filter(|letter| letter.is_alphanumeric() || [' ', '-', '_'].contains(letter));
    Some(
        kept.map(|letter| {
            if letter == ' ' {
                '-'
            } else {
                letter.to_ascii_lowercase()
            }
        })
        .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_are_linked_as_github_does() {
        assert_eq!(anchor("## Adding a policy").as_deref(), Some("adding-a-policy"));
        assert_eq!(
            anchor("### `rate_limit`: how often?").as_deref(),
            Some("rate_limit-how-often")
        );
        assert_eq!(anchor("no heading"), None);
    }

    #[test]
    fn links_are_found() {
        assert_eq!(
            targets("see [a](b.md#c), [d](e) and (f)").collect::<Vec<_>>(),
            ["b.md#c", "e"]
        );
    }
}
