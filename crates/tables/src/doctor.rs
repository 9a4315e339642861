//! What indexes do for the questions that an API allows: how a database finds the rows of each, which questions no index
//! helps, which index would, and which are of no use.
//!
//! Nothing here asks a database. [`plan`] puts what the three engines say of their plans into one set of words,
//! [`potential`] lists the questions that an API allows before anybody asks them, [`unindexed`] tells from the schema
//! alone which of them read a whole table, [`advice`] names indexes that would help, [`indexes`] those that don't, and
//! [`words`] says in sentences what all this means.

pub mod advice;
pub mod indexes;
mod part;
pub mod plan;
pub mod potential;
pub mod unindexed;
pub mod words;

use std::fmt;

/// How rows are found, from the cheapest to the dearest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Access {
    /// Down the tree that the rows themselves are in.
    Clustered,
    /// Down an index that holds all that is asked for.
    Covering,
    /// Down an index of another kind, such as one of words.
    Seek,
    /// Down an index, and from there to the rows, one after the other.
    SeekLookup,
    /// By several indexes, or by one whose rows are then read in the order of the table.
    Bitmap,
    /// Along the table or an index in the order that is asked for, up to the limit.
    Walk,
    /// Rows are sorted once they are found.
    Sort,
    /// Through a whole index.
    IndexScan,
    /// By an index that the database makes for this one execution, which reads the whole table.
    AutomaticIndex,
    /// Through a whole table.
    FullScan,
}

impl Access {
    /// All of them, the cheapest first.
    pub const ALL: [Access; 10] = [
        Access::Clustered,
        Access::Covering,
        Access::Seek,
        Access::SeekLookup,
        Access::Bitmap,
        Access::Walk,
        Access::Sort,
        Access::IndexScan,
        Access::AutomaticIndex,
        Access::FullScan,
    ];

    /// Its name in reports and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Access::Clustered => "clustered",
            Access::Covering => "covering",
            Access::Seek => "seek",
            Access::SeekLookup => "seek_lookup",
            Access::Bitmap => "bitmap",
            Access::Walk => "walk",
            Access::Sort => "sort",
            Access::IndexScan => "index_scan",
            Access::AutomaticIndex => "automatic_index",
            Access::FullScan => "full_scan",
        }
    }

    /// Whether all rows of a table are read, be it from the table or from an index of it.
    pub fn reads_all(self) -> bool {
        matches!(self, Access::IndexScan | Access::AutomaticIndex | Access::FullScan)
    }
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests;
