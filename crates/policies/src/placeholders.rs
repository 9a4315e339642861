//! Texts with placeholders in braces, read once.

/// A piece of a text with placeholders in braces.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece<P> {
    /// Stays as it is.
    Text(Box<[u8]>),
    /// Stands for something else.
    Placeholder(P),
}

/// Reads a text with placeholders: `{name}` is what `named` makes of the name, and a brace that shall stay is written
/// twice.
///
/// # Errors
/// When a brace stands alone, and what `named` says.
pub(crate) fn read<P>(text: &str, named: impl Fn(&str) -> Result<P, String>) -> Result<Box<[Piece<P>]>, String> {
    let mut pieces = Vec::new();
    let mut literal = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        literal.push_str(&rest[..at]);
        let brace = &rest[at..=at];
        let after = &rest[at + 1..];
        if let Some(after) = after.strip_prefix(brace) {
            literal.push_str(brace);
            rest = after;
            continue;
        }
        let (name, after) = match (brace, after.split_once('}')) {
            ("{", Some(found)) => found,
            _ => return Err(format!("a brace stands alone in `{text}`: write it twice")),
        };
        let placeholder = named(name)?;
        if !literal.is_empty() {
            pieces.push(Piece::Text(std::mem::take(&mut literal).into_bytes().into()));
        }
        pieces.push(Piece::Placeholder(placeholder));
        rest = after;
    }
    literal.push_str(rest);
    if !literal.is_empty() {
        pieces.push(Piece::Text(literal.into_bytes().into()));
    }
    Ok(pieces.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<&[&str], ()>) {
        let pieces = read(
            text,
            |name| if name == "x" { Ok(()) } else { Err("unknown".to_owned()) },
        );
        let shown = pieces.map_err(|_| ()).map(|pieces| {
            let show = |piece: &Piece<()>| match piece {
                Piece::Text(text) => String::from_utf8_lossy(text).into_owned(),
                Piece::Placeholder(()) => "<>".to_owned(),
            };
            pieces.iter().map(show).collect::<Vec<_>>()
        });
        assert_eq!(
            shown,
            expected.map(|expected| expected.iter().map(|text| (*text).to_owned()).collect()),
            "{text}"
        );
    }

    #[test]
    fn names_in_braces_are_placeholders() {
        check("", Ok(&[]));
        check("a b", Ok(&["a b"]));
        check("{x}", Ok(&["<>"]));
        check("a{x}b{x}{x}", Ok(&["a", "<>", "b", "<>", "<>"]));
        check("{{x}} {{{x}}}", Ok(&["{x} {", "<>", "}"]));
        for text in ["{", "}", "{x", "x}", "{}", "{y}", "{x}}", "{ x}"] {
            check(text, Err(()));
        }
    }
}
