//! Embeds: which relationship is meant.

use portcullis_core::{Method, Result};

use super::{Parent, Resolver, Scope};
use crate::api::{Join, Relationship, Resource};
use crate::grammar::syntax::{self, Parsed};
use crate::grammar::{refused, shown, template};
use crate::query::{Embed, Item};
use crate::schema::{Kind, did_you_mean};

/// Relationships that an error lists at the most.
const MAX_LISTED: usize = 16;

/// The place of the embed that a path names: by its own name, or by its target where that leaves no doubt.
pub(super) fn named(embeds: &[&syntax::Embed], name: &str) -> Parsed<usize> {
    if let Some(place) = embeds.iter().position(|embed| own_name(embed) == name) {
        return Ok(place);
    }
    let mut targets = embeds.iter().enumerate().filter(|(_, embed)| embed.target == name);
    match (targets.next(), targets.next()) {
        (Some((place, _)), None) => Ok(place),
        _ => {
            let suggestion = did_you_mean(name, embeds.iter().map(|embed| own_name(embed)));
            Err(format!("`{}` is not embedded by `select`{suggestion}", shown(name)))
        }
    }
}

/// The name that the embed's rows have in the answer.
fn own_name(embed: &syntax::Embed) -> &str {
    embed.alias.as_ref().unwrap_or(&embed.target)
}

impl Resolver<'_> {
    pub(super) fn embed(&mut self, resource: usize, embed: &syntax::Embed, scope: &Scope<'_>) -> Result<Item> {
        let place = self
            .relationship(resource, &embed.target, embed.hint.as_deref())
            .map_err(|problem| refused("select", &problem))?;
        let relationship = &self.resource(resource).relationships[place];
        let parent = Parent {
            to_one: relationship.to_one,
        };
        let read = self.node(relationship.target, Some(&embed.items), scope, Some(parent))?;
        let through_rule = match &relationship.join {
            Join::Direct { .. } => None,
            Join::Through { between, .. } => template::rule(self.resource(*between), self.caller),
        };
        if embed.spread && !relationship.to_one && has_aggregate(&read.items) {
            let problem = format!(
                "a computation can't be spread out of `{}`, of which there are several",
                shown(&embed.target)
            );
            return Err(refused("select", &problem));
        }
        Ok(Item::Embed(Box::new(Embed {
            name: own_name(embed).into(),
            relationship: place,
            inner: embed.inner,
            spread: embed.spread,
            read,
            through_rule,
        })))
    }

    /// The place of the relationship that is meant.
    fn relationship(&self, origin: usize, target: &str, hint: Option<&str>) -> Parsed<usize> {
        let resource = self.resource(origin);
        let found: Vec<usize> = resource
            .relationships
            .iter()
            .enumerate()
            .filter(|(_, related)| is_read(self.resource(related.target)))
            .filter(|(_, related)| self.is_meant(resource, related, target, hint))
            .map(|(place, _)| place)
            .collect();
        match found.as_slice() {
            [place] => Ok(*place),
            [] => {
                let targets = resource
                    .relationships
                    .iter()
                    .map(|related| self.resource(related.target));
                let related = targets.filter(|target| is_read(target)).map(|target| &*target.name);
                let suggestion = match hint {
                    Some(_) => String::new(),
                    None => did_you_mean(target, related),
                };
                let hint = hint.map_or_else(String::new, |hint| format!(" by `{}`", shown(hint)));
                let name = &resource.name;
                Err(format!(
                    "nothing relates `{name}` and `{}`{hint}{suggestion}",
                    shown(target)
                ))
            }
            several => {
                let hints: Vec<String> = several
                    .iter()
                    .take(MAX_LISTED)
                    .map(|place| self.with_hint(&resource.relationships[*place]))
                    .collect();
                Err(format!(
                    "`{}` and `{}` are related in several ways; name one of them: {}",
                    resource.name,
                    shown(target),
                    hints.join(", ")
                ))
            }
        }
    }

    /// How an embed says that it means that relationship.
    fn with_hint(&self, related: &Relationship) -> String {
        let target = &self.resource(related.target).name;
        match &related.join {
            Join::Direct { .. } => format!("{target}!{}", related.constraint),
            Join::Through {
                between, constraint, ..
            } => {
                let between = self.resource(*between);
                let alone = between.relation.foreign_keys.iter().filter(|key| {
                    std::sync::Arc::ptr_eq(
                        &self.api.schema.relations()[key.relation],
                        &self.resource(related.target).relation,
                    )
                });
                if alone.count() > 1 {
                    format!("{target}!{constraint}")
                } else {
                    format!("{target}!{}", between.name)
                }
            }
        }
    }

    /// Whether `target!hint` means that relationship. The target is the resource, or the constraint or column that
    /// refers; the hint is the constraint, a column on either side, or the table between.
    fn is_meant(&self, resource: &Resource, related: &Relationship, target: &str, hint: Option<&str>) -> bool {
        let other = self.resource(related.target);
        let is_resource = *other.name == *target;
        let is_self = std::sync::Arc::ptr_eq(&resource.relation, &other.relation);
        let column = |resource: &Resource, columns: &[usize], name: &str| matches!(columns, [column] if resource.relation.columns[*column].name.as_str() == name);
        match (&related.join, hint) {
            (Join::Direct { here, there }, None) => {
                // Constraints and columns are those of tables: a view that shows a table would make them mean two things.
                let is_table = other.relation.kind == Kind::Table;
                let by_name = is_table && (*related.constraint == *target || column(resource, here, target));
                if is_self {
                    // One key makes both directions: by the table's name it is the rows that refer to this one, by the
                    // column's the row that this one refers to.
                    let refers = refers(resource, related, here, there);
                    (is_resource && !refers) || (by_name && refers)
                } else {
                    is_resource || by_name
                }
            }
            (Join::Direct { here, there }, Some(hint)) => {
                let by_hint = *related.constraint == *hint || column(other, there, hint);
                if is_self {
                    is_resource && by_hint && !refers(resource, related, here, there)
                } else {
                    is_resource && (by_hint || column(resource, here, hint))
                }
            }
            (Join::Through { .. }, None) => is_resource && !is_self,
            (
                Join::Through {
                    between, constraint, ..
                },
                Some(hint),
            ) => is_resource && (*self.resource(*between).name == *hint || **constraint == *hint),
        }
    }
}

/// Whether clients may read its rows, and so those of an embed.
pub(super) fn is_read(resource: &Resource) -> bool {
    resource.methods.contains(&Method::Get)
}

/// Whether the resource's own columns are those that refer.
fn refers(resource: &Resource, related: &Relationship, here: &[usize], there: &[usize]) -> bool {
    let keys = &resource.relation.foreign_keys;
    keys.iter()
        .any(|key| key.name == related.constraint && key.columns == here && key.referred == there)
}

/// Whether there is a computation among the items, or among those that are spread into them.
pub(super) fn has_aggregate(items: &[Item]) -> bool {
    items.iter().any(|item| match item {
        Item::Aggregate { .. } => true,
        Item::Embed(embed) => embed.spread && has_aggregate(&embed.read.items),
        Item::Field { .. } | Item::Origin { .. } => false,
    })
}
