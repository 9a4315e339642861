//! The tables that one statement, or one statement within it, reads from, and which of their rows.

use portcullis_core::Result;

use super::filter::Scope;
use super::write::{Alias, Writer};
use crate::api::{Join, Relationship};
use crate::query::{Embed, Filter, Item, Read};
use crate::schema::{Identifier, Relation};

/// A table, with the tables of related rows that are joined to it: those with one row at the most.
pub(super) struct Frame<'q> {
    /// The resource, by its place in the API.
    pub(super) resource: usize,
    /// The table.
    pub(super) relation: &'q Relation,
    /// The table's alias.
    pub(super) alias: Alias,
    /// What is read of it.
    pub(super) read: &'q Read,
    /// For each item, the frame of the embed that it is, where it is joined.
    pub(super) joined: Vec<Option<Frame<'q>>>,
}

/// How the rows of a statement within a statement are related to a row outside.
#[derive(Clone, Copy)]
pub(super) struct Link<'q> {
    /// The alias of the table outside.
    pub(super) outer: Alias,
    /// The table outside.
    pub(super) outer_relation: &'q Relation,
    /// The relationship.
    pub(super) relationship: &'q Relationship,
    /// Which rows of the table between may be seen.
    pub(super) through_rule: Option<&'q Filter>,
    /// The alias of the table between, where there is one.
    pub(super) between: Option<Alias>,
}

impl<'q> Link<'q> {
    /// The columns of the table outside, and those, each with its table's alias, that have the same values within.
    pub(super) fn columns<'a: 'q>(
        &self,
        frame: &Frame<'q>,
        writer: &Writer<'a>,
    ) -> (Vec<&'q Identifier>, Vec<(Alias, &'q Identifier)>) {
        let (here, alias, relation, there) = match (&self.relationship.join, self.between) {
            (
                Join::Through {
                    between, here, from, ..
                },
                Some(alias),
            ) => (here, alias, writer.relation_of(*between), from),
            (Join::Direct { here, there } | Join::Through { here, there, .. }, _) => {
                (here, frame.alias, frame.relation, there)
            }
        };
        let outside = here
            .iter()
            .map(|place| &self.outer_relation.columns[*place].name)
            .collect();
        let within = there
            .iter()
            .map(|place| (alias, &relation.columns[*place].name))
            .collect();
        (outside, within)
    }
}

impl<'q> Frame<'q> {
    /// The table, for conditions.
    pub(super) fn scope(&self) -> Scope<'q> {
        Scope {
            resource: self.resource,
            alias: Some(self.alias),
            items: &self.read.items,
        }
    }
}

