//! Names and values of a query or a form.

use crate::text;

/// The most pairs that are looked at: the target is limited, and each is compared with what is known.
const MOST: usize = 1_000;

/// Why a query can't be judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// A percent-encoding is broken, or leaves no UTF-8.
    Encoding,
    /// There are too many pairs.
    TooMany,
}

impl Unreadable {
    /// What is wrong, for the client.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Unreadable::Encoding => "a percent-encoding is broken, or is no UTF-8",
            Unreadable::TooMany => "there are more than 1000 parameters",
        }
    }
}

/// One pair. The value is as it was written, for some forms of lists are cut before they are decoded.
#[derive(Debug, PartialEq, Eq)]
pub struct Pair<'q> {
    /// The name, decoded.
    pub name: String,
    /// The value as it was written.
    pub raw: &'q str,
}

impl Pair<'_> {
    /// The value, decoded.
    ///
    /// # Errors
    /// When its encoding is broken.
    pub fn value(&self) -> Result<String, Unreadable> {
        text::decoded(self.raw, true).ok_or(Unreadable::Encoding)
    }
}

/// The pairs of a query or a form, in their order.
///
/// # Errors
/// When one can't be decoded, or there are too many.
pub fn pairs(query: &str) -> Result<Vec<Pair<'_>>, Unreadable> {
    let mut found = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        if found.len() >= MOST {
            return Err(Unreadable::TooMany);
        }
        let (name, raw) = pair.split_once('=').unwrap_or((pair, ""));
        let name = text::decoded(name, true).ok_or(Unreadable::Encoding)?;
        // Nobody can say what a value is when it can't be decoded, and each of them is handed on.
        text::decoded(raw, true).ok_or(Unreadable::Encoding)?;
        found.push(Pair { name, raw });
    }
    Ok(found)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_decoded() {
        let found = pairs("a=1&&b%5B%5D=x+y%2C&c").unwrap();
        let found: Vec<_> = found.iter().map(|it| (it.name.as_str(), it.value().unwrap())).collect();
        assert_eq!(
            found,
            [("a", "1".to_owned()), ("b[]", "x y,".to_owned()), ("c", String::new())]
        );
        assert_eq!(pairs("a=%ff"), Err(Unreadable::Encoding));
        assert_eq!(pairs("%4=1"), Err(Unreadable::Encoding));
        assert_eq!(pairs(&"a&".repeat(1_001)), Err(Unreadable::TooMany));
    }
}
