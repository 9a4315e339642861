//! What a route says of a database, checked against its schema.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Api, Exposed, ExposedResource, Resource, Rule, relationships, statements};
use crate::grammar::Template;
use crate::schema::{Relation, Routine, Schema, did_you_mean};

impl Api {
    /// An API over a database of that schema.
    ///
    /// # Errors
    /// The first name that isn't in the schema, or rule that can't be understood, for the author of the file.
    pub fn new(schema: Arc<Schema>, exposed: Exposed) -> Result<Api, String> {
        let mut resources = Vec::with_capacity(exposed.resources.len());
        let mut names = HashMap::new();
        for (name, resource) in exposed.resources {
            check_name(&name)?;
            let resolved = resolve(&schema, &name, resource).map_err(|problem| format!("`{name}`: {problem}"))?;
            if names.insert(Box::from(name.as_str()), resources.len()).is_some() {
                return Err(format!("there are two resources `{name}`"));
            }
            resources.push(resolved);
        }
        relationships::find(&schema, &mut resources);
        let mut routines: Vec<(Box<str>, Vec<Arc<Routine>>)> = Vec::new();
        for (name, routine) in exposed.routines {
            routines.push((name.into(), find_routines(&schema, &routine)?));
        }
        let statements = exposed
            .statements
            .into_iter()
            .map(|(name, statement)| {
                let resolved = statements::resolve(schema.engine(), &name, statement);
                resolved.map_err(|problem| format!("statement `{name}`: {problem}"))
            })
            .collect::<Result<Vec<_>, String>>()?;
        let operations = routines
            .iter()
            .map(|(name, _)| name)
            .chain(statements.iter().map(|known| &known.name));
        let mut seen = std::collections::HashSet::new();
        if let Some(twice) = operations.into_iter().find(|name| !seen.insert((*name).clone())) {
            return Err(format!("there are two operations `{twice}` under /rpc"));
        }
        Ok(Api {
            schema,
            resources,
            names,
            routines,
            statements,
            limits: exposed.limits,
        })
    }
}

/// A resource's name is a segment of a path, and stands in queries.
fn check_name(name: &str) -> Result<(), String> {
    if name.is_empty() || name.starts_with('$') || name.contains('/') {
        return Err(format!(
            "`{name}` can't be a resource's name: it is empty, begins with `$`, or has a slash"
        ));
    }
    if matches!(name, "rpc" | "openapi.json") {
        return Err(format!(
            "`{name}` can't be a resource's name: the API has a path of that name itself"
        ));
    }
    Ok(())
}

