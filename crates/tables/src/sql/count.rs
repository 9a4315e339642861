//! How many rows there are, and whether there is one.

use portcullis_core::Result;

use super::frame::{Frame, computes};
use super::write::Writer;
use crate::output::Outputs;
use crate::query::{Filter, Read};

impl<'a> Writer<'a> {
    /// The number of rows of a read without its window, or, where there are more, one more than `cap`.
    ///
    /// # Errors
    /// `bad_query` where the engine can't do what is asked for.
    pub(super) fn counted(&mut self, read: &Read, cap: u64) -> Result<Outputs> {
        self.words("SELECT count(*) FROM (");
        self.all_rows(read)?;
        self.words(" LIMIT ").number(cap.saturating_add(1)).words(") AS ");
        let rows = self.new_alias();
        self.alias(rows);
        // Hidden, so that it is found in the same place whatever the form of the answer is.
        Ok(Outputs {
            hidden: 1,
            ..Outputs::NONE
        })
    }

    /// All rows of a read, without its window and in no order.
    ///
    /// # Errors
    /// `bad_query` where the engine can't do what is asked for.
    pub(super) fn all_rows(&mut self, read: &Read) -> Result<()> {
        if read.union.is_none() && !computes(&read.items) {
            let frame = self.lone_frame(read);
            self.words("SELECT 1 AS n FROM ");
            self.tables(&frame, None)?;
            return self.rows(&frame, None, &mut false);
        }
        self.words("SELECT 1 AS n FROM (");
        self.members(read)?;
        self.words(") AS ");
        let members = self.new_alias();
        self.alias(members);
        Ok(())
    }

    /// One row where there is one that passes.
    ///
    /// # Errors
    /// `bad_query` where the engine can't do what is asked for.
    pub(super) fn found(&mut self, resource: usize, filters: &[&Filter]) -> Result<Outputs> {
        let alias = self.new_alias();
        let relation = self.relation_of(resource);
        self.words("SELECT 1 FROM ")
            .relation(relation)
            .words(" AS ")
            .alias(alias);
        let mut started = false;
        for filter in filters {
            self.and(&mut started);
            self.filter(resource, Some(alias), filter)?;
        }
        self.words(" LIMIT 1");
        Ok(Outputs::NONE)
    }

    /// A frame in which nothing is joined, so that inner embeds are conditions.
    pub(super) fn lone_frame<'q>(&mut self, read: &'q Read) -> Frame<'q>
    where
        'a: 'q,
    {
        Frame {
            resource: read.resource,
            relation: self.relation_of(read.resource),
            alias: self.new_alias(),
            read,
            joined: read.items.iter().map(|_| None).collect(),
        }
    }
}
