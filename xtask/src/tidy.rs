//! `cargo xtask tidy`: the rules of the source tree that no compiler knows. An ordinary test as well.

mod crates;
mod documents;
mod source;
mod text;
mod tree;

use tree::Tree;

/// A rule gives back what breaks it, each with its place.
type Rule = fn(&Tree) -> Vec<String>;

const RULES: &[(&str, Rule)] = &[
    ("no binary files", text::no_binaries),
    (
        "no tabs, no spaces at the end of a line, one line end at the end of a file",
        text::whitespace,
    ),
    ("a source file has at most 600 lines", source::file_lengths),
    ("a function has at most 100 lines", source::function_lengths),
    ("nothing is left to be done later", source::nothing_left_over),
    ("modules are named for what they are", source::module_names),
    ("a crate depends on nothing that it must not know", crates::absences),
    (
        "each policy has its section in the reference",
        documents::policies_described,
    ),
    (
        "each configuration that we ship is started by a test",
        documents::configurations_started,
    ),
    ("relative links lead somewhere", documents::links),
    ("the changelog has room for what comes", documents::changelog),
];

/// Checks every rule.
///
/// # Errors
/// Lists what breaks the rules.
pub(crate) fn run() -> Result<(), String> {
    let tree = Tree::read()?;
    let mut report = String::new();
    for (name, rule) in RULES {
        let broken = rule(&tree);
        if !broken.is_empty() {
            report.push_str(&format!("{name}:\n  {}\n", broken.join("\n  ")));
        }
    }
    if report.is_empty() { Ok(()) } else { Err(report) }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_tree_is_tidy() {
        if let Err(report) = super::run() {
            panic!("{report}");
        }
    }
}
