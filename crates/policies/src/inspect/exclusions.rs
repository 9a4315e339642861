//! What the operator leaves out, said in the language of the rules.

use std::fmt::Write;

use portcullis_config::policy::inspect::Exclusion;

/// The number of the first rule that is made here: from a range that nobody else uses.
const FIRST_RULE: usize = 9_901_000;

/// Every rule but those that are made here.
const EVERY_RULE: &str = "1-9899999";

/// Rules that stand before and behind those of the files.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Excluded {
    pub(super) before: String,
    pub(super) after: String,
}

/// Makes rules of exclusions.
pub(super) fn rules(exclusions: &[Exclusion]) -> Result<Excluded, String> {
    let mut excluded = Excluded::default();
    for (nth, exclusion) in exclusions.iter().enumerate() {
        let told = |problem: &str| format!("exclude[{nth}]: {problem}");
        let Exclusion {
            rule,
            tag,
            target,
            path,
        } = exclusion;
        if let Some(target) = target
            && !target
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"_-.:/@*$[]".contains(&byte))
        {
            return Err(told("a target is a variable such as `ARGS:password`"));
        }
        let tag = tag.as_deref().map(|tag| format!("^{}$", escaped(tag)));
        let line = match path {
            Some(path) => {
                let effect = at_run(*rule, tag.as_deref(), target.as_deref()).map_err(told)?;
                let pattern = escaped(path.trim_end_matches('/'));
                let id = FIRST_RULE + nth;
                let rule = format!(
                    "SecRule REQUEST_FILENAME \"@rx ^{pattern}(?:/|$)\" \"id:{id},phase:1,pass,nolog,{effect}\""
                );
                writeln!(excluded.before, "{rule}")
            }
            None => {
                let directive = always(*rule, tag.as_deref(), target.as_deref()).map_err(told)?;
                writeln!(excluded.after, "{directive}")
            }
        };
        line.expect("a String takes every write");
    }
    Ok(excluded)
}

/// The directive of an exclusion that applies to every request.
fn always(rule: Option<u32>, tag: Option<&str>, target: Option<&str>) -> Result<String, &'static str> {
    Ok(match (rule, tag, target) {
        (Some(rule), None, None) => format!("SecRuleRemoveById {rule}"),
        (None, Some(tag), None) => format!("SecRuleRemoveByTag \"{tag}\""),
        (Some(rule), None, Some(target)) => format!("SecRuleUpdateTargetById {rule} \"!{target}\""),
        (None, Some(tag), Some(target)) => format!("SecRuleUpdateTargetByTag \"{tag}\" \"!{target}\""),
        (None, None, Some(target)) => format!("SecRuleUpdateTargetById {EVERY_RULE} \"!{target}\""),
        (Some(_), Some(_), _) => return Err("name a rule or a tag, not both"),
        (None, None, None) => return Err("it names nothing: write a rule, a tag, a target or a path"),
    })
}

/// The effect of one that applies to a path.
fn at_run(rule: Option<u32>, tag: Option<&str>, target: Option<&str>) -> Result<String, &'static str> {
    Ok(match (rule, tag, target) {
        (Some(rule), None, None) => format!("ctl:ruleRemoveById={rule}"),
        (None, Some(tag), None) => format!("ctl:ruleRemoveByTag={tag}"),
        (Some(rule), None, Some(target)) => format!("ctl:ruleRemoveTargetById={rule};{target}"),
        (None, Some(tag), Some(target)) => format!("ctl:ruleRemoveTargetByTag={tag};{target}"),
        (None, None, Some(target)) => format!("ctl:ruleRemoveTargetById={EVERY_RULE};{target}"),
        (None, None, None) => "ctl:ruleEngine=Off".to_owned(),
        (Some(_), Some(_), _) => return Err("name a rule or a tag, not both"),
    })
}

/// A pattern that matches the text itself. It has no character that is special in a rule.
fn escaped(text: &str) -> String {
    let mut pattern = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() {
            pattern.push(char::from(byte));
        } else {
            write!(pattern, "\\x{byte:02x}").expect("a String takes every write");
        }
    }
    pattern
}

/// The paths of exclusions that have nothing else: all that the gate's own rules can leave out.
pub(super) fn paths_alone(exclusions: &[Exclusion]) -> Result<Vec<Box<str>>, String> {
    let paths = exclusions.iter().enumerate().map(|(nth, exclusion)| match exclusion {
        Exclusion {
            rule: None,
            tag: None,
            target: None,
            path: Some(path),
        } => Ok(path.trim_end_matches('/').into()),
        _ => Err(format!(
            "exclude[{nth}]: the gate's own rules have no numbers and tags: name a path, and nothing else"
        )),
    });
    paths.collect()
}

/// Whether a path is another one or stands below it.
pub(super) fn is_below(path: &str, other: &str) -> bool {
    path.strip_prefix(other)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn exclusion(rule: Option<u32>, tag: Option<&str>, target: Option<&str>, path: Option<&str>) -> Exclusion {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Exclusion {
            rule,
            tag: owned(tag),
            target: owned(target),
            path: owned(path),
        }
    }

    #[test]
    fn exclusions_become_rules() {
        let excluded = rules(&[
            exclusion(Some(942_100), None, None, None),
            exclusion(None, Some("a/b"), None, None),
            exclusion(Some(1), None, Some("ARGS:password"), None),
            exclusion(None, None, Some("ARGS:q"), None),
            exclusion(Some(2), None, Some("ARGS:x"), Some("/a\"b/")),
            exclusion(None, None, None, Some("/off")),
        ])
        .unwrap();
        assert_eq!(
            excluded.after,
            "SecRuleRemoveById 942100\nSecRuleRemoveByTag \"^a\\x2fb$\"\nSecRuleUpdateTargetById 1 \"!ARGS:password\"\n\
             SecRuleUpdateTargetById 1-9899999 \"!ARGS:q\"\n"
        );
        assert_eq!(
            excluded.before,
            "SecRule REQUEST_FILENAME \"@rx ^\\x2fa\\x22b(?:/|$)\" \"id:9901004,phase:1,pass,nolog,ctl:ruleRemoveTargetById=2;ARGS:x\"\n\
             SecRule REQUEST_FILENAME \"@rx ^\\x2foff(?:/|$)\" \"id:9901005,phase:1,pass,nolog,ctl:ruleEngine=Off\"\n"
        );
    }

    #[test]
    fn what_says_nothing_or_too_much_is_refused() {
        for bad in [
            exclusion(None, None, None, None),
            exclusion(Some(1), Some("a"), None, None),
            exclusion(Some(1), Some("a"), None, Some("/")),
            exclusion(Some(1), None, Some("ARGS:a\" \"b"), None),
            exclusion(Some(1), None, Some("ARGS:a,ctl:ruleEngine=Off"), Some("/")),
        ] {
            assert!(rules(&[bad]).is_err());
        }
        assert!(paths_alone(&[exclusion(Some(1), None, None, Some("/a"))]).is_err());
    }

    #[test]
    fn paths_end_at_slashes() {
        assert!(is_below("/a", "/a") && is_below("/a/b", "/a") && is_below("/x", ""));
        assert!(!is_below("/ab", "/a") && !is_below("/", "/a"));
    }
}
