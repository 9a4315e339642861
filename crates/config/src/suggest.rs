//! "Did you mean …?"

/// The part of a message that proposes the name nearest to one that isn't there; empty when none is near.
pub(crate) fn did_you_mean<'a>(wrong: &str, names: impl Iterator<Item = &'a str>) -> String {
    match nearest(wrong, names) {
        Some(name) => format!("; did you mean `{name}`?"),
        None => String::new(),
    }
}

/// The name that is reached with the fewest slips of the finger, when they are few for the length.
fn nearest<'a>(wrong: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    // The effort is the number of the names times the product of the lengths, and both are the file's to choose.
    const LONGEST: usize = 64;
    const MOST: usize = 20_000;
    if wrong.len() > LONGEST {
        return None;
    }
    let folded = wrong.to_lowercase().replace('-', "_");
    names
        .take(MOST)
        .filter(|name| name.len() <= LONGEST)
        .map(|name| {
            (
                strsim::damerau_levenshtein(&folded, &name.to_lowercase().replace('-', "_")),
                name,
            )
        })
        .filter(|(distance, name)| *distance <= (name.len() / 3).max(1))
        .min()
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proposes_what_is_near() {
        let names = ["calendar", "payroll", "rate_limit", "to"];
        for (wrong, expected) in [
            ("calender", "; did you mean `calendar`?"),
            ("rate-limit", "; did you mean `rate_limit`?"),
            ("RateLimit", "; did you mean `rate_limit`?"),
            ("ot", "; did you mean `to`?"),
            ("weather", ""),
            ("up", ""),
            ("", ""),
        ] {
            assert_eq!(did_you_mean(wrong, names.into_iter()), expected, "{wrong}");
        }
        assert_eq!(did_you_mean(&"x".repeat(100_000), names.into_iter()), "");
    }
}
