//! A line of a terminal: pieces with their looks, cut where the terminal ends.

use crate::report::escape::plain;

/// How a piece looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// As everything.
    Plain,
    /// Less important.
    Quiet,
    /// What matters.
    Strong,
    /// What went well.
    Good,
    /// What didn't.
    Bad,
}

/// Pieces of text beside each other.
#[derive(Clone, Debug, Default)]
pub(super) struct Line(Vec<(Look, String)>);

impl Line {
    /// Adds a piece. Controls in it lose their meaning.
    pub(super) fn with(mut self, look: Look, text: &str) -> Line {
        self.0.push((look, plain(text)));
        self
    }

    /// Puts the line behind a text, at most so many columns of it.
    pub(super) fn put(&self, text: &mut String, columns: usize, colours: bool) {
        let mut free = columns;
        for (look, piece) in &self.0 {
            let mut end = piece.len();
            for (at, character) in piece.char_indices() {
                let width = width(character);
                if width > free {
                    end = at;
                    free = 0;
                    break;
                }
                free -= width;
            }
            let (begin, over) = match look {
                _ if !colours => ("", ""),
                Look::Plain => ("", ""),
                Look::Quiet => ("\x1b[2m", "\x1b[0m"),
                Look::Strong => ("\x1b[1m", "\x1b[0m"),
                Look::Good => ("\x1b[32m", "\x1b[0m"),
                Look::Bad => ("\x1b[31m", "\x1b[0m"),
            };
            text.push_str(begin);
            text.push_str(&piece[..end]);
            text.push_str(over);
            if free == 0 {
                return;
            }
        }
    }
}

/// How many columns a character takes at most. A line that is wider than thought would break, and the next view be drawn too low.
fn width(character: char) -> usize {
    match character {
        '\u{1100}'..='\u{115f}' | '\u{2e80}'.. => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(line: &Line, columns: usize, colours: bool) -> String {
        let mut text = String::new();
        line.put(&mut text, columns, colours);
        text
    }

    #[test]
    fn a_line_ends_where_the_terminal_does() {
        let line = Line::default().with(Look::Plain, "abc").with(Look::Bad, "def");
        assert_eq!(put(&line, 5, false), "abcde");
        assert_eq!(put(&line, 5, true), "abc\x1b[31mde\x1b[0m");
        assert_eq!(put(&line, 3, true), "abc");
        assert_eq!(put(&line, 0, false), "");
    }

    #[test]
    fn wide_characters_take_two_columns() {
        let line = Line::default().with(Look::Plain, "検査a");
        assert_eq!(put(&line, 3, false), "検");
        assert_eq!(put(&line, 5, false), "検査a");
    }

    #[test]
    fn controls_are_shown_as_what_they_are() {
        let line = Line::default().with(Look::Plain, "a\u{1b}[2Jb");
        assert_eq!(put(&line, 80, true), "a\\u{1b}[2Jb");
    }
}
