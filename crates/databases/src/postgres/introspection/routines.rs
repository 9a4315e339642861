//! Functions and procedures.

use portcullis_tables::schema::{FoundArgument, FoundColumn, FoundReturns, FoundRoutine};
use tokio_postgres::{Error, Row};

use super::relations::Relations;
use super::types::Types;

/// Which way an argument goes.
#[derive(Clone, Copy, PartialEq)]
enum Mode {
    In,
    Out,
    Both,
    Variadic,
    /// A column of `RETURNS TABLE`.
    Column,
}

/// An argument or a column of the result.
struct Parameter {
    mode: Mode,
    name: String,
    oid: u32,
    declared: String,
}

pub(super) fn found(rows: &[Row], relations: &Relations, types: &Types) -> Result<Vec<FoundRoutine>, Error> {
    rows.iter().map(|row| routine(row, relations, types)).collect()
}

fn routine(row: &Row, relations: &Relations, types: &Types) -> Result<FoundRoutine, Error> {
    let parameters = parameters(row)?;
    let defaults = usize::try_from(row.try_get::<_, i16>(6)?).unwrap_or(0);
    let taken: Vec<&Parameter> = parameters
        .iter()
        .filter(|parameter| matches!(parameter.mode, Mode::In | Mode::Both | Mode::Variadic))
        .collect();
    // Only the last arguments can have defaults.
    let demanded = taken.len().saturating_sub(defaults);
    let arguments = taken
        .iter()
        .enumerate()
        .map(|(at, parameter)| FoundArgument {
            name: parameter.name.clone(),
            kind: types.resolve(parameter.oid, -1).kind,
            declared: parameter.declared.clone(),
            optional: at >= demanded,
            variadic: parameter.mode == Mode::Variadic,
        })
        .collect();
    Ok(FoundRoutine {
        namespace: row.try_get(0)?,
        name: row.try_get(1)?,
        procedure: row.try_get::<_, &str>(2)? == "p",
        volatile: row.try_get::<_, &str>(3)? == "v",
        arguments,
        returns: returns(row, &parameters, relations, types)?,
        comment: row.try_get(15)?,
    })
}

fn parameters(row: &Row) -> Result<Vec<Parameter>, Error> {
    let oids: Vec<u32> = row.try_get(7)?;
    let modes: Option<Vec<String>> = row.try_get(8)?;
    let names: Option<Vec<String>> = row.try_get(9)?;
    let declared: Vec<String> = row.try_get(10)?;
    let mode = |at: usize| match modes.as_ref().and_then(|modes| modes.get(at)).map(String::as_str) {
        Some("o") => Mode::Out,
        Some("b") => Mode::Both,
        Some("v") => Mode::Variadic,
        Some("t") => Mode::Column,
        _ => Mode::In,
    };
    let name = |at: usize| {
        names
            .as_ref()
            .and_then(|names| names.get(at))
            .cloned()
            .unwrap_or_default()
    };
    Ok(oids
        .into_iter()
        .zip(declared)
        .enumerate()
        .map(|(at, (oid, declared))| Parameter {
            mode: mode(at),
            name: name(at),
            oid,
            declared,
        })
        .collect())
}

fn returns(row: &Row, parameters: &[Parameter], relations: &Relations, types: &Types) -> Result<FoundReturns, Error> {
    let many: bool = row.try_get(4)?;
    let oid: u32 = row.try_get(5)?;
    let procedure = row.try_get::<_, &str>(2)? == "p";
    let given: Vec<&Parameter> = parameters
        .iter()
        .filter(|parameter| matches!(parameter.mode, Mode::Out | Mode::Both | Mode::Column))
        .collect();
    let in_table = given.iter().any(|parameter| parameter.mode == Mode::Column);
    // One OUT argument alone is the value itself, of a function; CALL gives a row of any number.
    if in_table || given.len() > 1 || (procedure && !given.is_empty()) {
        let columns = given
            .iter()
            .enumerate()
            .map(|(at, parameter)| column(at, parameter, types))
            .collect();
        return Ok(if many {
            FoundReturns::Rows(columns)
        } else {
            FoundReturns::Row(columns)
        });
    }
    if procedure || types.is_void(oid) {
        return Ok(FoundReturns::Nothing);
    }
    let composite: u32 = row.try_get(11)?;
    if composite == 0 {
        let kind = types.resolve(oid, -1).kind;
        return Ok(if many {
            FoundReturns::Values(kind)
        } else {
            FoundReturns::Value(kind)
        });
    }
    if row.try_get::<_, Option<&str>>(12)? == Some("c") {
        let columns = relations.columns_of(composite);
        return Ok(if many {
            FoundReturns::Rows(columns)
        } else {
            FoundReturns::Row(columns)
        });
    }
    Ok(FoundReturns::Relation {
        namespace: row.try_get::<_, Option<String>>(13)?.unwrap_or_default(),
        relation: row.try_get::<_, Option<String>>(14)?.unwrap_or_default(),
        many,
    })
}

fn column(at: usize, parameter: &Parameter, types: &Types) -> FoundColumn {
    let name = match parameter.name.as_str() {
        // As the server itself calls a column that has no name.
        "" => format!("column{}", at + 1),
        name => name.to_owned(),
    };
    FoundColumn {
        name,
        kind: types.resolve(parameter.oid, -1).kind,
        declared: parameter.declared.clone(),
        nullable: true,
        default: None,
        generated: false,
        max_length: None,
        comment: None,
    }
}
