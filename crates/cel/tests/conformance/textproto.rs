//! As much of the text format of Protocol Buffers as the tests are written in.

/// The fields of a message, in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Message(Vec<(String, Content)>);

/// What a field holds.
#[derive(Clone, Debug)]
pub(super) enum Content {
    /// A number, string or name; strings as bytes.
    Scalar(Vec<u8>),
    Message(Message),
}

impl Message {
    pub(super) fn messages<'m>(&'m self, name: &'m str) -> impl Iterator<Item = &'m Message> {
        self.0.iter().filter_map(move |(known, content)| match content {
            Content::Message(message) if known == name => Some(message),
            _ => None,
        })
    }

    pub(super) fn message<'m>(&'m self, name: &'m str) -> Option<&'m Message> {
        self.messages(name).next()
    }

    /// The text of a field; empty where it is missing.
    pub(super) fn text(&self, name: &str) -> String {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map_or(String::new(), |(_, content)| content.text())
    }

    pub(super) fn first(&self) -> Option<(&str, &Content)> {
        self.0.first().map(|(name, content)| (name.as_str(), content))
    }
}

impl Content {
    pub(super) fn bytes(&self) -> Vec<u8> {
        match self {
            Content::Scalar(bytes) => bytes.clone(),
            Content::Message(_) => Vec::new(),
        }
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes()).into_owned()
    }

    pub(super) fn message(&self) -> Message {
        match self {
            Content::Message(message) => message.clone(),
            Content::Scalar(_) => Message::default(),
        }
    }
}

/// Reads a whole file.
pub(super) fn parse(text: &str) -> Message {
    let mut reader = Reader { rest: text };
    let message = reader.message("");
    assert!(reader.rest.is_empty(), "not read: {:.80}", reader.rest);
    message
}

struct Reader<'t> {
    rest: &'t str,
}

impl Reader<'_> {
    fn skip(&mut self) {
        loop {
            self.rest = self
                .rest
                .trim_start_matches(|c: char| c.is_whitespace() || c == ',' || c == ';');
            match self.rest.strip_prefix('#') {
                Some(comment) => self.rest = &comment[comment.find('\n').unwrap_or(comment.len())..],
                None => return,
            }
        }
    }

    fn has(&mut self, mark: &str) -> bool {
        self.skip();
        let found = self.rest.strip_prefix(mark);
        self.rest = found.unwrap_or(self.rest);
        found.is_some()
    }

    fn word(&mut self) -> String {
        self.skip();
        let is_part = |c: char| c.is_ascii_alphanumeric() || "_.+-/".contains(c);
        let len = self.rest.find(|c| !is_part(c)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(len);
        self.rest = rest;
        word.to_owned()
    }

    fn message(&mut self, end: &str) -> Message {
        let mut fields = Vec::new();
        loop {
            self.skip();
            if self.rest.is_empty() || !end.is_empty() && self.has(end) {
                return Message(fields);
            }
            let name = if self.has("[") {
                let name = self.word();
                assert!(self.has("]"));
                name
            } else {
                self.word()
            };
            assert!(!name.is_empty(), "no name: {:.80}", self.rest);
            self.has(":");
            if self.has("[") {
                while !self.has("]") {
                    fields.push((name.clone(), self.content()));
                }
            } else {
                fields.push((name, self.content()));
            }
        }
    }

    fn content(&mut self) -> Content {
        if self.has("{") {
            return Content::Message(self.message("}"));
        }
        self.skip();
        if !self.rest.starts_with(['"', '\'']) {
            return Content::Scalar(self.word().into_bytes());
        }
        let mut bytes = Vec::new();
        while self.rest.starts_with(['"', '\'']) {
            self.string(&mut bytes);
            self.skip();
        }
        Content::Scalar(bytes)
    }

    fn string(&mut self, out: &mut Vec<u8>) {
        let mut chars = self.rest.chars();
        let quote = chars.next();
        while let Some(next) = chars.next().filter(|next| Some(*next) != quote) {
            if next != '\\' {
                out.extend_from_slice(next.encode_utf8(&mut [0; 4]).as_bytes());
                continue;
            }
            let letter = chars.next().unwrap();
            let mut digits = |count: usize, radix: u32, first: Option<char>| {
                let mut digits: String = first.into_iter().collect();
                while digits.len() < count && chars.clone().next().is_some_and(|c| c.is_digit(radix)) {
                    digits.extend(chars.next());
                }
                u32::from_str_radix(&digits, radix).unwrap()
            };
            match letter {
                'a' => out.push(7),
                'b' => out.push(8),
                'f' => out.push(12),
                'n' => out.push(b'\n'),
                'r' => out.push(b'\r'),
                't' => out.push(b'\t'),
                'v' => out.push(11),
                'x' => out.push(digits(2, 16, None).try_into().unwrap()),
                '0'..='7' => out.push(digits(3, 8, Some(letter)).try_into().unwrap()),
                'u' | 'U' => {
                    let number = digits(if letter == 'u' { 4 } else { 8 }, 16, None);
                    let character = char::from_u32(number).unwrap();
                    out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                }
                other => out.push(u8::try_from(other).unwrap()),
            }
        }
        self.rest = chars.as_str();
    }
}
