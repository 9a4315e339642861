use super::tree::Tree;

/// What a reviewer can't read has no place here.
pub(super) fn no_binaries(tree: &Tree) -> Vec<String> {
    let binary = tree
        .files
        .iter()
        .filter(|file| !seed(&file.path))
        .filter(|file| file.bytes.contains(&0) || (file.text.is_empty() && !file.bytes.is_empty()));
    binary.map(|file| file.path.clone()).collect()
}

pub(super) fn whitespace(tree: &Tree) -> Vec<String> {
    let mut broken = Vec::new();
    for file in tree.files.iter().filter(|file| !exempt(&file.path)) {
        for (number, line) in file.text.split('\n').enumerate() {
            if line.contains('\t') {
                broken.push(file.at(number, "a tab"));
            }
            if line.ends_with([' ', '\r']) {
                broken.push(file.at(number, "a space or carriage return at the end of the line"));
            }
        }
        if !file.text.is_empty() && (!file.text.ends_with('\n') || file.text.ends_with("\n\n")) {
            broken.push(format!("{}: must end with exactly one line end", file.path));
        }
    }
    broken
}

/// Seeds of the fuzzer are whatever a parser may be given.
fn seed(path: &str) -> bool {
    path.starts_with("fuzz/seeds/")
}

/// Test data is as odd as it has to be, and the licences are as their authors wrote them.
fn exempt(path: &str) -> bool {
    seed(path) || path.contains("/testdata/") || path.ends_with(".proptest-regressions") || path.starts_with("LICENSE-")
}