fn resolve(schema: &Schema, name: &str, exposed: ExposedResource) -> Result<Resource, String> {
    let Some((_, relation)) = schema.relation(&exposed.relation) else {
        let known = schema.relations().iter().map(|relation| relation.name.as_str());
        let suggestion = did_you_mean(&exposed.relation, known);
        return Err(format!("there is no table or view `{}`{suggestion}", exposed.relation));
    };
    let all: Vec<usize> = (0..relation.columns.len()).collect();
    let readable = places(relation, exposed.columns.as_deref(), "columns", &all)?;
    let is_given = exposed.writable.is_some();
    let mut writable = places(relation, exposed.writable.as_deref(), "writable", &readable)?;
    if let Some(generated) = writable
        .iter()
        .find(|place| relation.columns[**place].generated && is_given)
    {
        let column = &relation.columns[*generated].name;
        return Err(format!(
            "`writable`: the database computes `{}` itself",
            column.as_str()
        ));
    }
    writable.retain(|place| !relation.columns[*place].generated);
    let filterable = places(relation, exposed.filters.as_deref(), "filters", &readable)?;
    // Filtering by a column tells what is in it, bit by bit.
    if let Some(hidden) = filterable.iter().find(|place| !readable.contains(place)) {
        let column = relation.columns[*hidden].name.as_str();
        return Err(format!(
            "`filters`: `{column}` is not among `columns`, but who can filter by it can read it"
        ));
    }
    let key = &relation.primary_key;
    let key = if key.iter().all(|place| readable.contains(place)) {
        key.clone()
    } else {
        Vec::new()
    };
    let version = match &exposed.version {
        None => None,
        Some(column) => Some(place(relation, column, "version")?),
    };
    if exposed.require_if_match && version.is_none() {
        return Err("`require_if_match` needs `version`, the column that tells a row's version".to_owned());
    }
    let rules = exposed
        .rules
        .into_iter()
        .map(|rule| {
            let rows = match rule.rows {
                None => None,
                Some(text) => {
                    let template = Template::parse(relation, &text, schema.engine());
                    Some(template.map_err(|problem| format!("`rows`: {problem}"))?)
                }
            };
            Ok(Rule {
                roles: rule.roles.into_iter().map(Box::from).collect(),
                scopes: rule.scopes.into_iter().map(Box::from).collect(),
                rows,
            })
        })
        .collect::<Result<Vec<Rule>, String>>()?;
    Ok(Resource {
        name: name.into(),
        relation: Arc::clone(relation),
        readable,
        writable,
        filterable,
        key,
        methods: exposed.methods,
        version,
        require_if_match: exposed.require_if_match,
        rules,
        aggregates: exposed.aggregates,
        patterns: exposed.patterns,
        full_table: exposed.full_table,
        limits: exposed.limits,
        relationships: Vec::new(),
    })
}

/// The places of columns of the file, or those that stand for no list.
fn places(relation: &Relation, names: Option<&[String]>, word: &str, all: &[usize]) -> Result<Vec<usize>, String> {
    let Some(names) = names else {
        return Ok(all.to_vec());
    };
    let mut places = Vec::with_capacity(names.len());
    for name in names {
        let place = place(relation, name, word)?;
        if places.contains(&place) {
            return Err(format!("`{word}`: `{name}` stands there twice"));
        }
        places.push(place);
    }
    Ok(places)
}

fn place(relation: &Relation, name: &str, word: &str) -> Result<usize, String> {
    relation.column(name).ok_or_else(|| {
        let known = relation.columns.iter().map(|column| column.name.as_str());
        let suggestion = did_you_mean(name, known);
        format!(
            "`{word}`: `{}` has no column `{name}`{suggestion}",
            relation.name.as_str()
        )
    })
}

