//! What a route shows of a table: checked against the schema when the configuration is compiled.

use std::sync::Arc;

use portcullis_config::route::tables::ToTable;
use portcullis_core::Method;

use super::schema::{Column, Kind, Relation, Schema, did_you_mean};

/// All methods that a table can take.
const METHODS: [Method; 6] = [
    Method::Get,
    Method::Head,
    Method::Options,
    Method::Post,
    Method::Patch,
    Method::Delete,
];

/// A table or view with the limits that a route puts on it.
#[derive(Debug)]
pub(super) struct Resource {
    relation: Arc<Relation>,
    visible: Vec<usize>,
    methods: Vec<Method>,
    keyed: bool,
    /// Rows in one answer at the most.
    pub(super) max_rows: u64,
    /// Rows that one change may touch.
    pub(super) max_affected: u64,
    /// Bytes of a body at the most.
    pub(super) max_body: u64,
}

/// What a path below the route leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// All rows.
    Collection,
    /// One row, by its key.
    Row,
}

impl Resource {
    /// Resolves every name that the configuration gives.
    ///
    /// # Errors
    /// Names the table, column or method that there is not, with what was probably meant.
    pub(super) fn new(schema: &Schema, config: &ToTable) -> Result<Resource, String> {
        let Some((_, table)) = config.table.split_once('.') else {
            return Err(format!("`{}` is not of the form DATABASE.TABLE", config.table));
        };
        let relation = schema.relation(table).ok_or_else(|| {
            let names = schema.relations().iter().map(|relation| relation.name().as_str());
            format!("there is no table or view `{table}`{}", did_you_mean(table, names))
        })?;
        let visible = resolve_columns(relation, &config.columns)?;
        let methods = resolve_methods(&config.methods)?;
        // A row is addressed by what can be seen only: else its address would tell what a column holds.
        let key = relation.primary_key();
        let keyed = !key.is_empty() && key.iter().all(|place| visible.contains(place));
        let writable = relation.kind() == Kind::Table;
        Ok(Resource {
            relation: Arc::clone(relation),
            visible,
            methods: methods
                .into_iter()
                .filter(|method| writable || method.is_safe())
                .collect(),
            keyed,
            max_rows: config.max_rows.into(),
            max_affected: config.max_affected.into(),
            max_body: config.max_body.0,
        })
    }

    /// The table or view.
    pub(super) fn relation(&self) -> &Relation {
        &self.relation
    }

    /// The places, in the relation, of the columns that the route shows.
    pub(super) fn visible(&self) -> &[usize] {
        &self.visible
    }

    /// The columns that the route shows.
    pub(super) fn columns(&self) -> impl Iterator<Item = &Column> {
        self.visible.iter().map(|place| &self.relation.columns()[*place])
    }

    /// The place of the column of that name, if the route shows it.
    pub(super) fn place(&self, name: &str) -> Option<usize> {
        let columns = self.relation.columns();
        self.visible
            .iter()
            .copied()
            .find(|place| columns[*place].name().as_str() == name)
    }

    /// The column of that name, if the route shows it.
    pub(super) fn column(&self, name: &str) -> Option<&Column> {
        self.place(name).map(|place| &self.relation.columns()[place])
    }

    /// The columns at these places of the relation.
    pub(super) fn at(&self, places: &[usize]) -> Vec<&Column> {
        places.iter().map(|place| &self.relation.columns()[*place]).collect()
    }

    /// The places of the columns that address a row; none where rows have no address.
    pub(super) fn key(&self) -> &[usize] {
        if self.keyed { self.relation.primary_key() } else { &[] }
    }

    /// Whether that method may be used there. HEAD goes with GET (RFC 9110 §9.3.2), and OPTIONS tells no more than a
    /// refusal's Allow.
    pub(super) fn allows(&self, method: &Method, place: Place) -> bool {
        match method {
            Method::Options => true,
            Method::Head => self
                .methods
                .iter()
                .any(|allowed| matches!(allowed, Method::Get | Method::Head)),
            Method::Post => place == Place::Collection && self.methods.contains(method),
            other => self.methods.contains(other),
        }
    }

    /// The value of `Allow`.
    pub(super) fn allowed(&self, place: Place) -> String {
        let allowed: Vec<_> = METHODS
            .iter()
            .filter(|method| self.allows(method, place))
            .map(Method::as_str)
            .collect();
        allowed.join(", ")
    }
}

fn resolve_columns(relation: &Relation, names: &[String]) -> Result<Vec<usize>, String> {
    let columns = relation.columns();
    if names.is_empty() {
        return Ok((0..columns.len()).collect());
    }
    let mut places = Vec::with_capacity(names.len());
    for name in names {
        let place = columns
            .iter()
            .position(|column| column.name().as_str() == name)
            .ok_or_else(|| {
                let suggestion = did_you_mean(name, columns.iter().map(|column| column.name().as_str()));
                format!("`{}` has no column `{name}`{suggestion}", relation.name().as_str())
            })?;
        if places.contains(&place) {
            return Err(format!("the column `{name}` is listed twice"));
        }
        places.push(place);
    }
    Ok(places)
}

fn resolve_methods(names: &[String]) -> Result<Vec<Method>, String> {
    let resolve = |name: &String| {
        METHODS
            .into_iter()
            .find(|method| method.as_str() == name)
            .ok_or_else(|| {
                let suggestion = did_you_mean(name, METHODS.iter().map(Method::as_str));
                format!("`{name}` is not a method that a table takes{suggestion}")
            })
    };
    names.iter().map(resolve).collect()
}
