//! How long to compare, and with whom.

/// What stands behind the name of a case.
pub(super) struct Options {
    pub(super) rounds: u32,
    pub(super) seconds: u32,
    /// All that there are, where none is named.
    pub(super) peers: Option<Vec<String>>,
    /// Take unoptimised programs: their figures mean nothing, and they are there sooner.
    pub(super) debug: bool,
}

impl Options {
    /// # Errors
    /// When a word isn't understood.
    pub(super) fn parse(words: &[&str]) -> Result<Options, String> {
        let mut options = Options {
            rounds: 5,
            seconds: 3,
            peers: None,
            debug: false,
        };
        let mut rest = words.iter();
        while let Some(word) = rest.next() {
            if *word == "--debug" {
                options.debug = true;
                continue;
            }
            let value = rest.next().ok_or_else(|| format!("`{word}` isn't understood"))?;
            match *word {
                "--rounds" => options.rounds = count(value)?,
                "--seconds" => options.seconds = count(value)?,
                "--peers" => options.peers = Some(value.split(',').map(str::to_owned).collect()),
                _ => return Err(format!("`{word}` isn't understood")),
            }
        }
        Ok(options)
    }
}

fn count(word: &str) -> Result<u32, String> {
    match word.parse() {
        Ok(count @ 1..=3600) => Ok(count),
        _ => Err(format!("`{word}` is no number from 1 to 3600")),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_in_any_order() {
        let options = Options::parse(&["--peers", "nginx,envoy", "--debug", "--rounds", "2"]).unwrap();
        assert_eq!((options.rounds, options.seconds, options.debug), (2, 3, true));
        assert_eq!(options.peers.unwrap(), ["nginx", "envoy"]);
        for bad in [
            &["--rounds"][..],
            &["--rounds", "0"],
            &["--rounds", "many"],
            &["--what", "1"],
        ] {
            assert!(Options::parse(bad).is_err(), "{bad:?}");
        }
    }
}