fn find_routines(schema: &Schema, name: &str) -> Result<Vec<Arc<Routine>>, String> {
    let mut found: Vec<Arc<Routine>> = schema.routines_named(name).into_iter().cloned().collect();
    // Without a namespace the first one that has the name is meant, as with tables.
    if let Some(first) = schema
        .namespaces()
        .iter()
        .find(|namespace| found.iter().any(|routine| routine.namespace.as_str() == &***namespace))
    {
        found.retain(|routine| routine.namespace.as_str() == &**first);
    }
    if found.is_empty() {
        let known = schema.routines().iter().map(|routine| routine.name.as_str());
        return Err(format!(
            "there is no function or procedure `{name}`{}",
            did_you_mean(name, known)
        ));
    }
    Ok(found)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::Api;
    use crate::api::{Exposed, ExposedRule, ExposedStatement, Limits};
    use crate::fixture;
    use crate::schema::Engine;

    /// The shop with one change.
    fn problem(change: impl FnOnce(&mut Exposed)) -> String {
        let mut exposed = fixture::exposed();
        change(&mut exposed);
        match Api::new(fixture::schema(Engine::Postgres), exposed) {
            Ok(_) => "none".to_owned(),
            Err(problem) => problem,
        }
    }

    #[test]
    fn names_of_the_file_are_names_of_the_schema() {
        let of = |text: &str| Some(vec![text.to_owned()]);
        let customers = |exposed: &mut Exposed| exposed.resources.swap_remove(0).1;
        assert_eq!(problem(|_| {}), "none");
        for (expected, found) in [
            (
                "`customers`: there is no table or view `custmers`; did you mean `customers`?",
                problem(|exposed| exposed.resources[0].1.relation = "custmers".into()),
            ),
            (
                "`customers`: `columns`: `customers` has no column `nam`; did you mean `name`?",
                problem(|exposed| exposed.resources[0].1.columns = of("nam")),
            ),
            (
                "`customers`: `filters`: `internal_note` is not among `columns`, but who can filter by it can read it",
                problem(|exposed| exposed.resources[0].1.filters = of("internal_note")),
            ),
            (
                "`customers`: `version`: `customers` has no column `versoin`",
                problem(|exposed| exposed.resources[0].1.version = Some("versoin".into())),
            ),
            (
                "`customers`: `require_if_match` needs `version`, the column that tells a row's version",
                problem(|exposed| exposed.resources[0].1.require_if_match = true),
            ),
            ("there are two resources `orders`", {
                problem(|exposed| {
                    let resource = customers(exposed);
                    exposed.resources.push(("orders".into(), resource));
                })
            }),
            (
                "`$tx` can't be a resource's name: it is empty, begins with `$`, or has a slash",
                problem(|exposed| exposed.resources[0].0 = "$tx".into()),
            ),
            (
                "there is no function or procedure `place_odrer`; did you mean `place_order`?",
                problem(|exposed| exposed.routines[0].1 = "place_odrer".into()),
            ),
            (
                "there are two operations `rich` under /rpc",
                problem(|exposed| exposed.routines[0].0 = "rich".into()),
            ),
        ] {
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn rules_are_read_when_the_file_is() {
        let rule = |rows: &str| ExposedRule {
            rows: Some(rows.to_owned()),
            ..ExposedRule::default()
        };
        for (rows, expected) in [
            ("owner=eq.{claims.sub}", "none"),
            ("internal_note=is.null&or=(vip.is.true,balance.gt.5)", "none"),
            ("owner=in.{claims.groups}&name=like.{consumer}*", "none"),
            ("ownr=eq.x", "`ownr`: there is no column `ownr`; did you mean `owner`?"),
            (
                "",
                "a rule without a condition lets every row through; leave `rows` out for that",
            ),
            ("select=name", "rows are told by filters alone"),
            ("id=eq.x", "`x` is not an integer of 32 bits"),
            ("orders.id=eq.1", "a rule names columns of its own table only"),
            ("name=match.{consumer}", "a placeholder goes with"),
            ("name=eq(any).{a,{consumer}}", "a list is one placeholder, or has none"),
            ("vip=cs.x", "doesn't go with a column that holds true or false"),
        ] {
            let found = problem(|exposed| exposed.resources[0].1.rules = vec![rule(rows)]);
            assert!(found.contains(expected), "{rows}: {found}");
        }
    }

    #[test]
    fn statements_are_read_when_the_file_is() {
        for (sql, expected) in [
            ("select :id", "none"),
            (
                "select :idd",
                "statement `x`: it has no argument `idd`; did you mean `id`?",
            ),
            ("select 1", "statement `x`: its text has no `:id`"),
            (
                "select :id; drop table x",
                "statement `x`: it is more than one statement",
            ),
            ("  ", "statement `x`: its text has no `:id`"),
            ("select 'open :id", "statement `x`: a quote or comment doesn't end"),
        ] {
            let statement = ExposedStatement {
                sql: sql.to_owned(),
                arguments: vec![("id".into(), "integer".into())],
                writes: false,
            };
            let exposed = Exposed {
                statements: vec![("x".into(), statement)],
                limits: Limits::default(),
                ..Exposed::default()
            };
            let found = Api::new(fixture::schema(Engine::Sqlite), exposed).err();
            assert_eq!(found.as_deref().unwrap_or("none"), expected, "{sql}");
        }
    }
}
