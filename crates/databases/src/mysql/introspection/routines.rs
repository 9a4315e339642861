//! Functions and procedures.

use std::collections::HashMap;

use mysql_async::Conn;
use portcullis_tables::schema::{Engine, FoundArgument, FoundReturns, FoundRoutine};

use super::{queries, rows, types};

/// Functions and procedures. One that gives values back by its arguments is left out: nothing takes them.
pub(super) async fn read(connection: &mut Conn, engine: Engine, namespace: &str) -> Result<Vec<FoundRoutine>, String> {
    type Described = (
        String,
        String,
        String,
        String,
        Option<String>,
        Option<String>,
        Option<String>,
    );
    type Parameter = (String, String, u64, Option<String>, Option<String>, String, String);
    let mut found = Vec::new();
    let mut places = HashMap::new();
    for routine in rows::<Described>(connection, queries::ROUTINES, namespace).await? {
        let (name, kind, access, deterministic, data_type, declared, comment) = routine;
        let procedure = kind == "PROCEDURE";
        let returns = match (procedure, data_type) {
            (false, Some(data_type)) => {
                FoundReturns::Value(types::of(&data_type, &declared.unwrap_or_else(|| data_type.clone())))
            }
            _ => FoundReturns::Nothing,
        };
        // What nobody declared is CONTAINS SQL, which may be anything.
        let only_reads = matches!(access.as_str(), "READS SQL DATA" | "NO SQL") || deterministic == "YES";
        places.insert((kind, name.clone()), found.len());
        found.push(Some(FoundRoutine {
            namespace: namespace.to_owned(),
            name,
            procedure,
            volatile: procedure || !only_reads,
            arguments: Vec::new(),
            returns,
            comment: comment.filter(|comment| !comment.is_empty()),
        }));
    }
    for parameter in rows::<Parameter>(connection, queries::PARAMETERS, namespace).await? {
        let (routine, kind, _position, mode, name, data_type, declared) = parameter;
        let Some(place) = places.get(&(kind, routine)).copied() else {
            continue;
        };
        match (&mut found[place], mode.as_deref(), name) {
            (Some(routine), Some("IN") | None, Some(name)) => routine.arguments.push(FoundArgument {
                name,
                kind: types::argument(engine, &data_type, &declared),
                declared,
                optional: false,
                variadic: false,
            }),
            (routine, ..) => *routine = None,
        }
    }
    Ok(found.into_iter().flatten().collect())
}
