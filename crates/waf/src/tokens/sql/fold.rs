//! Folds what belongs together into one: `1+(2*3)` is a number, `f(x)` a call, `a = 1` a comparison.

use super::kind::{Kind, Verb};
use super::lexer::Token;
use super::words;
use crate::tokens::fingerprint::{Fingerprint, LONGEST};

/// More than this that can't be folded is looked at no further.
const DEEPEST: usize = 24;

/// What an input comes to, and what else the rules ask about it.
pub(super) struct Summary {
    pub(super) fingerprint: Fingerprint,
    /// The last text is open, so that the quote which the program puts behind the input closes it, and at most a word: what
    /// stands between two quotations in prose or in a program is longer.
    pub(super) open_end: bool,
    /// The first quote may begin a text rather than end one: it stands behind a space, an `=`, a bracket.
    pub(super) opening: bool,
    /// As `open_end`, and nothing is in it.
    pub(super) empty_end: bool,
    /// There is something that only SQL and programs have, not prose: a star, an `=`, a comma, a number.
    pub(super) symbols: bool,
    /// What would be a comment at the end goes on as prose after a dash does, or as the name of an option, a tag, a colour.
    pub(super) wordy_comment: bool,
    /// Comments stand between tokens, which only serves to hide them.
    pub(super) inner_comments: bool,
    /// One of them is for MySQL to execute: `/*!50000union*/`.
    pub(super) executed: bool,
}

/// A stack of kinds that is kept as short as possible.
pub(super) struct Folded<'a> {
    stack: [Kind; DEEPEST],
    height: usize,
    comment: Option<Token<'a>>,
    /// The quote that ends the head looks like one that begins a text: behind an opening bracket, an `=`, a space.
    opening: bool,
    last: Option<Token<'a>>,
    symbols: bool,
    inner_comments: bool,
    executed: bool,
}

impl Default for Folded<'_> {
    fn default() -> Self {
        Folded {
            stack: [Kind::Other; DEEPEST],
            height: 0,
            comment: None,
            opening: false,
            last: None,
            symbols: false,
            inner_comments: false,
            executed: false,
        }
    }
}

impl<'a> Folded<'a> {
    /// Takes the next token. It is `false` when no further one can change what the input is.
    pub(super) fn push(&mut self, token: Token<'a>) -> bool {
        if token.kind == Kind::Comment {
            self.comment = Some(token);
            self.executed |= token.executed;
            return true;
        }
        if let Some(comment) = self.comment.take() {
            self.inner_comments |= comment.text.starts_with(b"/*");
        }
        self.symbols |= matches!(
            token.kind,
            Kind::Number
                | Kind::Text
                | Kind::Variable
                | Kind::Relation
                | Kind::Comma
                | Kind::Semicolon
                | Kind::Operator
                | Kind::Server
        );
        if token.kind == Kind::Head {
            self.opening = opens(token.text);
        }
        self.last = Some(token);
        self.take(token);
        self.height < DEEPEST && !self.is_prose()
    }

    /// Three names in a row are no SQL, whatever follows.
    pub(super) fn is_prose(&self) -> bool {
        matches!(
            self.stack[..self.height],
            [Kind::Name, Kind::Name, Kind::Name] | [Kind::Head, Kind::Name, Kind::Name]
        )
    }

