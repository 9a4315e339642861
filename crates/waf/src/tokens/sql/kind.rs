//! What a token is, and what several become when they are folded into one.

/// The kind of a token or of what tokens were folded into. The letter of each is what a fingerprint shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// The text before the quote that ends it, where the input began between quotes.
    Head,
    Number,
    Text,
    Variable,
    Name,
    /// A call of a function that databases know, or a comparison that no column has a part in.
    Call,
    Compared,
    /// A comparison with a name that may be a column.
    Matched,
    /// `case when`.
    Choice,
    /// `(select …)`.
    Subquery,
    /// A call or variable of the server that only attackers have a use for: `sleep(5)`, `@@version`.
    Danger,

    Logic,
    Sign,
    Operator,
    Relation,
    /// `like`, `in`, `is`, `between`: words that compare.
    Likeness,
    Not,
    Comma,
    Semicolon,
    Open,
    Close,
    Dot,
    Comment,

    Select,
    Union,
    /// The beginning of a statement that changes something: `drop table`, `insert into`.
    Statement,
    /// What makes the server itself do something: `waitfor delay`, `into outfile`, `exec xp_…`.
    Server,
    /// `exec (…)`, which other languages have too.
    Run,
    /// `order by`, `group by`, `having`, `limit`.
    Clause,
    From,
    Where,
    Keyword,
    /// A word that is the name of a function if a parenthesis follows, and a name otherwise.
    FunctionName,
    DangerName,
    /// A word that begins something if the right word follows, and is a name otherwise.
    Verb(Verb),
    Other,
}

/// Words that need another one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verb {
    Case,
    Create,
    Declare,
    Delete,
    Execute,
    Grant,
    Insert,
    Into,
    Load,
    Order,
    Procedure,
    Truncate,
    Update,
    Waitfor,
}

impl Kind {
    pub(super) fn letter(self) -> u8 {
        match self {
            Kind::Head => b'q',
            Kind::Number => b'1',
            Kind::Text => b's',
            Kind::Variable => b'v',
            Kind::Name | Kind::FunctionName | Kind::DangerName | Kind::Verb(_) => b'n',
            Kind::Call => b'f',
            Kind::Compared => b'b',
            Kind::Matched => b'm',
            Kind::Choice => b'C',
            Kind::Subquery => b'Q',
            Kind::Danger => b'F',
            Kind::Logic => b'&',
            Kind::Sign | Kind::Operator => b'o',
            Kind::Relation => b'=',
            Kind::Likeness => b'~',
            Kind::Not => b'!',
            Kind::Comma => b',',
            Kind::Semicolon => b';',
            Kind::Open => b'(',
            Kind::Close => b')',
            Kind::Dot => b'.',
            Kind::Comment => b'c',
            Kind::Select => b'S',
            Kind::Union => b'U',
            Kind::Statement => b'E',
            Kind::Server => b'T',
            Kind::Run => b'R',
            Kind::Clause => b'B',
            Kind::From => b'k',
            Kind::Where => b'w',
            Kind::Keyword => b'x',
            Kind::Other => b'?',
        }
    }

    /// Whether it has a value, so that an operator may follow.
    pub(super) fn is_operand(self) -> bool {
        matches!(
            self,
            Kind::Number
                | Kind::Text
                | Kind::Variable
                | Kind::Name
                | Kind::Call
                | Kind::Compared
                | Kind::Matched
                | Kind::Choice
                | Kind::Subquery
                | Kind::Danger
        )
    }

    /// Of two operands under one operator the stronger one says what the whole is.
    pub(super) fn strength(self) -> u8 {
        match self {
            Kind::Danger => 9,
            Kind::Subquery => 8,
            Kind::Choice => 7,
            Kind::Call => 6,
            Kind::Compared => 5,
            Kind::Matched => 4,
            Kind::Variable => 3,
            Kind::Name => 2,
            Kind::Text => 1,
            _ => 0,
        }
    }
}
