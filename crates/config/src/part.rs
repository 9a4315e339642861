//! Targets that come from elsewhere than the configuration file, by the same rules.

use std::io;
use std::path::Path;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::document::{self, Form};
use crate::load::read_text;
use crate::problem::Problems;
use crate::service::Target;
use crate::service::discover::TargetList;
use crate::structure::Surroundings;

/// The largest file of targets: some two hundred bytes for each that there may be.
const MAX_BYTES: u64 = 1024 * 1024;

/// Reads a file of targets, as `discover: {file: …}` names one.
///
/// # Errors
/// Everything that is wrong with it, with line and column.
pub fn read_targets(path: &Path) -> Result<Vec<Target>, Problems> {
    let text = read_text(path, MAX_BYTES).map_err(|error| document::unreadable(path, &error))?;
    parse::<TargetList>(&text, &path.display().to_string()).map(|list| list.targets)
}

/// The target that a text of YAML or JSON describes: an item of `targets`. `name` stands for the text in problems.
///
/// # Errors
/// Everything that is wrong with it.
pub fn parse_target(text: &str, name: &str) -> Result<Target, Problems> {
    parse::<Target>(text, name)
}

fn parse<T: JsonSchema + DeserializeOwned>(text: &str, name: &str) -> Result<T, Problems> {
    let form = Form {
        name,
        needs: "targets; `[]` says that there are none",
        most: MAX_BYTES,
    };
    // Whoever writes such a text need not be allowed to see the gate's environment or files.
    let surroundings = Surroundings {
        base: Path::new(""),
        environment: &|_| None,
        read: &|_| Err(io::ErrorKind::PermissionDenied.into()),
    };
    document::read(text, &form, &surroundings).map(|document| document.value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<&[(&str, u32, u8)], &str>) {
        let read = parse::<TargetList>(text, "targets.yaml");
        match (read, expected) {
            (Ok(list), Ok(expected)) => {
                let found: Vec<_> = list
                    .targets
                    .iter()
                    .map(|it| (&*it.url, it.weight, it.priority))
                    .collect();
                assert_eq!(found, expected, "{text}");
            }
            (Err(problems), Err(part)) => assert!(problems.to_string().contains(part), "{problems}"),
            (read, _) => panic!("{text}: {read:?}"),
        }
    }

    #[test]
    fn a_list_of_targets_is_read_in_each_of_its_forms() {
        check("- http://10.0.0.1:9000\n", Ok(&[("http://10.0.0.1:9000", 1, 0)]));
        check(
            "targets:\n  - {url: http://a:1, weight: 3}\n  - {url: http://b:1, priority: 1}\n",
            Ok(&[("http://a:1", 3, 0), ("http://b:1", 1, 1)]),
        );
        check(
            r#"[{"url": "http://a:1"}, "http://b:2"]"#,
            Ok(&[("http://a:1", 1, 0), ("http://b:2", 1, 0)]),
        );
        check("[]", Ok(&[]));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        check("", Err("the file is empty; it needs targets"));
        check(
            "- http://a:1\n- {url: http://b:1, wieght: 2}\n",
            Err("targets.yaml:2:21"),
        );
        check("- http://a:1/path\n", Err("targets.yaml:1:3"));
        check("- {url: http://a:1, weight: 0}\n", Err("targets.yaml:1:"));
        check("- {url: http://a:1\n", Err("this is no YAML"));
        check("- http://${HOME}:1\n", Err("the variable HOME is not set"));
        check("targets: {a: b}\n", Err("targets.yaml:1:"));
        let many = "- http://a:1\n".repeat(5001);
        check(&many, Err("5001 items"));
    }

    #[test]
    fn a_file_has_a_limit() {
        let folder = std::env::temp_dir().join(format!("portcullis-part-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("the folder is made");
        let path = folder.join("targets.yaml");
        std::fs::write(&path, "# a line of forty characters, many times\n".repeat(30_000)).expect("it is written");
        let problems = read_targets(&path).expect_err("it is too large").to_string();
        assert!(problems.contains("more than 1048576 bytes"), "{problems}");
        assert!(read_targets(&folder.join("none")).is_err());
        std::fs::remove_dir_all(&folder).expect("the folder goes");
    }
}
