//! From YAML 1.2 to the tree.
//!
//! Of YAML we take what a configuration needs. Anchors, aliases and merge keys can blow a small file up to any size and
//! hide where a value comes from; tags would change what a value means. Both are refused.

use std::collections::HashSet;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span, StrInput};

use super::{Content, Entry, Node};
use crate::problem::{Place, Report};

/// How deep values may be nested. The deepest that means anything has seven levels.
const MAX_DEPTH: usize = 64;
/// How many values there may be: forty thousand routes have about a fifth of it.
const MAX_NODES: usize = 4_000_000;

/// Reads one document. What is wrong goes into the report, such as that there is none, with what it `needs`; without a tree
/// there is nothing more to say.
pub(crate) fn read(text: &str, needs: &str, report: &mut Report) -> Option<Node> {
    // A byte order mark is no part of the text (YAML 1.2.2, section 5.2).
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = Reader {
        text,
        parser: Parser::new_from_str(text),
        nodes: 0,
        report,
    };
    match reader.stream() {
        Ok(Some(node)) => Some(node),
        Ok(None) => {
            report.add(None, "", format!("the file is empty; it needs {needs}"));
            None
        }
        Err(Stopped) => None,
    }
}

/// Reading can't go on; the reason is in the report.
struct Stopped;

struct Reader<'a, 'r> {
    text: &'a str,
    parser: Parser<'a, StrInput<'a>>,
    nodes: usize,
    report: &'r mut Report,
}

impl<'a> Reader<'a, '_> {
    fn next(&mut self) -> Result<(Event<'a>, Span), Stopped> {
        match self.parser.next_event() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => {
                if let Some(tab) = self.indenting_tab(error.info(), error.marker().line()) {
                    let message = "YAML does not indent with tabs (YAML 1.2.2, section 6.1): use spaces";
                    self.report.add(Some(tab), "", message);
                    return Err(Stopped);
                }
                let mut message = format!("this is no YAML: {}", error.info());
                if self.hints_at_variable(error.marker().line()) {
                    message.push_str("; within `{…}` and `[…]`, a reference `${…}` must stand in quotes");
                }
                self.report.add(Some(place(*error.marker())), "", message);
                Err(Stopped)
            }
            // The stream's end is an event of its own, after which nobody asks for more.
            None => Err(Stopped),
        }
    }

    /// Whether a line, or the one before it, holds a reference to a variable that YAML takes for a group of keys.
    fn hints_at_variable(&self, line: usize) -> bool {
        let mut lines = self.text.lines().skip(line.saturating_sub(2)).take(2);
        lines.any(|line| line.contains(": ${") || line.contains(", ${") || line.contains("[${"))
    }

    /// The tab that a complaint is about. The parser names the value before it.
    fn indenting_tab(&self, complaint: &str, line: usize) -> Option<Place> {
        if !complaint.contains("tab") {
            return None;
        }
        let lines = (1..).zip(self.text.lines()).skip(line.saturating_sub(1));
        lines
            .filter_map(|(number, line)| {
                let indentation = &line[..line.len() - line.trim_start().len()];
                let column = indentation.chars().position(|c| c == '\t')?;
                Some((number, column))
            })
            .map(|(line, column)| Place {
                line,
                column: u32::try_from(column + 1).unwrap_or(u32::MAX),
            })
            .next()
    }

    fn stream(&mut self) -> Result<Option<Node>, Stopped> {
        let mut root = None;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamEnd => return Ok(root),
                Event::DocumentStart(_) if root.is_some() => {
                    let message = "a second document begins here; a configuration is one document, so take out `---`";
                    self.report.add(Some(place(span.start)), "", message);
                    return Ok(root);
                }
                Event::Nothing | Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd => {}
                event => root = Some(self.node(event, span, MAX_DEPTH)?),
            }
        }
    }

    /// The node that begins with an event.
    fn node(&mut self, event: Event<'a>, span: Span, depth: usize) -> Result<Node, Stopped> {
        let place = place(span.start);
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            self.report
                .add(Some(place), "", format!("the file has more than {MAX_NODES} values"));
            return Err(Stopped);
        }
        if depth == 0 {
            self.report.add(
                Some(place),
                "",
                format!("values are nested more than {MAX_DEPTH} levels deep"),
            );
            return Err(Stopped);
        }
        let (anchor, tag) = match &event {
            Event::Scalar(_, _, anchor, tag) => (*anchor, tag),
            Event::SequenceStart(anchor, tag) | Event::MappingStart(anchor, tag) => (*anchor, tag),
            _ => (0, &None),
        };
        if anchor != 0 {
            let message = "anchors (`&name`) are not understood; write the value out, or use a named set of policies";
            self.report.add(Some(place), "", message);
        }
        if tag.is_some() {
            self.report
                .add(Some(place), "", "tags (`!name`) are not understood; take it out");
        }
        let content = match event {
            Event::Scalar(text, style, ..) => scalar(text.into(), style),
            Event::SequenceStart(..) => self.list(depth)?,
            Event::MappingStart(..) => self.map(depth)?,
            _ => {
                let message = "aliases (`*name`) are not understood; write the value out, or put it into quotes";
                self.report.add(Some(place), "", message);
                Content::Broken
            }
        };
        Ok(Node { place, content })
    }

    fn list(&mut self, depth: usize) -> Result<Content, Stopped> {
        let mut items = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::SequenceEnd {
                return Ok(Content::List(items.into()));
            }
            items.push(self.node(event, span, depth - 1)?);
        }
    }

    fn map(&mut self, depth: usize) -> Result<Content, Stopped> {
        let mut entries = Vec::new();
        let mut seen = HashSet::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::MappingEnd {
                return Ok(Content::Map(entries.into()));
            }
            let key = self.node(event, span, depth - 1)?;
            let (event, span) = self.next()?;
            let node = self.node(event, span, depth - 1)?;
            let place = key.place;
            match self.key(key) {
                Some(key) if seen.insert(key.clone()) => entries.push(Entry { key, place, node }),
                Some(key) => self.report.add(
                    Some(place),
                    "",
                    format!("the key `{key}` is there twice; keep one of them"),
                ),
                None => {}
            }
        }
    }

    fn key(&mut self, node: Node) -> Option<Box<str>> {
        match node.content {
            Content::Scalar { text, quoted: false } if *text == *"<<" => {
                let message =
                    "merge keys (`<<`) are not understood; write the keys out, or use a named set of policies";
                self.report.add(Some(node.place), "", message);
                None
            }
            Content::Scalar { text, .. } => Some(text),
            Content::Broken => None,
            Content::Nothing | Content::List(_) | Content::Map(_) => {
                let line = usize::try_from(node.place.line).unwrap_or(usize::MAX);
                // For YAML, two braces begin a group of keys whose first key is a group.
                let message = match self.text.lines().nth(line.saturating_sub(1)) {
                    Some(line) if line.contains("{{") => {
                        "a key must be a word; a value that begins with a placeholder `{{…}}` must stand in quotes"
                    }
                    _ => "a key must be a word",
                };
                self.report.add(Some(node.place), "", message);
                None
            }
        }
    }
}

fn scalar(text: Box<str>, style: ScalarStyle) -> Content {
    let quoted = style != ScalarStyle::Plain;
    // YAML 1.2.2, section 10.3.2: the ways to write nothing.
    match &*text {
        "" | "~" | "null" | "Null" | "NULL" if !quoted => Content::Nothing,
        _ => Content::Scalar { text, quoted },
    }
}

fn place(marker: Marker) -> Place {
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    Place {
        line: number(marker.line()),
        column: number(marker.col() + 1),
    }
}
