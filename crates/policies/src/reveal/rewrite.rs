//! JSON without what may not leave: what stays is copied byte for byte.

use std::borrow::Cow;

use serde::de::IgnoredAny;

use super::path::Path;
use super::secrets::Secrets;

/// What becomes of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// It is taken out with its name.
    Remove,
    /// Its value is covered, but for so many characters at its end.
    Mask { keep_last: usize },
}

/// What may leave.
pub(super) struct Rules {
    /// The fields that may; all, where it is empty.
    pub(super) allow: Vec<Path>,
    /// Those that may not, or not as they are.
    pub(super) hidden: Vec<(Path, Action)>,
    /// What is looked for in all texts.
    pub(super) secrets: Secrets,
}

impl Rules {
    /// Whether content passes as it is.
    pub(super) fn is_empty(&self) -> bool {
        self.allow.is_empty() && self.hidden.is_empty() && self.secrets.is_empty()
    }
}

/// The document as it may leave; nothing where it may as it is.
///
/// # Errors
/// When it is no JSON.
pub(super) fn json(rules: &Rules, text: &[u8]) -> Result<Option<Vec<u8>>, String> {
    // From here on it is known to be well-formed, and no deeper than 128 levels.
    serde_json::from_slice::<IgnoredAny>(text)
        .map_err(|error| format!("it says that it is JSON, and is not: {error}"))?;
    let mut walk = Walk {
        rules,
        text,
        at: 0,
        out: Vec::with_capacity(text.len()),
        changed: false,
    };
    let top = Place {
        allowed: (!rules.allow.is_empty()).then(|| (0..rules.allow.len()).map(|index| (index, 0)).collect()),
        hidden: (0..rules.hidden.len()).map(|index| (index, 0)).collect(),
    };
    walk.space();
    if top.allowed.is_some() && walk.is_scalar() {
        // It has no fields, and nothing else of it may leave.
        return Ok(Some(b"null".to_vec()));
    }
    walk.value(&top);
    walk.space();
    Ok(walk.changed.then_some(walk.out))
}

/// How far the paths lead to where one is: numbers of paths, and of steps gone.
struct Place {
    /// `None` where all may leave.
    allowed: Option<Vec<(usize, usize)>>,
    hidden: Vec<(usize, usize)>,
}

/// What becomes of a member, and where one is within it.
enum Fate {
    Leaves(Place),
    Masked { keep_last: usize },
    Withheld,
}

struct Walk<'w> {
    rules: &'w Rules,
    text: &'w [u8],
    at: usize,
    out: Vec<u8>,
    changed: bool,
}

