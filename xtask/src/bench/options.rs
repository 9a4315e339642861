//! How long to compare, and with whom.

/// What stands behind the name of a case.
pub(super) struct Options {
    pub(super) rounds: u32,
    pub(super) seconds: u32,
    /// Requests in a second, where a measurement has a choice.
    pub(super) rate: Option<u32>,
    /// All that there are, where none is named.
    pub(super) peers: Option<Vec<String>>,
    /// Take unoptimised programs: their figures mean nothing, and they are there sooner.
    pub(super) debug: bool,
}

impl Options {
    /// Five rounds of three seconds, where nothing else is said.
    ///
    /// # Errors
    /// When a word isn't understood.
    pub(super) fn parse(words: &[&str]) -> Result<Options, String> {
        Options::parse_with(5, 3, words)
    }

    /// The same with other numbers of rounds and seconds where nothing else is said.
    ///
    /// # Errors
    /// When a word isn't understood.
    pub(super) fn parse_with(rounds: u32, seconds: u32, words: &[&str]) -> Result<Options, String> {
        let mut options = Options {
            rounds,
            seconds,
            rate: None,
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
                "--rate" => options.rate = Some(rate(value)?),
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

fn rate(word: &str) -> Result<u32, String> {
    match word.parse() {
        Ok(rate @ 20..=100_000) => Ok(rate),
        _ => Err(format!("`{word}` is no number from 20 to 100000")),
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
            &["--rate", "0"],
            &["--rounds", "many"],
            &["--what", "1"],
        ] {
            assert!(Options::parse(bad).is_err(), "{bad:?}");
        }
    }
}
