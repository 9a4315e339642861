//! What a constraint had against a change, in words that name columns that the client may know of.

use portcullis_core::{Error, Finding, codes};
use portcullis_databases::failure::{Constraint, ConstraintKind, constraint};
use portcullis_tables::api::{Api, Resource};

/// The same error, saying which columns it is about, where that is known, or the rows that the change could have touched
/// at the `most`. A column that the route hides stays hidden.
pub(super) fn named(error: Error, resource: &Resource, most: u64) -> Error {
    let Some(constraint) = constraint(&error) else {
        return limit_named(error, most);
    };
    let columns = columns(constraint, resource);
    let listed = match columns.as_slice() {
        [] => "a column".to_owned(),
        names => names
            .iter()
            .map(|name| format!("`{name}`"))
            .collect::<Vec<_>>()
            .join(", "),
    };
    let detail = match constraint.kind {
        ConstraintKind::Unique => format!("another row has the same value in {listed}"),
        ConstraintKind::NotNull => format!("a value is needed in {listed}"),
        ConstraintKind::Check => format!("a check fails on {listed}"),
        ConstraintKind::Type => format!("a value is not of the type of {listed}"),
        ConstraintKind::ForeignKey | ConstraintKind::Rule => return error,
    };
    let findings = columns.iter().map(|name| Finding {
        part: "body",
        pointer: format!("/{}", name.replace('~', "~0").replace('/', "~1")),
        what: detail.clone(),
    });
    let findings = findings.collect();
    error.with_detail(detail).with_findings(findings)
}

/// The same for a change of several resources, of which the database says which one it is about.
pub(super) fn named_in(error: Error, api: &Api) -> Error {
    let relation = constraint(&error).and_then(|constraint| constraint.relation.as_deref());
    let resource = relation.and_then(|name| {
        let mut resources = api.resources().iter();
        resources.find(|resource| resource.relation.name.as_str() == name)
    });
    match resource {
        Some(resource) => named(error, resource, resource.limits.max_affected),
        None => error,
    }
}

/// A limit says how large it is.
fn limit_named(error: Error, most: u64) -> Error {
    if error.code().name != codes::TOO_MANY_ROWS.name {
        return error;
    }
    error.with_detail(format!("it is about more than {most} rows, the limit of this change"))
}

/// The columns that can be read and that it is about.
fn columns<'r>(constraint: &Constraint, resource: &'r Resource) -> Vec<&'r str> {
    let relation = &resource.relation;
    if constraint
        .relation
        .as_deref()
        .is_some_and(|name| name != relation.name.as_str())
    {
        return Vec::new();
    }
    let readable = resource
        .readable
        .iter()
        .map(|place| relation.columns[*place].name.as_str());
    readable.filter(|name| constraint.concerns(name)).collect()
}
