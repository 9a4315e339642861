//! The tags, attributes and declarations that run something.

use super::url;

/// Elements that run or load something by themselves.
const RUNNING: &[&str] = &[
    "script", "iframe", "frameset", "applet", "handler", "listener", "style", "vmlframe", "xss",
];

/// Elements that load something by their attributes, and are mentioned in prose without.
const LOADING: &[&str] = &[
    "base", "bgsound", "embed", "frame", "import", "isindex", "link", "meta", "object", "svg", "xml",
];

/// Attributes whose value is an address, or becomes one.
const ADDRESSES: &[&str] = &[
    "action",
    "background",
    "by",
    "cite",
    "code",
    "codebase",
    "data",
    "dynsrc",
    "folder",
    "formaction",
    "from",
    "href",
    "lowsrc",
    "manifest",
    "poster",
    "src",
    "to",
    "values",
    "xlink:href",
];

/// Words that begin like the attributes for events, and aren't.
const NO_EVENTS: &[&str] = &[
    "onboard",
    "onboarded",
    "onboarding",
    "onerous",
    "ongoing",
    "onion",
    "onions",
    "online",
    "onlooker",
    "onset",
    "onshore",
    "onsite",
    "onslaught",
    "onward",
    "onwards",
];

pub(super) fn tag(name: &[u8]) -> bool {
    is_one_of(local(name), RUNNING)
}

/// The end of a script that the page itself began.
pub(super) fn closing_tag(name: &[u8]) -> bool {
    is_one_of(local(name), &["script"])
}

pub(super) fn attribute(tag: &[u8], name: &[u8], value: &[u8]) -> bool {
    if is_event(name) {
        return true;
    }
    if is_one_of(local(tag), LOADING) {
        return true;
    }
    if is_one_of(name, ADDRESSES) {
        return url::runs(value);
    }
    if is_one_of(name, &["style", "filter"]) {
        return is_program_of_style(value);
    }
    if is_one_of(name, &["attributename"]) {
        return is_event(value) || url::starts_with(value, b"href") || url::starts_with(value, b"xlink:href");
    }
    is_one_of(name, &["srcdoc", "datasrc", "dataformatas", "xlink"])
}

/// What stands behind `<!` or `<?`.
pub(super) fn declaration(text: &[u8]) -> bool {
    ["doctype", "entity", "[if", "import", "xml-stylesheet", "xml-s"]
        .iter()
        .any(|beginning| {
            text.get(..beginning.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(beginning.as_bytes()))
        })
}

/// Whether it is `on` and the name of something that may happen. New events are invented, so there is no list of them.
fn is_event(name: &[u8]) -> bool {
    let [b'o' | b'O', b'n' | b'N', event @ ..] = name else {
        return false;
    };
    (3..=40).contains(&event.len())
        && event.iter().all(|byte| byte.is_ascii_alphabetic() || *byte == 0)
        && !is_one_of(name, NO_EVENTS)
}

/// Styles that old browsers run, or that hide what they say.
fn is_program_of_style(value: &[u8]) -> bool {
    let comments = memchr::memmem::find(value, b"/*").is_some();
    let mut found = Suffixes::default();
    comments || value.contains(&b'\\') || url::Decoded::new(value).any(|letter| found.ends_in_program(letter))
}

/// The last letters of a text, to compare its end with words.
#[derive(Default)]
struct Suffixes {
    last: [u8; 12],
}

impl Suffixes {
    fn ends_in_program(&mut self, letter: u8) -> bool {
        self.last.rotate_left(1);
        self.last[11] = letter;
        [
            "expression(",
            "javascript:",
            "vbscript:",
            "behavior:",
            "behaviour:",
            "-moz-binding",
            "@import",
        ]
        .iter()
        .any(|word| self.last.ends_with(word.as_bytes()))
    }
}

/// A name without the name of its space: `svg:script`.
fn local(name: &[u8]) -> &[u8] {
    name.rsplit(|byte| *byte == b':').next().unwrap_or(name)
}

/// Whether a name is in a list, in whatever case, without the NULs that old browsers skip.
fn is_one_of(name: &[u8], list: &[&str]) -> bool {
    list.iter().any(|known| {
        name.len() >= known.len()
            && name
                .iter()
                .filter(|byte| **byte != 0)
                .map(u8::to_ascii_lowercase)
                .eq(known.bytes())
    })
}
