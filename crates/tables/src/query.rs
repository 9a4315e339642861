//! A question to a resource, resolved: every name is a place in the schema, every value is checked and stands apart.

use crate::schema::Cast;
use crate::value::Value;

/// Rows of a resource.
#[derive(Clone, Debug, PartialEq)]
pub struct Read {
    /// The resource, by its place in the API.
    pub resource: usize,
    /// What each row shows, in this order.
    pub items: Vec<Item>,
    /// Which rows the client means.
    pub filter: Option<Filter>,
    /// Which rows the caller may see at all.
    pub rule: Option<Filter>,
    /// Their order, as the client asks for it. Whoever makes SQL of it appends the tie-break.
    pub order: Vec<Order>,
    /// Which of them in their order.
    pub window: Window,
    /// Conditions on groups, where `items` has aggregates.
    pub having: Option<Having>,
    /// Other resources whose rows of the same shape come with these, each with its own rule.
    pub union: Option<Union>,
    /// How many there are in all, where that is asked for.
    pub count: Option<Count>,
}

impl Read {
    /// All rows that pass a filter and that the rule lets the caller see, in no order that matters.
    pub fn all(resource: usize, items: Vec<Item>, filter: Option<Filter>, rule: Option<Filter>) -> Read {
        Read {
            resource,
            items,
            filter,
            rule,
            order: Vec::new(),
            window: Window::default(),
            having: None,
            union: None,
            count: None,
        }
    }
}

/// A part of what a row shows.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// A column, or what a path finds in it.
    Field {
        /// The column and path.
        field: Field,
        /// The member's name in the answer; by default the column's, or the path's last name.
        name: Box<str>,
        /// The type it is cast to.
        cast: Option<Cast>,
    },
    /// A computation over the rows of a group.
    Aggregate {
        /// Which one.
        function: Aggregate,
        /// Of what; only `count` knows none.
        field: Option<Field>,
        /// A cast of the field before the computation.
        inner_cast: Option<Cast>,
        /// A cast of the result.
        cast: Option<Cast>,
        /// The member's name.
        name: Box<str>,
    },
    /// Rows of a related resource.
    Embed(Box<Embed>),
    /// The name of the resource that a row of a union is of.
    Origin {
        /// The member's name.
        name: Box<str>,
    },
}

/// A column, and a path into the JSON that it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// The column, by its place in the relation.
    pub column: usize,
    /// The steps of the path; none is the column itself.
    pub path: Vec<Step>,
    /// Whether the last step gives text (`->>`) in place of JSON (`->`).
    pub as_text: bool,
}

impl Field {
    /// The column itself.
    pub fn of(column: usize) -> Field {
        Field {
            column,
            path: Vec::new(),
            as_text: false,
        }
    }
}

/// One step of a path into JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A member of an object.
    Member(String),
    /// An item of an array, counted from 0, or from the end by -1.
    Item(i32),
}

/// Computations over groups. A closed list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Aggregate {
    Count,
    Sum,
    Average,
    Minimum,
    Maximum,
}

/// Rows of a related resource inside of a row.
#[derive(Clone, Debug, PartialEq)]
pub struct Embed {
    /// The member's name.
    pub name: Box<str>,
    /// How they are related: a place in the resource's relationships.
    pub relationship: usize,
    /// Whether rows without a related one are left out (`!inner`).
    pub inner: bool,
    /// Whether its members stand in the row itself (`...`).
    pub spread: bool,
    /// What of them. Its `rule` is that of the related resource.
    pub read: Read,
    /// Which rows of the table between may be seen, where the relation goes through one.
    pub through_rule: Option<Filter>,
}

impl Embed {
    /// Whether the answer has a member for it: one that shows nothing, nor anything inside of it, is there for filters
    /// only (`actors()`).
    pub fn is_shown(&self) -> bool {
        self.read.items.iter().any(|item| match item {
            Item::Embed(embed) => embed.is_shown(),
            Item::Field { .. } | Item::Aggregate { .. } | Item::Origin { .. } => true,
        })
    }
}

/// A condition.
#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    /// All of them hold; of none, true.
    And(Vec<Filter>),
    /// One of them holds; of none, false.
    Or(Vec<Filter>),
    /// It doesn't hold, nor is it unknown.
    Not(Box<Filter>),
    /// A test of a field.
    Test {
        /// The field.
        field: Field,
        /// The test.
        test: Test,
    },
    /// Whether a related row is there, for the embed of that place among the items (`actors=not.is.null`).
    Embedded {
        /// The place of the embed in the items of the same read.
        item: usize,
        /// Whether one must be there, or none may be.
        present: bool,
    },
    /// The row is one of those that an earlier step of the same script gave. No request says this: it is how a change
    /// reads again what it wrote.
    Keys {
        /// Columns, and the places among the step's hidden outputs whose values they have.
        columns: Vec<(usize, usize)>,
        /// The step.
        step: usize,
    },
}

impl Filter {
    /// A column has that value.
    pub(crate) fn equal(column: usize, value: Value) -> Filter {
        Filter::Test {
            field: Field::of(column),
            test: Test::Compare(Comparison::Equal, value),
        }
    }
}

