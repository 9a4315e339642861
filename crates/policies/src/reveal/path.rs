//! Where in JSON a field is.

/// The most steps of a path.
const DEEPEST: usize = 32;

/// A way from the top of a document to its fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Path(Box<[Step]>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The member of that name.
    Name(Box<str>),
    /// Every member of an object or a list.
    Any,
    /// Any number of members.
    Deep,
}

impl Path {
    /// # Errors
    /// When it leads nowhere, or to too much.
    pub(super) fn parse(text: &str) -> Result<Path, String> {
        let plain = text.strip_prefix("$.").unwrap_or(text).replace("[*]", ".*");
        let mut steps = Vec::new();
        for part in plain.trim_start_matches('.').split('.') {
            steps.push(match part {
                "" => return Err(format!("the path `{text}` has an empty step")),
                "*" => Step::Any,
                "**" => Step::Deep,
                name => Step::Name(name.into()),
            });
        }
        let deep = steps.iter().filter(|step| **step == Step::Deep).count();
        if deep > 1 || steps.last() == Some(&Step::Deep) {
            return Err(format!("`**` stands once in the path `{text}`, and not at its end"));
        }
        if steps.len() > DEEPEST {
            return Err(format!("the path `{text}` has more than {DEEPEST} steps"));
        }
        Ok(Path(steps.into()))
    }

    /// Whether it leads to any depth.
    pub(super) fn is_deep(&self) -> bool {
        self.0.contains(&Step::Deep)
    }

    /// Where one is that has gone so many steps, after one more to the member of that name (`None` in a list): nowhere, at
    /// the end, or at one or two places, for `**` both stays and is left.
    pub(super) fn follow(&self, gone: usize, name: Option<&str>, arrived: &mut Vec<usize>) {
        match self.0.get(gone) {
            None => {}
            Some(Step::Any) => arrived.push(gone + 1),
            Some(Step::Name(wanted)) if name == Some(wanted) => arrived.push(gone + 1),
            Some(Step::Name(_)) => {}
            Some(Step::Deep) => {
                arrived.push(gone);
                self.follow(gone + 1, name, arrived);
            }
        }
    }

    /// Whether that many steps are all.
    pub(super) fn ends_after(&self, gone: usize) -> bool {
        self.0.len() == gone
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_lead_nowhere_are_refused() {
        for text in ["", "a..b", "a.", "**", "a.**", "**.a.**.b", &"a.".repeat(40)] {
            assert!(Path::parse(text).is_err(), "{text}");
        }
        assert_eq!(Path::parse("$.a[*].b"), Path::parse("a.*.b"));
    }
}
