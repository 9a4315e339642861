use super::tree::{File, Tree};

const LONGEST_FILE: usize = 600;
const LONGEST_FUNCTION: usize = 100;

/// Names that say nothing of what is inside.
const EMPTY_NAMES: &[&str] = &[
    "util", "utils", "common", "helper", "helpers", "misc", "manager", "shared",
];

/// Written in halves, so that this file doesn't break the rule itself.
const LEFT_OVER: &[(&str, &str)] = &[
    ("TO", "DO"),
    ("FIX", "ME"),
    ("XX", "X"),
    ("todo", "!("),
    ("unimplemented", "!("),
    ("dbg", "!("),
    ("#[ign", "ore"),
];

pub(super) fn file_lengths(tree: &Tree) -> Vec<String> {
    let long = tree
        .ending(".rs")
        .map(|file| (file, file.text.lines().count()))
        .filter(|(_, lines)| *lines > LONGEST_FILE);
    long.map(|(file, lines)| format!("{}: {lines} lines", file.path))
        .collect()
}

pub(super) fn function_lengths(tree: &Tree) -> Vec<String> {
    tree.ending(".rs").flat_map(long_functions).collect()
}

fn long_functions(file: &File) -> Vec<String> {
    let mut broken = Vec::new();
    let lines: Vec<&str> = file.text.lines().collect();
    for (number, line) in lines.iter().enumerate() {
        let indent = line.len() - line.trim_start().len();
        let head = line.trim_start();
        if !(head.starts_with("fn ")
            || head.contains(" fn ")
                && (head.starts_with("pub") || head.starts_with("async") || head.starts_with("const")))
        {
            continue;
        }
        // Formatted as the tree is, a function ends at the first brace with its own indentation.
        let end = format!("{}}}", " ".repeat(indent));
        let length = lines[number..]
            .iter()
            .position(|line| **line == *end)
            .map_or(1, |length| length + 1);
        let has_body = lines[number..]
            .iter()
            .find(|line| line.trim_end().ends_with(['{', ';', '}']))
            .is_some_and(|line| !line.ends_with(';'));
        if has_body && length > LONGEST_FUNCTION {
            broken.push(file.at(number, &format!("{length} lines")));
        }
    }
    broken
}

pub(super) fn nothing_left_over(tree: &Tree) -> Vec<String> {
    let mut broken = Vec::new();
    for file in [".rs", ".md", ".toml", ".yaml", ".js", ".sql"]
        .iter()
        .flat_map(|end| tree.ending(end))
    {
        for (number, line) in file.text.lines().enumerate() {
            for (first, second) in LEFT_OVER {
                let word = format!("{first}{second}");
                if line.contains(&word) {
                    broken.push(file.at(number, &word));
                }
            }
        }
    }
    broken
}

pub(super) fn module_names(tree: &Tree) -> Vec<String> {
    let bad = tree
        .ending(".rs")
        .filter(|file| file.stem() == "mod" || EMPTY_NAMES.contains(&file.stem()));
    bad.map(|file| file.path.clone()).collect()
}
