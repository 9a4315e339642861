use super::tree::Tree;

/// What each crate must not depend on. A crate is there because of something that it can't do.
const ABSENT: &[(&str, &[&str])] = &[
    ("core", &["tokio", "serde", "http", "rustls", "portcullis-*"]),
    (
        "http1",
        &[
            "serde",
            "serde_json",
            "portcullis-config",
            "portcullis-policies",
            "portcullis-backends",
        ],
    ),
    (
        "http2",
        &[
            "serde",
            "serde_json",
            "rustls",
            "quinn",
            "portcullis-config",
            "portcullis-policies",
            "portcullis-backends",
            "portcullis-acme",
            "portcullis",
        ],
    ),
    (
        "http3",
        &[
            "serde",
            "serde_json",
            "portcullis-config",
            "portcullis-policies",
            "portcullis-backends",
            "portcullis-acme",
            "portcullis",
        ],
    ),
    (
        "config",
        &[
            "tokio",
            "portcullis-core",
            "portcullis-http1",
            "portcullis-policies",
            "portcullis-backends",
        ],
    ),
    (
        "policies",
        &["rusqlite", "portcullis-http1", "portcullis-backends", "portcullis"],
    ),
    (
        "acme",
        &[
            "portcullis-config",
            "portcullis-policies",
            "portcullis-backends",
            "portcullis",
        ],
    ),
    ("resilience", &["tokio", "fastrand", "serde", "portcullis-*"]),
    ("cel", &["tokio", "portcullis-*"]),
    ("jose", &["tokio", "portcullis-*"]),
    ("waf", &["tokio", "portcullis-*"]),
    ("contract", &["tokio", "portcullis-*"]),
    (
        "fetch",
        &[
            "portcullis-config",
            "portcullis-policies",
            "portcullis-backends",
            "portcullis",
        ],
    ),
    (
        "bench",
        &[
            "clap",
            "portcullis-config",
            "portcullis-policies",
            "portcullis-backends",
            "portcullis-contract",
            "portcullis-stores",
            "portcullis",
        ],
    ),
    ("stores", &["portcullis-*"]),
    ("backends", &["clap", "portcullis-policies", "portcullis"]),
];

pub(super) fn absences(tree: &Tree) -> Vec<String> {
    let mut broken = Vec::new();
    for (name, absent) in ABSENT {
        let path = format!("crates/{name}/Cargo.toml");
        let Some(file) = tree.file(&path) else {
            broken.push(format!("{path} is missing"));
            continue;
        };
        let known = dependencies(&file.text);
        for word in *absent {
            for dependency in known.iter().filter(|dependency| matches(word, dependency)) {
                broken.push(format!("{path}: must not know {dependency}"));
            }
        }
    }
    for file in tree
        .ending("Cargo.toml")
        .filter(|file| file.path.starts_with("crates/"))
    {
        if dependencies(&file.text).iter().any(|name| name == "portcullis-servers") {
            broken.push(format!("{}: portcullis-servers is for tests", file.path));
        }
    }
    broken
}

fn matches(word: &str, dependency: &str) -> bool {
    word.strip_suffix('*')
        .map_or(word == dependency, |start| dependency.starts_with(start))
}

/// The names under `[dependencies]`; what only tests need is free.
fn dependencies(manifest: &str) -> Vec<String> {
    let section = manifest
        .lines()
        .skip_while(|line| *line != "[dependencies]")
        .skip(1)
        .take_while(|line| !line.starts_with('['));
    let names = section
        .filter_map(|line| line.split(['.', ' ', '=']).next())
        .filter(|name| !name.is_empty());
    names.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependencies_are_those_of_the_program() {
        let manifest = "[package]\nname = \"a\"\n\n[dependencies]\nb.workspace = true\nc = { version = \"1\" }\n\n[dev-dependencies]\nd = \"1\"\n";
        assert_eq!(dependencies(manifest), ["b", "c"]);
        assert!(matches("portcullis-*", "portcullis-core") && !matches("portcullis", "portcullis-core"));
    }
}
