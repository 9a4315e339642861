//! References to variables of the environment inside values: `${NAME}`, `${NAME:-default}`, `${NAME:?message}`, and `$$`
//! for a dollar sign.

use std::borrow::Cow;

/// Looks a variable up.
pub(crate) type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Puts in what the references stand for. A text without any is given back as it is. What is put in is not searched
/// again.
pub(crate) fn substitute<'a>(text: &'a str, environment: Environment<'_>) -> Result<Cow<'a, str>, String> {
    if !text.contains('$') {
        return Ok(Cow::Borrowed(text));
    }
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        result.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            result.push('$');
            rest = after;
        } else if let Some(after) = rest.strip_prefix('{') {
            let (reference, after) = after
                .split_once('}')
                .ok_or("a `${` has no `}`; write `$${` if you mean the characters themselves")?;
            result.push_str(&resolve(reference, environment)?);
            rest = after;
        } else {
            result.push('$');
        }
    }
    result.push_str(rest);
    Ok(Cow::Owned(result))
}

/// Whether a text is one reference to a variable and nothing else.
pub(crate) fn is_one_reference(text: &str) -> bool {
    text.starts_with("${") && text.find('}') == Some(text.len() - 1)
}

fn resolve(reference: &str, environment: Environment<'_>) -> Result<String, String> {
    let end = reference
        .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .unwrap_or(reference.len());
    let (name, rest) = reference.split_at(end);
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
        return Err("`${` must be followed by a variable's name, such as `${PORT}`; `$$` is a dollar sign".to_owned());
    }
    let value = environment(name);
    // As in a shell, the forms with a colon take an empty variable for one that is not set.
    if let Some(default) = rest.strip_prefix(":-") {
        return Ok(value
            .filter(|value| !value.is_empty())
            .unwrap_or_else(|| default.to_owned()));
    }
    if let Some(message) = rest.strip_prefix(":?") {
        return value
            .filter(|value| !value.is_empty())
            .ok_or_else(|| format!("the variable {name} is not set: {message}"));
    }
    if !rest.is_empty() {
        return Err(format!(
            "after the name {name} comes `}}`, `:-` and a default, or `:?` and a message"
        ));
    }
    value.ok_or_else(|| format!("the variable {name} is not set; set it, or give a default: `${{{name}:-default}}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<&str, &str>) {
        let environment = |name: &str| match name {
            "PORT" => Some("8080".to_owned()),
            "EMPTY" => Some(String::new()),
            "LOOP" => Some("${PORT}".to_owned()),
            _ => None,
        };
        match (substitute(text, &environment), expected) {
            (Ok(result), Ok(expected)) => assert_eq!(result, expected),
            (Err(error), Err(part)) => assert!(error.contains(part), "{error}"),
            (result, _) => panic!("{text}: {result:?}"),
        }
    }

    #[test]
    fn puts_in_what_references_stand_for() {
        check("plain", Ok("plain"));
        check("127.0.0.1:${PORT}", Ok("127.0.0.1:8080"));
        check("${PORT}${PORT}", Ok("80808080"));
        check("${NONE:-9000}", Ok("9000"));
        check("${NONE:-}", Ok(""));
        check("${EMPTY:-9000}", Ok("9000"));
        check("${EMPTY}", Ok(""));
        check("${PORT:?need one}", Ok("8080"));
        check("$$ $${PORT} $5 $", Ok("$ ${PORT} $5 $"));
        check("${LOOP}", Ok("${PORT}"));
        check("ä${PORT}ü", Ok("ä8080ü"));
    }

    #[test]
    fn says_what_is_wrong() {
        check("${NONE}", Err("the variable NONE is not set"));
        check("${NONE:?need one}", Err("is not set: need one"));
        check("${PORT", Err("has no `}`"));
        check("${}", Err("a variable's name"));
        check("${1A}", Err("a variable's name"));
        check("${PORT-1}", Err("after the name PORT"));
    }
}
