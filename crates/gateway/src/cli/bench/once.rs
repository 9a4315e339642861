//! `portcullis bench URL`: a scenario of one request, made of the command line.

use serde_json::{Map, Value, json};

use super::options::{Asked, Judging, Load, Output, ProfileName, Way};
use crate::bench::running::{self, Wish};

/// What is asked a second where nobody says.
const DEFAULT_RATE: &str = "100/s";

/// How many users there are where nobody says.
const DEFAULT_USERS: u32 = 50;

/// How long, where nobody says.
const DEFAULT_TIME: &str = "10s";

/// Runs the one request.
pub(super) fn run(
    url: &str,
    asked: &Asked,
    load: &Load,
    way: &Way,
    judging: &Judging,
    output: &Output,
) -> Result<u8, String> {
    let scenario = running::Scenario::text(&document(url, asked, load, way)?.to_string())?;
    let other = match &judging.against {
        Some(other) => Some(running::Scenario::text(
            &document(&whole(other, url), asked, load, way)?.to_string(),
        )?),
        None => None,
    };
    running::run(&Wish {
        name: named(url).to_owned(),
        scenario,
        against: other,
        profile: None,
        judging: judging.wish(),
        output: output.wish(),
        owned: way.owned.i_own_this_target.clone(),
        folder: None,
    })
}

/// The other target's URL: with the path of the first, where it has none of its own.
fn whole(other: &str, url: &str) -> String {
    let path = |url: &str| {
        url.split_once("://")
            .and_then(|(_, rest)| rest.find('/').map(|at| rest[at..].to_owned()))
    };
    match (path(other).as_deref(), path(url)) {
        (None | Some("/"), Some(path)) => format!("{}{path}", other.trim_end_matches('/')),
        _ => other.to_owned(),
    }
}

/// What a run is called: the URL without its query, which may hold a key.
fn named(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or(url)
}

/// The file that a command line stands for.
fn document(url: &str, asked: &Asked, load: &Load, way: &Way) -> Result<Value, String> {
    let (origin, path) = split(url)?;
    let body = match (&asked.body, &asked.body_file) {
        (Some(body), _) => Some(json!(plain(body))),
        (None, Some(file)) => Some(json!({"file": plain(&file.display().to_string())})),
        (None, None) => None,
    };
    let method = match (&asked.method, &body) {
        (Some(method), _) => method.as_str(),
        (None, Some(_)) => "POST",
        (None, None) => "GET",
    };
    let mut headers = Map::new();
    for field in &asked.headers {
        let (name, value) = field
            .split_once(':')
            // It isn't repeated, for it may hold a password.
            .ok_or("one of the fields has no colon: write -H 'Name: value'")?;
        headers.insert(name.trim().to_owned(), json!(plain(value.trim())));
    }
    let mut step = json!({"request": plain(&format!("{method} {path}")), "headers": headers});
    if let Some(body) = body {
        step["body"] = body;
    }
    let name = path.split('?').next().unwrap_or_default();
    step["route"] = json!(plain(name));
    let mut file = json!({
        "target": plain(origin),
        "profiles": profiles(load),
        "flows": [{"name": plain(name), "steps": [step]}],
    });
    put_way(&mut file, way, load.users);
    Ok(file)
}