    pub(super) fn finish(mut self, quote: Option<u8>) -> Summary {
        self.settle(Kind::Other);
        let mut fingerprint = Fingerprint::EMPTY;
        let mut kinds = self.stack[..self.height].iter().copied().peekable();
        while let Some(kind) = kinds.next() {
            let open = kinds.peek() == Some(&Kind::Open);
            match kind {
                Kind::Open | Kind::Close => {}
                Kind::FunctionName if open => fingerprint.push(Kind::Call.letter()),
                Kind::DangerName if open => fingerprint.push(Kind::Danger.letter()),
                other => fingerprint.push(other.letter()),
            }
        }
        if self.comment.is_some() && fingerprint.letters().len() < LONGEST {
            fingerprint.push(Kind::Comment.letter());
        }
        let end = match self.last {
            Some(last) if last.kind == Kind::Text && !last.closed && self.comment.is_none() => last.text,
            _ => b"",
        };
        let end = match (end, quote) {
            ([first, rest @ ..], Some(quote)) if *first == quote => Some(rest),
            _ => None,
        };
        Summary {
            fingerprint,
            open_end: !self.opening && end.is_some_and(is_short),
            empty_end: !self.opening && end.is_some_and(|end| end.is_empty() || end == b"%"),
            opening: self.opening,
            symbols: self.symbols || self.comment.is_some(),
            wordy_comment: self.comment.is_some_and(|comment| is_wordy(comment.text)),
            inner_comments: self.inner_comments,
            executed: self.executed,
        }
    }

    fn below(&self, depth: usize) -> Option<Kind> {
        self.height.checked_sub(depth + 1).map(|place| self.stack[place])
    }

    /// Whether a star is all columns here, and no multiplication.
    fn wants_operand(&self) -> bool {
        matches!(
            self.below(0),
            Some(Kind::Select | Kind::Comma | Kind::Open | Kind::Not | Kind::Dot)
        )
    }

    fn pop(&mut self, count: usize) {
        self.height = self.height.saturating_sub(count);
    }

    fn shift(&mut self, kind: Kind) {
        if let Some(place) = self.stack.get_mut(self.height) {
            *place = kind;
            self.height += 1;
        }
    }

    fn take(&mut self, token: Token<'a>) {
        if let Some(Kind::Verb(verb)) = self.below(0)
            && let Some(together) = words::pair(verb, token.text)
        {
            self.pop(1);
            self.shift(together);
            return;
        }
        if self.below(0) == Some(Kind::Verb(Verb::Declare)) && token.kind == Kind::Variable {
            self.pop(1);
            self.shift(Kind::Server);
            return;
        }
        if matches!(self.below(0), Some(Kind::Verb(Verb::Execute)))
            && matches!(token.kind, Kind::Open | Kind::Variable | Kind::Text)
        {
            self.pop(1);
            self.shift(Kind::Run);
        }
        if self.below(0) == Some(Kind::Name)
            && self.below(1) == Some(Kind::Verb(Verb::Update))
            && token.text.eq_ignore_ascii_case(b"set")
        {
            self.pop(2);
            self.shift(Kind::Statement);
            return;
        }
        self.settle(token.kind);
        match token.kind {
            Kind::Name if self.below(0) == Some(Kind::Select) && token.text.eq_ignore_ascii_case(b"top") => {}
            Kind::Operator if token.text == b"*" && self.wants_operand() => {
                self.operand(Kind::Number);
            }
            Kind::Close => self.close(),
            Kind::Not if self.below(0) == Some(Kind::Union) => {}
            Kind::Likeness if self.below(0) == Some(Kind::Not) => {
                self.pop(1);
                self.shift(Kind::Likeness);
            }
            kind if kind.is_operand() => self.operand(kind),
            kind => self.shift(kind),
        }
    }

    /// A name of a function without a parenthesis behind it is a name, and a verb without its partner, too.
    fn settle(&mut self, next: Kind) {
        match self.below(0) {
            Some(Kind::FunctionName | Kind::DangerName) if next != Kind::Open => {}
            Some(Kind::Verb(Verb::Update)) if next.is_operand() => return,
            Some(Kind::Verb(_)) => {}
            _ => return,
        }
        self.pop(1);
        self.operand(Kind::Name);
    }