impl Walk<'_> {
    /// Copies the value that comes next.
    fn value(&mut self, place: &Place) {
        self.space();
        match self.text.get(self.at) {
            Some(b'{') => self.members(place, true),
            Some(b'[') => self.members(place, false),
            Some(b'"') => self.string(),
            _ => self.copy_scalar(),
        }
    }

    fn members(&mut self, place: &Place, named: bool) {
        self.copy(1);
        let mut first = true;
        loop {
            let space = self.passed_space();
            if matches!(self.text.get(self.at), Some(b'}' | b']')) {
                self.out.extend_from_slice(&self.text[space..self.at]);
                self.copy(1);
                return;
            }
            let begin = self.at;
            let name = if named {
                self.pass_string();
                let name = unescaped(&self.text[begin..self.at]);
                self.passed_space();
                self.at += 1;
                Some(name)
            } else {
                None
            };
            let value = self.at;
            self.passed_space();
            let is_scalar = self.is_scalar();
            self.at = value;
            match self.fate(place, name.as_deref(), is_scalar) {
                Fate::Withheld => {
                    self.pass_value();
                    self.changed = true;
                }
                fate => {
                    if !first {
                        self.out.push(b',');
                    }
                    first = false;
                    self.out.extend_from_slice(&self.text[space..value]);
                    match fate {
                        Fate::Leaves(place) => self.value(&place),
                        Fate::Masked { keep_last } => self.mask(keep_last),
                        Fate::Withheld => {}
                    }
                }
            }
            let space = self.passed_space();
            if self.text.get(self.at) == Some(&b',') {
                self.at += 1;
            } else {
                self.out.extend_from_slice(&self.text[space..self.at]);
            }
        }
    }

    /// What becomes of the member of that name; one that has no members itself can't hold what is allowed further on.
    fn fate(&self, place: &Place, name: Option<&str>, is_scalar: bool) -> Fate {
        let mut arrived = Vec::new();
        let mut hidden = Vec::new();
        for (index, gone) in &place.hidden {
            let (path, action) = &self.rules.hidden[*index];
            arrived.clear();
            path.follow(*gone, name, &mut arrived);
            for gone in &arrived {
                match action {
                    _ if !path.ends_after(*gone) => hidden.push((*index, *gone)),
                    Action::Remove => return Fate::Withheld,
                    Action::Mask { keep_last } => return Fate::Masked { keep_last: *keep_last },
                }
            }
        }
        let allowed = match &place.allowed {
            None => None,
            Some(paths) => {
                let mut left = Vec::new();
                let mut is_whole = false;
                for (index, gone) in paths {
                    let path = &self.rules.allow[*index];
                    arrived.clear();
                    path.follow(*gone, name, &mut arrived);
                    for gone in &arrived {
                        is_whole |= path.ends_after(*gone);
                        left.push((*index, *gone));
                    }
                }
                if left.is_empty() || (is_scalar && !is_whole) {
                    return Fate::Withheld;
                }
                (!is_whole).then_some(left)
            }
        };
        Fate::Leaves(Place { allowed, hidden })
    }

    /// Copies a text, with its secrets covered. One that is a name is not looked at.
    fn string(&mut self) {
        let begin = self.at;
        self.pass_string();
        let text = &self.text[begin..self.at];
        let covered = if text.contains(&b'\\') {
            self.covered_within_escapes(text)
        } else {
            self.rules.secrets.covered(text)
        };
        match covered {
            None => self.out.extend_from_slice(text),
            Some(covered) => {
                self.out.extend_from_slice(&covered);
                self.changed = true;
            }
        }
    }

    /// A text with escapes, its secrets covered. It is looked at as its readers see it: an escape may hide a part of a secret, or
    /// stand right before one, and half of one must not stay.
    fn covered_within_escapes(&self, text: &[u8]) -> Option<Vec<u8>> {
        if self.rules.secrets.is_empty() {
            return None;
        }
        let Ok(plain) = serde_json::from_slice::<String>(text) else {
            // Half of a surrogate pair is no text. What may hold a secret there is covered whole.
            return self.rules.secrets.covered(text).map(|_| b"\"***\"".to_vec());
        };
        let covered = self.rules.secrets.covered(plain.as_bytes())?;
        let covered = serde_json::Value::String(String::from_utf8_lossy(&covered).into_owned());
        Some(covered.to_string().into_bytes())
    }

    /// Copies a number or a word. A number may be that of a card.
    fn copy_scalar(&mut self) {
        let begin = self.at;
        self.pass_value();
        let text = &self.text[begin..self.at];
        match self.rules.secrets.covered(text) {
            None => self.out.extend_from_slice(text),
            Some(covered) => {
                self.out.push(b'"');
                self.out.extend_from_slice(&covered);
                self.out.push(b'"');
                self.changed = true;
            }
        }
    }

    /// Puts asterisks in place of the value that comes next.
    fn mask(&mut self, keep_last: usize) {
        self.passed_space();
        let begin = self.at;
        self.pass_value();
        let text = &self.text[begin..self.at];
        let plain = match text.first() {
            Some(b'"') => unescaped(text),
            Some(b'{' | b'[') => Cow::Borrowed(""),
            _ => Cow::Owned(String::from_utf8_lossy(text).into_owned()),
        };
        let length = plain.chars().count();
        let kept = if length >= keep_last * 2 { keep_last } else { 0 };
        let end: String = plain.chars().skip(length - kept).collect();
        let masked = serde_json::Value::String(format!("***{end}"));
        self.out.extend_from_slice(masked.to_string().as_bytes());
        self.changed = true;
    }

    /// Whether what comes next is neither an object nor a list.
    fn is_scalar(&self) -> bool {
        !matches!(self.text.get(self.at), Some(b'{' | b'['))
    }

    fn copy(&mut self, bytes: usize) {
        self.out.extend_from_slice(&self.text[self.at..self.at + bytes]);
        self.at += bytes;
    }

    /// Copies white space.
    fn space(&mut self) {
        let begin = self.passed_space();
        self.out.extend_from_slice(&self.text[begin..self.at]);
    }

    /// Passes white space, and says where it began.
    fn passed_space(&mut self) -> usize {
        let begin = self.at;
        while matches!(self.text.get(self.at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
        begin
    }

    fn pass_string(&mut self) {
        self.at += 1;
        while let Some(byte) = self.text.get(self.at) {
            self.at += 1;
            match byte {
                b'\\' => self.at += 1,
                b'"' => return,
                _ => {}
            }
        }
    }

    /// Passes a value and the space before it.
    fn pass_value(&mut self) {
        self.passed_space();
        let mut depth = 0_usize;
        while let Some(byte) = self.text.get(self.at) {
            match byte {
                b'"' => self.pass_string(),
                b'{' | b'[' => {
                    depth += 1;
                    self.at += 1;
                }
                b'}' | b']' if depth == 0 => return,
                b'}' | b']' => {
                    depth -= 1;
                    self.at += 1;
                }
                b',' if depth == 0 => return,
                b' ' | b'\t' | b'\n' | b'\r' if depth == 0 => return,
                _ => {
                    self.at += 1;
                    continue;
                }
            }
            if depth == 0 {
                return;
            }
        }
    }
}

/// A name or text without its quotes and escapes.
fn unescaped(text: &[u8]) -> Cow<'_, str> {
    let inner = text.get(1..text.len() - 1).unwrap_or_default();
    match std::str::from_utf8(inner) {
        Ok(plain) if !inner.contains(&b'\\') => Cow::Borrowed(plain),
        // Half of a surrogate pair can't be decoded; no path names it.
        _ => Cow::Owned(serde_json::from_slice(text).unwrap_or_default()),
    }
}
