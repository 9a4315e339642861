//! Calls of routines, and statements of the file.

use std::sync::Arc;

use portcullis_core::{Error, Result, codes};

use super::RowForm;
use super::dialect::Dialect;
use super::write::{Alias, Writer};
use crate::api::Api;
use crate::grammar::{Call, Callee};
use crate::output::{Output, Outputs, Shown};
use crate::schema::{Column, Returns, Routine, Type};
use crate::statement::Statement;
use crate::value::Value;

/// A routine with the values of its arguments, by their places: what a statement reads from in place of a table.
#[derive(Clone, Debug)]
pub(super) struct Called {
    routine: Arc<Routine>,
    arguments: Vec<(usize, Value)>,
}

/// The statement of a call.
///
/// # Errors
/// `bad_query` where the engine can't do what is asked for.
pub fn call(api: &Api, call: &Call, form: RowForm) -> Result<Statement> {
    let routine = match &call.callee {
        Callee::Statement(place) => return Ok(of_file(api, *place, &call.arguments)),
        Callee::Routine(routine) => routine,
    };
    let called = Called {
        routine: routine.clone(),
        arguments: call.arguments.clone(),
    };
    let mut writer = Writer::new(api);
    if routine.procedure {
        writer.words("CALL ").called(&called)?;
        return Ok(writer.finish(Outputs::NONE));
    }
    if let Some(read) = &call.read {
        writer.read_from(called);
        let outputs = writer.read(read, form)?;
        return Ok(writer.finish(outputs));
    }
    let outputs = writer.whole(&called)?;
    Ok(writer.finish(outputs))
}

/// How many rows a call gives without the window of its read; where there are more than `cap`, one more than that. `None`
/// where it gives no rows of a resource.
///
/// # Errors
/// `bad_query` where the engine can't do what is asked for.
pub fn count_call(api: &Api, call: &Call, cap: u64) -> Result<Option<Statement>> {
    let (Callee::Routine(routine), Some(read)) = (&call.callee, &call.read) else {
        return Ok(None);
    };
    let mut writer = Writer::new(api);
    writer.read_from(Called {
        routine: routine.clone(),
        arguments: call.arguments.clone(),
    });
    let outputs = writer.counted(read, cap)?;
    Ok(Some(writer.finish(outputs)))
}

impl Writer<'_> {
    /// All that a function gives.
    fn whole(&mut self, called: &Called) -> Result<Outputs> {
        let (columns, many) = match &called.routine.returns {
            Returns::Nothing => {
                self.words("SELECT ").called(called)?;
                return Ok(Outputs::NONE);
            }
            Returns::Value(kind) => {
                self.words("SELECT ").called(called)?;
                return Ok(one_value(kind.clone()));
            }
            Returns::Values(kind) => {
                let rows = self.new_alias();
                self.words("SELECT * FROM ").called(called)?;
                self.words(" AS ").alias(rows);
                return Ok(one_value(kind.clone()));
            }
            Returns::Row(columns) => (columns, false),
            Returns::Rows(columns) => (columns, true),
            Returns::Relation { relation, many } => {
                let schema = self.api().schema().clone();
                return self.columns_of(called, &schema.relations()[*relation].columns, *many);
            }
        };
        self.columns_of(called, columns, many)
    }

    fn columns_of(&mut self, called: &Called, columns: &[Column], many: bool) -> Result<Outputs> {
        let rows = self.new_alias();
        self.words("SELECT ");
        self.list(", ", columns, |writer, column| {
            writer.column(Some(rows), &column.name);
            Ok(())
        })?;
        self.words(" FROM ").called(called)?;
        self.words(" AS ").alias(rows);
        if !many {
            self.words(" LIMIT 1");
        }
        let shown = columns
            .iter()
            .map(|column| Output::new(column.name.as_str(), column.kind.clone()));
        Ok(Outputs {
            shown: Shown::Columns(shown.collect()),
            hidden: 0,
            checked: false,
        })
    }

    /// The routine with its arguments: by their names where the engine knows that, else all of them in their order.
    pub(super) fn called(&mut self, called: &Called) -> Result<&mut Self> {
        let Called { routine, arguments } = called;
        self.identifier(&routine.namespace)
            .words(".")
            .identifier(&routine.name)
            .words("(");
        if self.dialect() == Dialect::Postgres {
            self.list(", ", arguments, |writer, (place, value)| {
                let argument = &routine.arguments[*place];
                if argument.variadic {
                    writer.words("VARIADIC ");
                }
                writer.identifier(&argument.name).words(" => ").value(value.clone());
                writer.words("::").type_name(&argument.declared);
                Ok(())
            })?;
        } else {
            let mut ordered: Vec<&(usize, Value)> = arguments.iter().collect();
            ordered.sort_by_key(|(place, _)| *place);
            if ordered.len() != routine.arguments.len() {
                return Err(Error::new(&codes::BAD_QUERY).with_detail("all arguments are needed"));
            }
            self.list(", ", ordered, |writer, (_, value)| {
                writer.value(value.clone());
                Ok(())
            })?;
        }
        Ok(self.words(")"))
    }

    /// The routine in place of the table, as the rows of that alias.
    pub(super) fn called_as(&mut self, called: &Called, alias: Alias) -> Result<()> {
        self.called(called)?.words(" AS ").alias(alias);
        Ok(())
    }
}

/// One column that is the whole answer.
fn one_value(kind: Type) -> Outputs {
    Outputs {
        shown: Shown::Value(kind),
        hidden: 0,
        checked: false,
    }
}

/// A statement of the file, with its values. In PostgreSQL the database makes a JSON object of each row; elsewhere the
/// driver says which columns there are.
fn of_file(api: &Api, place: usize, arguments: &[(usize, Value)]) -> Statement {
    let named = &api.statements()[place];
    let value = |argument: &usize| {
        let given = arguments.iter().find(|(place, _)| place == argument);
        given.map_or(Value::Null, |(_, value)| value.clone())
    };
    let values = named.order.iter().map(value).collect();
    let gives_rows = !named.writes || named.text.to_ascii_lowercase().contains("returning");
    let is_postgres = Dialect::of(api.schema().engine()) == Dialect::Postgres;
    let (text, shown) = match (is_postgres, gives_rows) {
        (_, false) => (named.text.clone(), Shown::Nothing),
        (true, true) => (
            format!("WITH t0 AS ({}\n) SELECT row_to_json(t0)::text FROM t0", named.text).into(),
            Shown::Json,
        ),
        (false, true) => (named.text.clone(), Shown::Found),
    };
    Statement {
        text,
        values,
        outputs: Outputs {
            shown,
            hidden: 0,
            checked: false,
        },
    }
}
