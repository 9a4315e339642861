//! From what the file says of tables to what an API exposes.

use portcullis_config::route::tables::{Exposed as Said, QueryLimits, RowRule, Tables, ToTable, Which};
use portcullis_core::Method;
use portcullis_tables::api::{Exposed, ExposedResource, ExposedRule, ExposedStatement, Limits, ResourceLimits};
use portcullis_tables::schema::{Schema, did_you_mean};

/// All methods that a table can take.
pub(super) const METHODS: [Method; 7] = [
    Method::Get,
    Method::Head,
    Method::Options,
    Method::Post,
    Method::Put,
    Method::Patch,
    Method::Delete,
];

/// What stands for all that the file doesn't name.
const ALL: &str = "*";

/// What a route says: of one table, or of several.
#[derive(Clone, Debug)]
pub(super) enum Route {
    One(Box<ToTable>),
    Several(Box<Tables>),
}

impl Route {
    /// What it exposes of a database with that schema: `"*"` means what is there.
    ///
    /// # Errors
    /// Names the method that there is not.
    pub(super) fn exposed(&self, schema: &Schema) -> Result<Exposed, String> {
        match self {
            Route::One(to) => {
                let (_, table) = to.parts();
                if table.is_empty() {
                    return Err(format!("`{}` is not of the form DATABASE.TABLE", to.table));
                }
                // It stands in no path; what names it are embeds of itself.
                let name = bare(table);
                let name = if name.is_empty() || name.starts_with('$') || name.contains('/') {
                    "table"
                } else {
                    name
                };
                Ok(Exposed {
                    resources: vec![(name.to_owned(), resource(table, &to.exposed())?)],
                    limits: limits(&QueryLimits::default()),
                    ..Exposed::default()
                })
            }
            Route::Several(tables) => several(tables, schema),
        }
    }
}

fn several(tables: &Tables, schema: &Schema) -> Result<Exposed, String> {
    let resources = match &tables.tables {
        Which::All(_) => all(schema, &Said::default(), &[])?,
        Which::Listed(names) => names
            .iter()
            .map(|name| Ok((bare(name).to_owned(), resource(name, &Said::default())?)))
            .collect::<Result<_, String>>()?,
        Which::Named(named) => {
            let each = named.iter().filter(|(name, _)| *name != ALL);
            let each =
                each.map(|(name, said)| Ok((name.clone(), resource(said.table.as_ref().unwrap_or(name), said)?)));
            let mut resources = each.collect::<Result<Vec<_>, String>>()?;
            if let Some(said) = named.get(ALL) {
                let others = all(schema, said, &resources)?;
                resources.extend(others);
            }
            resources
        }
    };
    let statements = tables.rpc.statements.iter().map(|(name, said)| {
        let arguments = said.arguments.iter();
        let statement = ExposedStatement {
            sql: said.sql.clone(),
            arguments: arguments.map(|(name, kind)| (name.clone(), kind.clone())).collect(),
            writes: said.writes,
        };
        (name.clone(), statement)
    });
    let mut functions: Vec<(String, String)> = Vec::new();
    for name in &tables.rpc.functions {
        if name == ALL {
            // A name of the database may have a dot itself.
            let names = schema.routines().iter().map(|routine| routine.name.as_str().to_owned());
            functions.extend(names.map(|name| (name.clone(), name)));
        } else {
            functions.push((bare(name).to_owned(), name.clone()));
        }
    }
    functions.sort();
    functions.dedup();
    Ok(Exposed {
        resources,
        routines: functions,
        statements: statements.collect(),
        limits: limits(&tables.limits),
    })
}

/// All relations but those that are exposed already, whether by this name or another.
fn all(
    schema: &Schema,
    said: &Said,
    but: &[(String, ExposedResource)],
) -> Result<Vec<(String, ExposedResource)>, String> {
    let mut resources = Vec::new();
    for (place, relation) in schema.relations().iter().enumerate() {
        let name = relation.name.as_str();
        let found = schema.relation(name).map(|(found, _)| found);
        // Of two namespaces that have a table of the same name, the first is the one that is found by it.
        let is_known = but.iter().any(|(known, said)| {
            let meant = schema.relation(&said.relation).map(|(meant, _)| meant);
            known == name || meant == Some(place)
        });
        if found == Some(place) && !is_known {
            let full = format!("{}.{name}", relation.namespace.as_str());
            resources.push((name.to_owned(), resource(&full, said)?));
        }
    }
    Ok(resources)
}

fn resource(relation: &str, said: &Said) -> Result<ExposedResource, String> {
    Ok(ExposedResource {
        relation: relation.to_owned(),
        columns: (!said.columns.is_empty()).then(|| said.columns.clone()),
        writable: said.writable.clone(),
        filters: said.filters.clone(),
        methods: methods(&said.methods)?,
        version: said.version.clone(),
        require_if_match: said.require_if_match,
        rules: said.rows.iter().map(rule).collect(),
        aggregates: said.aggregates,
        patterns: said.patterns,
        full_table: said.full_table,
        limits: ResourceLimits {
            default_rows: said.default_rows.map(u64::from),
            max_rows: Some(said.max_rows.into()),
            max_offset: said.max_offset.into(),
            max_affected: said.max_affected.into(),
            max_body: said.max_body.0,
        },
    })
}

fn rule(said: &RowRule) -> ExposedRule {
    ExposedRule {
        roles: said.roles.clone(),
        scopes: said.scopes.clone(),
        rows: said.rows.clone(),
    }
}

fn methods(names: &[String]) -> Result<Vec<Method>, String> {
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

fn limits(said: &QueryLimits) -> Limits {
    Limits {
        max_depth: said.max_depth.into(),
        max_nodes: said.max_nodes.into(),
        max_listed: usize::try_from(said.max_listed).unwrap_or(usize::MAX),
        max_value: usize::try_from(said.max_value.0).unwrap_or(usize::MAX),
        max_counted: said.max_counted.into(),
        max_steps: said.max_steps.into(),
    }
}

/// The name of a relation or routine without its namespace.
fn bare(name: &str) -> &str {
    name.rsplit_once('.').map_or(name, |(_, bare)| bare)
}