    /// Shifts an operand, and folds it with the operators before it.
    fn operand(&mut self, operand: Kind) {
        let mut operand = operand;
        loop {
            let (before, first) = (self.below(0), self.below(1));
            let binary = first.filter(|kind| kind.is_operand());
            match (before, binary) {
                // A sign, a `not`, or an operator without a left side.
                (Some(Kind::Not), _) | (Some(Kind::Sign), None) if first != Some(Kind::Head) => self.pop(1),
                (Some(Kind::Not), _) => self.pop(1),
                (Some(Kind::Sign | Kind::Operator), Some(left)) => {
                    operand = stronger(left, operand);
                    self.pop(2);
                }
                (Some(Kind::Comma), Some(left)) => {
                    operand = stronger(left, operand);
                    self.pop(2);
                }
                (Some(Kind::Relation), Some(left)) => {
                    operand = compared(left, operand);
                    self.pop(2);
                }
                (Some(Kind::Likeness), Some(left)) => {
                    // Between two names it may be prose: `this is good`.
                    operand = match (left, operand) {
                        (Kind::Name, Kind::Name) => Kind::Name,
                        _ => compared(left, operand),
                    };
                    self.pop(2);
                }
                (Some(Kind::Likeness), None) if first == Some(Kind::Likeness) => self.pop(1),
                // Texts side by side are one.
                (Some(Kind::Text), _) if operand == Kind::Text => self.pop(1),
                _ => break,
            }
        }
        self.shift(operand);
    }

    /// Folds what stands between parentheses, and the call that they belong to.
    fn close(&mut self) {
        let open = self.stack[..self.height].iter().rposition(|kind| *kind == Kind::Open);
        let Some(open) = open else {
            // It closes a parenthesis of the program's own statement.
            return;
        };
        let inside = &self.stack[open + 1..self.height];
        let value = match inside {
            [] => Kind::Number,
            [Kind::Select, rest @ ..] if !matches!(rest, [] | [Kind::Name] | [Kind::Name, Kind::Name, ..]) => {
                Kind::Subquery
            }
            _ => inside
                .iter()
                .copied()
                .filter(|kind| kind.is_operand())
                .reduce(stronger)
                .unwrap_or(Kind::Name),
        };
        self.height = open;
        let called = match self.below(0) {
            Some(Kind::DangerName) => Some(Kind::Danger),
            Some(Kind::FunctionName) => Some(stronger(Kind::Call, value)),
            // Behind a text that was ended, whatever is called is called by the statement, or by a script.
            Some(Kind::Name) if matches!(self.stack[..self.height], [Kind::Head, Kind::Sign, _]) => {
                Some(stronger(Kind::Call, value))
            }
            Some(Kind::Name) => Some(stronger(Kind::Name, value)),
            _ => None,
        };
        if called.is_some() {
            self.pop(1);
        }
        self.operand(called.unwrap_or(value));
    }
}

fn stronger(one: Kind, other: Kind) -> Kind {
    if one.strength() >= other.strength() { one } else { other }
}

fn compared(left: Kind, right: Kind) -> Kind {
    match stronger(left, right) {
        strong @ (Kind::Danger | Kind::Subquery | Kind::Choice) => strong,
        Kind::Name | Kind::Matched => Kind::Matched,
        _ => Kind::Compared,
    }
}

/// Whether a program's text or a quotation begins behind such a head.
fn opens(head: &[u8]) -> bool {
    matches!(
        head,
        [.., b' ' | b'=' | b'(' | b'[' | b'{' | b',' | b':', b'\'' | b'"' | b'`']
    )
}

/// Whether a text is at most a word or a number.
fn is_short(text: &[u8]) -> bool {
    text.len() <= 32
        && !text
            .iter()
            .any(|byte| *byte <= b' ' || matches!(byte, b'(' | b')' | b'[' | b']' | b'{' | b'}' | b';'))
}

/// Whether what would be a comment goes on like prose, or is no comment but a symbol in quotes or a name.
fn is_wordy(comment: &[u8]) -> bool {
    let marker = if comment.starts_with(b"#") { 1 } else { 2 };
    let behind = comment.get(marker..).unwrap_or_default();
    if behind
        .first()
        .is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'\'' | b'"'))
    {
        return true;
    }
    let words = comment
        .split(|byte| *byte <= b' ')
        .filter(|word| word.len() > 1 && word.iter().any(u8::is_ascii_alphabetic));
    words.take(2).count() == 2
}
