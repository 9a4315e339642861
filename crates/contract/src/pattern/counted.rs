//! Patterns that count to thousands: `^[a-z]{1,5000}$`. An engine would need a state for each character.

use super::{Engine, linear};

/// An engine for a pattern that is one kind of character, so many times, if that is what it is.
pub(super) fn engine(translated: &str) -> Option<Engine> {
    let (starts, rest) = match translated.strip_prefix('^') {
        Some(rest) => (true, rest),
        None => (false, translated),
    };
    let (rest, ends) = match rest.strip_suffix(r"\z") {
        Some(rest) => (rest, true),
        None => (rest, false),
    };
    let (each, counts) = rest.strip_suffix('}')?.rsplit_once('{')?;
    if !is_one(each) {
        return None;
    }
    let (least, most) = match counts.split_once(',') {
        Some((least, "")) => (least.parse().ok()?, usize::MAX),
        Some((least, most)) => (least.parse().ok()?, most.parse().ok()?),
        None => (counts.parse().ok()?, counts.parse().ok()?),
    };
    if starts && ends {
        let Ok(Engine::Linear(each)) = linear(&format!(r"^(?:{each})*\z")) else {
            return None;
        };
        return Some(Engine::Counted { each, least, most });
    }
    // Where more may follow, the least is enough.
    let (start, end) = (if starts { "^" } else { "" }, if ends { r"\z" } else { "" });
    linear(&format!("{start}{each}{{{least}}}{end}")).ok()
}

/// Whether it is a single class.
fn is_one(text: &str) -> bool {
    let Some(inner) = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) else {
        return false;
    };
    let mut depth = 0;
    let mut escaped = false;
    for character in inner.chars() {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '[' => depth += 1,
            ']' if depth == 0 => return false,
            ']' => depth -= 1,
            _ => {}
        }
    }
    depth == 0 && !escaped
}
