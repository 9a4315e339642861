//! Recognising what a value would do to the text that it is put into: change an SQL statement, or run a script in a page.
//!
//! Values are cut into tokens as a database or a browser would cut them, in each of the places where a careless program may put
//! them. What counts is the order of the kinds of tokens, not the words: a regular expression is bypassed by other words.
//! The idea is libinjection's; the tokens, the folding and the rules are not.

mod fingerprint;
mod script;
mod sql;

pub use fingerprint::Fingerprint;

/// How an input would change an SQL statement: the kinds of the tokens that do it, or `None` when it wouldn't.
///
/// The input is looked at as it is (in the place of a number), and, if it has such a quote, as the rest of a text between single
/// and between double quotes; with the comments of standard SQL, and with MySQL's where they differ. The time is linear in the
/// input's length, and nothing is allocated.
pub fn sql_injection(input: &[u8]) -> Option<Fingerprint> {
    sql::injection(input)
}

/// Whether an input would run a script in a page: as its text, or as the value of an attribute without quotes, between single
/// quotes, double quotes or backquotes.
///
/// The time is linear in the input's length, and nothing is allocated.
pub fn script(input: &[u8]) -> bool {
    script::injected(input)
}
