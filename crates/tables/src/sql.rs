//! From what is asked for to SQL, in three dialects.
//!
//! Text compares in its column's own collation, so that indexes can be used: in MariaDB most collations take capitals
//! for small letters, and some letters with accents for those without, where PostgreSQL and SQLite tell them apart.
//! `like` and `match` tell them apart on every engine. All else means what it means in PostgreSQL: NULLs are the
//! largest values, `sum` of nothing is NULL, a list of nothing is `[]`.

mod dialect;
mod embed;
mod field;
mod filter;
mod pattern;
mod search;
mod write;

pub(crate) use self::write::{Alias, Label, Writer};
