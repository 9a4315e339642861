//! What later operations may say of earlier ones.

use std::cell::RefCell;

use super::operation::Operation;
use super::standing_for;
use crate::api::Api;
use crate::schema::{Column, Engine, Type};
use crate::value::Value;

/// An operation that was read, as far as later ones refer to it.
#[derive(Debug)]
pub(super) struct Known {
    name: Option<Box<str>>,
    resource: usize,
    single: bool,
    /// Columns that are referred to, beside key and version.
    pub(super) keep: Vec<usize>,
    /// Whether it is referred to.
    pub(super) used: bool,
}

impl Known {
    /// What is known of an operation.
    pub(super) fn of(operation: &Operation) -> Known {
        Known {
            name: operation.name.clone(),
            resource: operation.resource,
            single: operation.single && !operation.removes(),
            keep: Vec::new(),
            used: false,
        }
    }

    /// The name, where it is taken.
    pub(super) fn is_named(&self, name: &str) -> bool {
        self.name.as_deref() == Some(name)
    }
}

/// The value that `NAME.COLUMN` stands for in a column; notes that it is needed.
///
/// # Errors
/// What is wrong with it, for the client.
pub(super) fn refer(api: &Api, known: &RefCell<Vec<Known>>, text: &str, target: &Column) -> Result<Value, String> {
    let shown = super::shown(text);
    let (name, column) = text
        .split_once('.')
        .ok_or_else(|| format!("`{shown}` is not of the form NAME.COLUMN"))?;
    let mut known = known.borrow_mut();
    let at = known.iter().position(|known| known.is_named(name));
    let at = at.ok_or_else(|| format!("`{shown}`: no operation before has that name"))?;
    let referred = &mut known[at];
    if !referred.single {
        return Err(format!("`{shown}`: the operation is not one of a single row"));
    }
    let resource = &api.resources()[referred.resource];
    let place = resource
        .relation
        .column(column)
        .filter(|place| resource.readable.contains(place));
    let place = place.ok_or_else(|| format!("`{shown}`: there is no such column"))?;
    let column = &resource.relation.columns[place];
    if !fits(api.schema().engine(), &column.kind, &target.kind) {
        return Err(format!(
            "`{shown}` holds another type than `{}` takes",
            target.name.as_str()
        ));
    }
    referred.used = true;
    let mut before = resource
        .relation
        .primary_key
        .iter()
        .chain(&resource.version)
        .chain(&referred.keep);
    let output = before.position(|kept| *kept == place).unwrap_or_else(|| {
        referred.keep.push(place);
        resource.relation.primary_key.len() + usize::from(resource.version.is_some()) + referred.keep.len() - 1
    });
    Ok(standing_for(at, output))
}

/// Puts the step in the place of the operation.
pub(super) fn resolve(value: &mut Value, step_of: impl Fn(usize) -> Option<usize>) {
    if let Value::Of { step, .. } = value
        && let Some(found) = step_of(*step)
    {
        *step = found;
    }
}

/// Whether what one column holds can be bound to another one. SQLite's columns take anything.
fn fits(engine: Engine, from: &Type, to: &Type) -> bool {
    match (from, to) {
        _ if from == to => true,
        (Type::Integer { .. }, Type::Integer { .. } | Type::Decimal | Type::Numeric) => true,
        (Type::Json { .. }, Type::Json { .. }) => true,
        (_, Type::Any | Type::Numeric) | (Type::Any | Type::Numeric, _) => engine == Engine::Sqlite,
        _ => false,
    }
}
