//! Names of columns, and paths into them.

use portcullis_core::Result;

use super::Resolver;
use crate::api::Resource;
use crate::grammar::syntax::{self, Parsed};
use crate::grammar::{refused, shown};
use crate::query::Field;
use crate::schema::{Relation, Type, did_you_mean};

/// What a column is named for, which decides whether it may be.
#[derive(Clone, Copy)]
pub(in crate::grammar) enum Reach<'r> {
    /// To be shown.
    Shown(&'r Resource),
    /// To be filtered or ordered by.
    Filtered(&'r Resource),
    /// By the file itself, which knows all columns.
    File(&'r Relation),
}

impl<'r> Reach<'r> {
    pub(in crate::grammar) fn relation(self) -> &'r Relation {
        match self {
            Reach::Shown(resource) | Reach::Filtered(resource) => &resource.relation,
            Reach::File(relation) => relation,
        }
    }

    /// The place of a column of that name, if it may be named.
    pub(super) fn column(self, name: &str) -> Option<usize> {
        let place = self.relation().column(name)?;
        let allowed = match self {
            Reach::Shown(resource) => resource.readable.contains(&place),
            Reach::Filtered(resource) => resource.filterable.contains(&place),
            Reach::File(_) => true,
        };
        allowed.then_some(place)
    }

    /// What to say of a name that means nothing. A column that can't be read is as unknown as one that isn't there.
    fn unknown(self, name: &str) -> String {
        let named = |places: &'r [usize]| {
            let relation = self.relation();
            places.iter().map(move |place| relation.columns[*place].name.as_str())
        };
        match self {
            Reach::Filtered(resource) if Reach::Shown(resource).column(name).is_some() => {
                format!("rows can't be filtered or ordered by `{}`", shown(name))
            }
            Reach::Shown(resource) => {
                format!(
                    "there is no column `{}`{}",
                    shown(name),
                    did_you_mean(name, named(&resource.readable))
                )
            }
            Reach::Filtered(resource) => {
                let known = named(&resource.filterable).chain(syntax::PARAMETERS);
                format!("there is no column `{}`{}", shown(name), did_you_mean(name, known))
            }
            Reach::File(relation) => {
                let known = relation.columns.iter().map(|column| column.name.as_str());
                format!("there is no column `{name}`{}", did_you_mean(name, known))
            }
        }
    }
}

/// Finds what a field means.
pub(in crate::grammar) fn resolve_field(reach: Reach<'_>, field: &syntax::Field) -> Parsed<Field> {
    let column = reach
        .column(&field.column)
        .ok_or_else(|| reach.unknown(&field.column))?;
    let has_path = !field.steps.is_empty();
    let kind = &reach.relation().columns[column].kind;
    let is_structured = matches!(
        kind,
        Type::Json { .. } | Type::Array(_) | Type::Composite | Type::Any | Type::Other
    );
    if has_path && !is_structured {
        return Err(format!(
            "`{}` holds {}, into which no path leads",
            shown(&field.column),
            kind.description()
        ));
    }
    Ok(Field {
        column,
        path: field.steps.clone(),
        as_text: field.as_text,
    })
}

/// What a field holds.
pub(crate) fn kind_of(relation: &Relation, field: &Field) -> Type {
    match (field.path.is_empty(), field.as_text) {
        (true, _) => relation.columns[field.column].kind.clone(),
        (false, true) => Type::Text,
        (false, false) => Type::Json { binary: true },
    }
}

impl Resolver<'_> {
    /// The places of columns that a content may have values for.
    pub(super) fn writable(&self, resource: usize, names: &[String], parameter: &str) -> Result<Vec<usize>> {
        let resource = self.resource(resource);
        let mut places = Vec::new();
        for name in names {
            let place = resource.relation.column(name);
            let known = place.filter(|place| resource.writable.contains(place) || resource.readable.contains(place));
            let Some(place) = known else {
                let relation = &resource.relation;
                let known = resource.writable.iter().chain(&resource.readable);
                let suggestion = did_you_mean(name, known.map(|place| relation.columns[*place].name.as_str()));
                let problem = format!("there is no column `{}`{suggestion}", shown(name));
                return Err(refused(parameter, &problem));
            };
            if !places.contains(&place) {
                places.push(place);
            }
        }
        Ok(places)
    }
}
