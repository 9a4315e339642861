//! Whatever stands in a file, reading it ends with a configuration or with problems.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::io;
use std::path::Path;

use portcullis_config::{Loaded, Problems};
use proptest::prelude::{Strategy, any, prop, prop_oneof};
use proptest::sample::Index;
use proptest::{prop_assert, proptest};

fn parse(text: &str) -> Result<Loaded, Problems> {
    let read = |_: &Path| Err(io::Error::other("there is no such file"));
    portcullis_config::parse(text, Path::new("portcullis.yaml"), &|name| Some(name.to_owned()), &read)
}

/// Each of the golden files.
fn samples() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    let mut paths: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    paths.sort();
    paths.iter().map(|path| fs::read_to_string(path).unwrap()).collect()
}

/// A piece that means something to YAML or to us.
fn piece() -> impl Strategy<Value = String> {
    const WORDS: &[&str] = &[
        "{", "}", "[", "]", ": ", "- ", "\n", "  ", "${A}", "$", "\"", "'", "&a ", "*a", "!", "|", "#", "~", "0",
        "routes", "to",
    ];
    prop_oneof![
        prop::sample::select(WORDS).prop_map(str::to_owned),
        any::<char>().prop_map(String::from)
    ]
}

/// Replaces some characters of a text by pieces.
fn changed(text: &str, changes: &[(Index, usize, String)]) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    for (at, length, piece) in changes {
        let start = at.index(chars.len() + 1);
        let end = (start + length).min(chars.len());
        chars.splice(start..end, piece.chars());
    }
    chars.into_iter().collect()
}

proptest! {
    #[test]
    fn no_text_is_a_panic(text in prop::collection::vec(piece(), 0..60)) {
        if let Err(problems) = parse(&text.concat()) {
            prop_assert!(!problems.0.is_empty());
        }
    }

    #[test]
    fn no_slip_is_a_panic(
        sample in prop::sample::select(samples()),
        changes in prop::collection::vec((any::<Index>(), 0..4usize, piece()), 1..6),
    ) {
        match parse(&changed(&sample, &changes)) {
            // What passed every check can be read by the types: they and the schema agree.
            Err(problems) => prop_assert!(!problems.to_string().contains("can't be understood"), "{problems}"),
            Ok(loaded) => prop_assert!(!loaded.file.routes.is_empty()),
        }
    }

    #[test]
    fn every_path_has_a_place(path in "[a-z.\\[\\]0-9]{0,20}", sample in prop::sample::select(samples())) {
        if let Ok(loaded) = parse(&sample) {
            prop_assert!(loaded.problem(&path, "so").place.is_some());
        }
    }
}