/// Scheme and authority, and the path with its query.
fn split(url: &str) -> Result<(&str, String), String> {
    let Some((scheme, rest)) = url.split_once("://") else {
        return Err("this is no URL: it begins with http:// or https://".to_owned());
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (origin, path) = url.split_at(scheme.len() + 3 + end);
    let path = path.split('#').next().unwrap_or_default();
    let path = if path.starts_with('/') {
        path.to_owned()
    } else {
        format!("/{path}")
    };
    Ok((origin, path))
}

/// The one profile that options stand for, with what is usual where they say nothing.
fn profiles(load: &Load) -> Value {
    let profile = load.profile();
    let mut settings = given(load);
    let mut usual = |name: &str, value: Value| {
        settings.entry(name).or_insert(value);
    };
    match profile {
        ProfileName::Smoke | ProfileName::Replay | ProfileName::Capacity => {}
        ProfileName::Soak => usual("rate", json!(DEFAULT_RATE)),
        ProfileName::Stress => usual("from", json!(DEFAULT_RATE)),
        ProfileName::Spike => {
            let base = load.rate.as_deref().unwrap_or(DEFAULT_RATE);
            usual("base", json!(base));
            usual("peak", json!(fivefold(base)));
        }
        ProfileName::Load => usual("rate", json!(DEFAULT_RATE)),
        ProfileName::Closed => usual("users", json!(DEFAULT_USERS)),
    }
    if matches!(profile, ProfileName::Load | ProfileName::Closed) {
        usual("duration", json!(DEFAULT_TIME));
        if is_short(load.lasts.as_deref().unwrap_or(DEFAULT_TIME)) {
            usual("warm_up", json!("0s"));
        }
    }
    json!({profile.word(): settings})
}

/// What options say of a profile, by its keys in a file.
pub(super) fn given(load: &Load) -> Map<String, Value> {
    let profile = load.profile();
    let (rate, peak, lasts) = match profile {
        ProfileName::Smoke | ProfileName::Replay => (None, None, None),
        ProfileName::Load | ProfileName::Soak => (Some("rate"), None, Some("duration")),
        ProfileName::Stress | ProfileName::Capacity => (Some("from"), Some("most"), Some("each")),
        ProfileName::Spike => (Some("base"), Some("peak"), Some("hold")),
        ProfileName::Closed => (None, None, Some("duration")),
    };
    let warm_up = (!matches!(profile, ProfileName::Smoke | ProfileName::Replay)).then_some("warm_up");
    let texts = [
        (rate, &load.rate),
        (peak, &load.peak),
        (lasts, &load.lasts),
        (warm_up, &load.warm_up),
    ];
    let mut settings = Map::new();
    for (key, text) in texts {
        if let (Some(key), Some(text)) = (key, text) {
            settings.insert(key.to_owned(), json!(plain(text)));
        }
    }
    if let (ProfileName::Closed, Some(users)) = (profile, load.users) {
        settings.insert("users".to_owned(), json!(users));
    }
    settings
}

/// Whether a time is shorter than what makes a warm-up worth its time.
fn is_short(time: &str) -> bool {
    time.parse::<portcullis_config::units::Duration>()
        .is_ok_and(|time| time.0 < std::time::Duration::from_secs(10))
}

/// Five times a rate as it was written; what is none is told when the file is checked.
fn fivefold(rate: &str) -> String {
    let digits = rate
        .find(|letter: char| !letter.is_ascii_digit() && letter != '.')
        .unwrap_or(rate.len());
    match rate[..digits].parse::<f64>() {
        Ok(number) => format!("{}{}", number * 5.0, &rate[digits..]),
        Err(_) => rate.to_owned(),
    }
}

pub(super) fn put_way(file: &mut Value, way: &Way, users: Option<u32>) {
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            file[name] = value;
        }
    };
    // As many users as connections, and the other way round: otherwise some would wait for others.
    put("connections", way.connections.or(users).map(|count| json!(count)));
    put("streams", way.streams.map(|count| json!(count)));
    put("threads", way.threads.map(|count| json!(count)));
    put("protocol", way.protocol.map(|protocol| json!(protocol.word())));
    put("timeout", way.timeout.as_deref().map(|time| json!(plain(time))));
    put("fresh_connections", way.fresh_connections.then(|| json!(true)));
    let mut tls = Map::new();
    let files = [("ca", &way.cacert), ("cert", &way.cert), ("key", &way.key)];
    for (name, file) in files
        .into_iter()
        .filter_map(|(name, file)| Some((name, file.as_ref()?)))
    {
        tls.insert(name.to_owned(), json!(plain(&file.display().to_string())));
    }
    if way.insecure {
        tls.insert("verify".to_owned(), json!(false));
    }
    put("tls", (!tls.is_empty()).then_some(Value::Object(tls)));
}

/// A text of the command line in a file: a dollar sign in it is no reference to a variable.
fn plain(text: &str) -> String {
    text.replace('$', "$$")
}

impl Load {
    /// The profile that was named, or follows from the rest.
    pub(super) fn profile(&self) -> ProfileName {
        match (self.profile, self.users) {
            (Some(profile), _) => profile,
            (None, Some(_)) => ProfileName::Closed,
            (None, None) => ProfileName::Load,
        }
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

    fn document_of(line: &str) -> Value {
        let line = Line::try_parse_from(["bench"].into_iter().chain(line.split(' ')))
            .unwrap()
            .bench;
        document(&line.url.unwrap(), &line.asked, &line.load, &line.way).unwrap()
    }

    #[test]
    fn options_become_a_scenario() {
        let file = document_of("http://a.test:81/x?y=$1 --rate 5k --for 30s -H Accept:a -c 7 --protocol http2 -k");
        assert_eq!(
            file,
            json!({
                "target": "http://a.test:81",
                "profiles": {"load": {"rate": "5k", "duration": "30s"}},
                "flows": [{"name": "/x", "steps": [{"request": "GET /x?y=$$1", "headers": {"Accept": "a"}, "route": "/x"}]}],
                "connections": 7, "protocol": "http2", "tls": {"verify": false},
            })
        );
    }

    #[test]
    fn a_profile_follows_from_what_is_given() {
        let profiles = |line: &str| document_of(line)["profiles"].clone();
        assert_eq!(
            profiles("http://a --users 9"),
            json!({"closed": {"duration": "10s", "users": 9}})
        );
        assert_eq!(
            profiles("http://a --for 2s"),
            json!({"load": {"rate": "100/s", "duration": "2s", "warm_up": "0s"}})
        );
        assert_eq!(
            profiles("http://a -p spike -r 1.5k"),
            json!({"spike": {"base": "1.5k", "peak": "7.5k"}})
        );
        assert_eq!(profiles("http://a -p smoke"), json!({"smoke": {}}));
    }

    #[test]
    fn content_is_posted() {
        let step = |line: &str| document_of(line)["flows"][0]["steps"][0].clone();
        assert_eq!(step("http://a -d x")["request"], json!("POST /"));
        assert_eq!(step("http://a -X PUT -D f")["body"], json!({"file": "f"}));
    }

    #[test]
    fn the_other_target_is_asked_for_the_same() {
        for (other, expected) in [
            ("http://b", "http://b/x?y"),
            ("http://b/", "http://b/x?y"),
            ("http://b/z", "http://b/z"),
        ] {
            assert_eq!(whole(other, "http://a/x?y"), expected);
        }
    }
}