/// A test of a field. Operators are a closed list.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// Compared with one value.
    Compare(Comparison, Value),
    /// Compared with each of several values, of which one (`any`) or all must pass.
    Quantified(Comparison, Quantifier, Vec<Value>),
    /// `like` or `ilike`: `%` and `_` are special, and `\` takes the next character as it is.
    Like {
        /// Whether letters are compared without case.
        insensitive: bool,
        /// The pattern.
        pattern: String,
    },
    /// `like(any)` and the like.
    QuantifiedLike {
        /// Whether letters are compared without case.
        insensitive: bool,
        /// Whether one or all must match.
        quantifier: Quantifier,
        /// The patterns.
        patterns: Vec<String>,
    },
    /// `match` or `imatch`: a POSIX regular expression.
    Match {
        /// Whether letters are compared without case.
        insensitive: bool,
        /// One or several expressions.
        patterns: Vec<String>,
        /// Whether one or all must match.
        quantifier: Quantifier,
    },
    /// One of these values.
    In(Vec<Value>),
    /// `is`.
    Is(Is),
    /// `isdistinct`: not equal, with NULL being a value like others.
    Distinct(Value),
    /// Full text.
    Search(Search),
    /// `cs`, `cd`, `ov`: containment of arrays, ranges and JSON.
    Contain(Containment, Value),
    /// `sl`, `sr`, `nxr`, `nxl`, `adj`: how ranges lie.
    Range(RangeTest, Value),
}

/// How a value is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Comparison {
    Equal,
    NotEqual,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

/// How many of several must pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Quantifier {
    Any,
    All,
}

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Is {
    Null,
    NotNull,
    True,
    False,
    Unknown,
}

/// A search in text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Search {
    /// How the words are read.
    pub form: SearchForm,
    /// The language, by its name in the database: letters, digits and `_` only. PostgreSQL alone has them.
    pub language: Option<String>,
    /// The words.
    pub words: String,
}

/// How the words of a search are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SearchForm {
    /// `fts`: with operators.
    Query,
    /// `plfts`: all of the words.
    Plain,
    /// `phfts`: the words in this order.
    Phrase,
    /// `wfts`: as web searches are written.
    Web,
}

/// How two collections relate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Containment {
    Contains,
    ContainedIn,
    Overlaps,
}

/// How two ranges lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RangeTest {
    /// `sl`: left of it.
    StrictlyLeft,
    /// `sr`: right of it.
    StrictlyRight,
    /// `nxr`: no further to the right.
    NotRight,
    /// `nxl`: no further to the left.
    NotLeft,
    /// `adj`: beside it.
    Adjacent,
}

/// One term of an order.
#[derive(Clone, Debug, PartialEq)]
pub struct Order {
    /// By what.
    pub by: OrderBy,
    /// Whether the largest come first.
    pub descending: bool,
    /// Where NULLs stand.
    pub nulls: Nulls,
}

/// What an order goes by.
#[derive(Clone, Debug, PartialEq)]
pub enum OrderBy {
    /// A field of the resource.
    Field(Field),
    /// A field of a related row, for a related resource with one row at the most: the place of the embed among the
    /// items, and the field.
    Embedded(usize, Field),
    /// An item of the answer, by its place: an aggregate.
    Item(usize),
}

/// Where NULLs stand in an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nulls {
    /// As PostgreSQL has it, on every engine: after everything when ascending, before everything when descending.
    Largest,
    /// Before everything.
    First,
    /// After everything.
    Last,
}

/// Which of the rows in their order are meant.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Window {
    /// How many at the most; `None` is all.
    pub limit: Option<u64>,
    /// How many are left out before the first.
    pub offset: u64,
    /// Only rows behind, or before, the one with these values of the order's terms and the tie-break.
    pub cursor: Option<Cursor>,
    /// Whether the answer tells the cursors of its first and last row.
    pub cursors: bool,
}

/// A row's place in an order.
#[derive(Clone, Debug, PartialEq)]
pub struct Cursor {
    /// The values of the order's terms, and then of the tie-break's columns.
    pub values: Vec<Value>,
    /// Whether the rows before it are meant, the nearest ones.
    pub before: bool,
}

/// A condition on groups.
#[derive(Clone, Debug, PartialEq)]
pub enum Having {
    /// All of them hold.
    And(Vec<Having>),
    /// One of them holds.
    Or(Vec<Having>),
    /// It doesn't hold.
    Not(Box<Having>),
    /// A comparison of the aggregate of that place among the items.
    Test(usize, Comparison, Value),
}

/// Other resources whose rows come with a resource's own. Filters, order and window are those of the read; columns are
/// found by their names.
#[derive(Clone, Debug, PartialEq)]
pub struct Union {
    /// Whether the same row is shown once only.
    pub distinct: bool,
    /// Each of them resolved by itself: what it shows, its filter and its rule. Order and window are left empty.
    pub members: Vec<Read>,
}

/// How exact a number of rows is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// Counted, up to the API's limit.
    Exact,
    /// What the planner believes.
    Planned,
    /// Counted where there are few, else what the planner believes.
    Estimated,
}
