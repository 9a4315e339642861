//! A file of scenarios with what the command line says in its place.

use std::path::Path;

use portcullis_contract::yaml;
use serde_json::{Map, Value, json};

use super::once::{given, put_way};
use super::options::{Load, ProfileName, Way};
use crate::bench::running::Scenario;

/// Reads a file and puts options over it.
///
/// # Errors
/// Everything that is wrong with either.
pub(super) fn scenario(path: &Path, load: &Load, way: &Way) -> Result<Scenario, String> {
    // What is wrong with the file itself is told with its places.
    let scenario = Scenario::file(path)?;
    let text = portcullis_config::read(path).map_err(|error| format!("{} can't be read: {error}", path.display()))?;
    let before = yaml::parse(&text).map_err(|error| format!("{}: {error}", path.display()))?;
    let mut file = before.clone();
    put_over(&mut file, load, way);
    match file == before {
        true => Ok(scenario),
        false => Scenario::parsed(&file.to_string(), path),
    }
}

fn put_over(file: &mut Value, load: &Load, way: &Way) {
    put_way(file, way, None);
    let given = given(load);
    if given.is_empty() {
        return;
    }
    let profile = load.profile();
    let mut settings = match file["profiles"].get(profile.word()).cloned() {
        Some(Value::Object(settings)) => settings,
        None | Some(Value::Null) => Map::new(),
        Some(short) => Map::from_iter([(short_key(profile).to_owned(), short)]),
    };
    settings.extend(given);
    file["profiles"][profile.word()] = json!(settings);
}

/// What the short form of a profile says.
fn short_key(profile: ProfileName) -> &'static str {
    match profile {
        ProfileName::Smoke => "repeats",
        ProfileName::Load | ProfileName::Soak | ProfileName::Spike => "rate",
        ProfileName::Stress | ProfileName::Capacity => "from",
        ProfileName::Closed => "users",
        ProfileName::Replay => "log",
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use clap::Parser;

    use super::super::Bench;
    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        bench: Bench,
    }

    fn over(file: Value, line: &str) -> Value {
        let words = ["bench", "http://a"].into_iter().chain(line.split_whitespace());
        let bench = Line::try_parse_from(words).unwrap().bench;
        let mut file = file;
        put_over(&mut file, &bench.load, &bench.way);
        file
    }

    #[test]
    fn options_take_the_place_of_what_the_file_says() {
        let file = json!({"profiles": {"load": "5/s", "spike": {"base": "1/s", "peak": "9/s"}}, "connections": 3});
        assert_eq!(over(file.clone(), ""), file);
        assert_eq!(over(file.clone(), "-c 8")["connections"], 8);
        let profiles = |line: &str| over(file.clone(), line)["profiles"].clone();
        assert_eq!(profiles("--for 3s")["load"], json!({"rate": "5/s", "duration": "3s"}));
        assert_eq!(
            profiles("-p spike --peak 7/s")["spike"],
            json!({"base": "1/s", "peak": "7/s"})
        );
        assert_eq!(profiles("-u 4")["closed"], json!({"users": 4}));
    }
}
