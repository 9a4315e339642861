//! What a row shows, part by part, with the members of spread embeds among them.

use portcullis_core::Result;

use super::aggregate::Computation;
use super::field::Operand;
use super::frame::{Frame, computes};
use super::write::Writer;
use crate::api::{Join, Relationship};
use crate::query::{Embed, Item};
use crate::schema::{Cast, Identifier, Type};

/// A part of what a row shows.
pub(super) struct Part<'q> {
    /// The member's name.
    pub(super) name: &'q str,
    /// The member's name, where the schema has such a name: in PostgreSQL, rows whose columns have names are made JSON
    /// faster than lists of names and values.
    pub(super) identifier: Option<&'q Identifier>,
    /// What it holds.
    pub(super) kind: Type,
    /// What it is.
    pub(super) source: Source<'q>,
}

/// Where a part comes from.
pub(super) enum Source<'q> {
    /// A field.
    Field(Operand<'q>, Option<Cast>),
    /// A computation over a group.
    Computed(Computation<'q>),
    /// The row of a related resource that is joined, and a column that is not NULL where there is one.
    Object(&'q Frame<'q>, usize),
    /// Rows of a related resource, by a statement within the statement.
    Related {
        /// The frame that they belong to.
        frame: &'q Frame<'q>,
        /// The embed.
        embed: &'q Embed,
        /// Of what each row shows only this part, where its parts are spread.
        only: Option<usize>,
    },
    /// The resource's name.
    Origin(&'q str),
}

impl Part<'_> {
    /// Whether it is a computation over a group.
    pub(super) fn is_computed(&self) -> bool {
        matches!(self.source, Source::Computed(_))
    }

    /// Whether a driver's column of it becomes the same JSON as PostgreSQL would make of it. Rows of such parts come as
    /// columns: `row_to_json` would take three times as long of the server for a thousand rows, and of us no less.
    pub(super) fn is_plain(&self) -> bool {
        !matches!(
            self.kind,
            Type::Real | Type::Bytes | Type::Composite | Type::Array(_) | Type::Any | Type::Other | Type::Range
        )
    }

    /// Whether it is JSON that this statement makes, so that it need not be checked.
    pub(super) fn is_made(&self) -> bool {
        matches!(self.source, Source::Object(..) | Source::Related { .. })
    }
}

impl<'a> Writer<'a> {
    /// The parts of what a row of the frame shows.
    pub(super) fn parts<'q>(&self, frame: &'q Frame<'q>) -> Vec<Part<'q>>
    where
        'a: 'q,
    {
        let mut parts = Vec::with_capacity(frame.read.items.len());
        self.add_parts(frame, &mut parts);
        parts
    }

    fn add_parts<'q>(&self, frame: &'q Frame<'q>, parts: &mut Vec<Part<'q>>)
    where
        'a: 'q,
    {
        for (item, joined) in frame.read.items.iter().zip(&frame.joined) {
            let (name, kind, source): (&str, Type, Source<'q>) = match item {
                Item::Field { field, name, cast } => {
                    let operand = Operand {
                        alias: Some(frame.alias),
                        relation: frame.relation,
                        field,
                    };
                    let kind = cast.map_or_else(|| operand.kind(), Cast::kind);
                    (name, kind, Source::Field(operand, *cast))
                }
                Item::Aggregate { name, .. } => {
                    let Some(computation) = Computation::of(frame, item) else {
                        continue;
                    };
                    (name, computation.kind(), Source::Computed(computation))
                }
                Item::Origin { name } => (name, Type::Text, Source::Origin(&self.resource(frame.resource).name)),
                // An embed of nothing is there for its conditions only.
                Item::Embed(embed) if !embed.is_shown() => continue,
                Item::Embed(embed) => match joined {
                    Some(joined) if embed.spread => {
                        self.add_parts(joined, parts);
                        continue;
                    }
                    Some(joined) => {
                        let relationship = self.relationship(frame.resource, embed);
                        (&embed.name, MADE, Source::Object(joined, joined_by(relationship)))
                    }
                    None if embed.spread => {
                        self.add_lists(frame, embed, parts);
                        continue;
                    }
                    None => (
                        &embed.name,
                        MADE,
                        Source::Related {
                            frame,
                            embed,
                            only: None,
                        },
                    ),
                },
            };
            let identifier = self.identifier_named(frame, name);
            parts.push(Part {
                name,
                identifier,
                kind,
                source,
            });
        }
    }

    /// A list for each member of an embed of several rows that is spread.
    fn add_lists<'q>(&self, frame: &'q Frame<'q>, embed: &'q Embed, parts: &mut Vec<Part<'q>>)
    where
        'a: 'q,
    {
        for (place, name) in member_names(embed).into_iter().enumerate() {
            let identifier = self.identifier_named(frame, name);
            let source = Source::Related {
                frame,
                embed,
                only: Some(place),
            };
            parts.push(Part {
                name,
                identifier,
                kind: MADE,
                source,
            });
        }
    }

    /// A name of the schema that is the member's: the table's own, or that of a table.
    fn identifier_named<'q>(&self, frame: &Frame<'q>, name: &str) -> Option<&'q Identifier>
    where
        'a: 'q,
    {
        let own = frame
            .relation
            .columns
            .iter()
            .map(|column| &column.name)
            .find(|own| own.as_str() == name);
        own.or_else(|| self.relation_named(name))
    }

    /// The value of a part.
    ///
    /// # Errors
    /// `bad_query` where the engine can't do what is asked for.
    pub(super) fn part(&mut self, part: &Part<'_>) -> Result<()> {
        match &part.source {
            Source::Field(operand, None) => {
                self.operand(*operand);
            }
            Source::Field(operand, Some(cast)) => {
                self.cast(*cast, &operand.kind(), |writer| {
                    writer.operand(*operand);
                    Ok(())
                })?;
            }
            Source::Computed(computation) => self.computation(computation)?,
            Source::Object(frame, by) => {
                self.words("CASE WHEN ");
                self.is_there(frame, *by);
                self.words(" THEN ");
                let parts = self.parts(frame);
                self.object(&parts, |writer, place| writer.part(&parts[place]))?;
                self.words(" END");
            }
            Source::Related { frame, embed, only } => self.related(frame, embed, *only)?,
            Source::Origin(name) => {
                self.text_value(name);
            }
        }
        Ok(())
    }
}

/// What embeds hold.
const MADE: Type = Type::Json { binary: false };

/// A column of the related table by which its row was joined.
fn joined_by(relationship: &Relationship) -> usize {
    match &relationship.join {
        Join::Direct { there, .. } | Join::Through { there, .. } => there.first().copied().unwrap_or_default(),
    }
}

/// The names of the members of an embed, with those of spread ones among them.
fn member_names(embed: &Embed) -> Vec<&str> {
    let mut names = Vec::new();
    for item in &embed.read.items {
        match item {
            Item::Field { name, .. } | Item::Aggregate { name, .. } | Item::Origin { name } => names.push(&**name),
            Item::Embed(inner) if !inner.is_shown() => {}
            Item::Embed(inner) if inner.spread => names.extend(member_names(inner)),
            Item::Embed(inner) => names.push(&*inner.name),
        }
    }
    names
}

/// Whether one of the parts is a computation: then the others are what rows are grouped by.
pub(super) fn is_grouped(frame: &Frame<'_>) -> bool {
    computes(&frame.read.items)
}