impl<'a> Writer<'a> {
    /// The frame of a read, with aliases for all its tables.
    pub(super) fn frame<'q>(&mut self, read: &'q Read) -> Frame<'q>
    where
        'a: 'q,
    {
        let alias = self.new_alias();
        let joined = read.items.iter().map(|item| match item {
            Item::Embed(embed) if self.is_joined(read.resource, embed) => Some(self.frame(&embed.read)),
            _ => None,
        });
        let joined = joined.collect();
        Frame {
            resource: read.resource,
            relation: self.relation_of(read.resource),
            alias,
            read,
            joined,
        }
    }

    /// How the embed's rows are related to those of the table.
    pub(super) fn link<'q>(&mut self, resource: usize, outer: Alias, embed: &'q Embed) -> Link<'q>
    where
        'a: 'q,
    {
        let relationship = self.relationship(resource, embed);
        let between = matches!(relationship.join, Join::Through { .. }).then(|| self.new_alias());
        Link {
            outer,
            outer_relation: self.relation_of(resource),
            relationship,
            through_rule: embed.through_rule.as_ref(),
            between,
        }
    }

    /// The relationship that an embed follows.
    pub(super) fn relationship(&self, resource: usize, embed: &Embed) -> &'a Relationship {
        &self.resource(resource).relationships[embed.relationship]
    }

    /// Whether the embed's row is joined to the row that it is in, in place of being read by a statement of its own.
    fn is_joined(&self, resource: usize, embed: &Embed) -> bool {
        let relationship = self.relationship(resource, embed);
        relationship.to_one
            && matches!(relationship.join, Join::Direct { .. })
            && (embed.spread || !computes(&embed.read.items))
    }

    /// The tables of the frame.
    ///
    /// # Errors
    /// `bad_query` where the engine can't do what is asked for.
    pub(super) fn tables(&mut self, frame: &Frame<'_>, link: Option<Link<'_>>) -> Result<()> {
        match self.source_of(frame.alias) {
            Some(called) => self.called_as(&called, frame.alias)?,
            None => _ = self.relation(frame.relation).words(" AS ").alias(frame.alias),
        }
        if let Some((link, between)) = link.and_then(|link| Some((link, link.between?)))
            && let Join::Through {
                between: resource,
                to,
                there,
                ..
            } = &link.relationship.join
        {
            let relation = self.relation_of(*resource);
            self.words(" JOIN ")
                .relation(relation)
                .words(" AS ")
                .alias(between)
                .words(" ON ");
            self.same((between, relation, to), (frame.alias, frame.relation, there))?;
        }
        self.joins(frame, true)
    }

    /// Joins the related rows. Where the row that they belong to must be there, rows without an inner one are left out
    /// by the join; where it may be missing, the condition of its own join must say so.
    fn joins(&mut self, frame: &Frame<'_>, required: bool) -> Result<()> {
        for (item, joined) in frame.read.items.iter().zip(&frame.joined) {
            let (Item::Embed(embed), Some(joined)) = (item, joined) else {
                continue;
            };
            let inner = required && embed.inner;
            let relationship = self.relationship(frame.resource, embed);
            self.words(if inner { " JOIN " } else { " LEFT JOIN " });
            self.relation(joined.relation)
                .words(" AS ")
                .alias(joined.alias)
                .words(" ON (");
            if let Join::Direct { here, there } = &relationship.join {
                self.same(
                    (joined.alias, joined.relation, there),
                    (frame.alias, frame.relation, here),
                )?;
            }
            let mut started = true;
            self.visible(joined, &mut started)?;
            self.inner_embeds(joined, inner, &mut started)?;
            self.words(")");
            self.joins(joined, inner)?;
        }
        Ok(())
    }

    /// Which rows of the frame are meant: ` WHERE` and all that must hold of them.
    ///
    /// # Errors
    /// `bad_query` where the engine can't do what is asked for.
    pub(super) fn rows(&mut self, frame: &Frame<'_>, link: Option<Link<'_>>, started: &mut bool) -> Result<()> {
        if let Some(link) = link {
            self.and(started);
            self.linked(frame, link)?;
        }
        self.visible(frame, started)?;
        self.inner_embeds(frame, true, started)
    }

    /// The rule and the filter, each by itself in parentheses.
    fn visible(&mut self, frame: &Frame<'_>, started: &mut bool) -> Result<()> {
        for filter in [&frame.read.rule, &frame.read.filter].into_iter().flatten() {
            self.and(started);
            self.condition(frame.scope(), filter)?;
        }
        Ok(())
    }

    /// Embeds without which a row is left out. `joining` tells that those with one row are joined, which sees to it.
    fn inner_embeds(&mut self, frame: &Frame<'_>, joining: bool, started: &mut bool) -> Result<()> {
        for (place, (item, joined)) in frame.read.items.iter().zip(&frame.joined).enumerate() {
            if matches!(item, Item::Embed(embed) if embed.inner) && (joined.is_none() || !joining) {
                self.and(started);
                self.embedded(frame.scope(), place, true)?;
            }
        }
        Ok(())
    }

    /// The rows that belong to the row outside.
    fn linked(&mut self, frame: &Frame<'_>, link: Link<'_>) -> Result<()> {
        match (&link.relationship.join, link.between) {
            (
                Join::Through {
                    between: resource,
                    here,
                    from,
                    ..
                },
                Some(between),
            ) => {
                let relation = self.relation_of(*resource);
                self.same((between, relation, from), (link.outer, link.outer_relation, here))?;
                if let Some(rule) = link.through_rule {
                    self.words(" AND ").filter(*resource, Some(between), rule)?;
                }
                Ok(())
            }
            (Join::Direct { here, there }, _) => self.same(
                (frame.alias, frame.relation, there),
                (link.outer, link.outer_relation, here),
            ),
            // A table between has an alias always.
            (Join::Through { .. }, None) => {
                self.words("FALSE");
                Ok(())
            }
        }
    }

    /// The rule of the table between, where there is one.
    ///
    /// # Errors
    /// `bad_query` where the engine can't do what is asked for.
    pub(super) fn through_rule(&mut self, link: Link<'_>, started: &mut bool) -> Result<()> {
        if let (Join::Through { between, .. }, Some(alias), Some(rule)) =
            (&link.relationship.join, link.between, link.through_rule)
        {
            self.and(started);
            self.filter(*between, Some(alias), rule)?;
        }
        Ok(())
    }

    /// Whether these columns of one table have the values of those of the other one.
    fn same(
        &mut self,
        (one, one_relation, ones): (Alias, &Relation, &[usize]),
        (other, other_relation, others): (Alias, &Relation, &[usize]),
    ) -> Result<()> {
        self.list(" AND ", ones.iter().zip(others), |writer, (here, there)| {
            writer.column(Some(one), &one_relation.columns[*here].name).words(" = ");
            writer.column(Some(other), &other_relation.columns[*there].name);
            Ok(())
        })
    }

    /// ` WHERE` before the first condition, ` AND` before the others.
    pub(super) fn and(&mut self, started: &mut bool) {
        self.words(if *started { " AND " } else { " WHERE " });
        *started = true;
    }
}

/// Whether there is a computation over groups among the items, or among those that are spread into them.
pub(super) fn computes(items: &[Item]) -> bool {
    items.iter().any(|item| match item {
        Item::Aggregate { .. } => true,
        Item::Embed(embed) => embed.spread && computes(&embed.read.items),
        Item::Field { .. } | Item::Origin { .. } => false,
    })
}
