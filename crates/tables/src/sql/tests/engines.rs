//! The three engines with the same shop in each, and statements run there as drivers would run them.

use std::sync::{LazyLock, OnceLock};

use portcullis_core::Method;

use crate::api::{Api, Exposed, ExposedResource, Limits};
use crate::content::{Format, RowWriter};
use crate::fixture;
use crate::output::{Cell, Outputs, Row, Shown};
use crate::schema::{Engine, Type};
use crate::statement::{Outcome, Statement};
use crate::value::Value;

/// The engines that can be tried.
pub(super) const ENGINES: [Engine; 3] = [Engine::Sqlite, Engine::Postgres, Engine::MariaDb];

const SHOP: &str = include_str!("shop.sql");
const ARTICLES: &str = "INSERT INTO articles VALUES ('one', 'The quick brown fox'), ('two', 'A lazy dog sleeps'), \
    ('three', 'The brown dog''s quick')";
/// What parts values and rows in what psql prints, and what stands for NULL.
const UNIT: char = '\u{1f}';
const RECORD: char = '\u{1e}';
const NULL: &str = "\u{1d}";

/// The shop as an API of everything, with aggregates and patterns, and without rules.
pub(super) fn api(engine: Engine) -> &'static Api {
    static APIS: OnceLock<Vec<(Engine, Api)>> = OnceLock::new();
    let apis = APIS.get_or_init(|| {
        let engines = ENGINES.into_iter().chain([Engine::MySql]);
        engines.map(|engine| (engine, new_api(engine))).collect()
    });
    &apis
        .iter()
        .find(|(known, _)| *known == engine)
        .expect("all engines are there")
        .1
}

fn new_api(engine: Engine) -> Api {
    let names = [
        "customers",
        "orders",
        "lines",
        "products",
        "tags",
        "order_tags",
        "invoices",
        "employees",
        "archived_orders",
        "order_totals",
        "kinds",
    ];
    let resource = |name: &str| {
        let mut resource: ExposedResource = fixture::resource(name);
        resource.methods = vec![Method::Get];
        if name == "orders" {
            resource.version = Some("lock_version".to_owned());
        }
        (name.to_owned(), resource)
    };
    let exposed = Exposed {
        resources: names.into_iter().map(resource).collect(),
        limits: Limits::default(),
        ..Exposed::default()
    };
    Api::new(fixture::schema(engine), exposed).expect("the shop can be exposed")
}

/// What a statement gives there.
pub(super) fn run(engine: Engine, statement: &Statement) -> Result<Outcome, String> {
    let rows = match engine {
        Engine::Sqlite => run_sqlite(statement)?,
        Engine::Postgres => run_postgres(statement)?,
        Engine::MariaDb | Engine::MySql => run_mariadb(statement)?,
    };
    let mut writer = RowWriter::new(Format::Json, statement.outputs.clone());
    for row in &rows {
        writer
            .write(&Line {
                row,
                outputs: &statement.outputs,
            })
            .map_err(|failure| format!("{failure:?}"))?;
    }
    Ok(writer.finish())
}

/// A row as owned values.
struct Line<'r> {
    row: &'r [Value],
    outputs: &'r Outputs,
}

impl Row for Line<'_> {
    fn cell(&self, place: usize) -> Cell<'_> {
        let boolean = match &self.outputs.shown {
            Shown::Columns(columns) => columns.get(place).is_some_and(|column| column.kind == Type::Boolean),
            _ => false,
        };
        match &self.row[place] {
            Value::Null => Cell::Null,
            Value::Text(text) if boolean => Cell::Boolean(matches!(text.as_str(), "1" | "t" | "true")),
            Value::Text(text) => Cell::Text(text.as_bytes()),
            Value::Integer(number) => Cell::Integer(*number),
            Value::Real(number) => Cell::Real(*number),
            Value::Bytes(bytes) => Cell::Bytes(bytes),
            other => panic!("{other:?} comes of no engine"),
        }
    }
}

fn shop(words: &[(&str, &str)]) -> String {
    words.iter().fold(SHOP.to_owned(), |shop, (word, meaning)| {
        shop.replace(&format!("{{{word}}}"), meaning)
    })
}

/// A literal, for clients that can't bind values.
fn literal(value: &Value) -> String {
    let quoted = |text: &str| format!("'{}'", text.replace('\'', "''"));
    match value {
        Value::Null => "NULL".to_owned(),
        Value::Boolean(truth) => truth.to_string(),
        Value::Integer(number) => number.to_string(),
        Value::Real(number) => number.to_string(),
        Value::Text(text) | Value::Json(text) => quoted(text),
        Value::List(values) => {
            let item = |value: &Value| match value {
                Value::Text(text) => format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")),
                other => literal(other),
            };
            quoted(&format!(
                "{{{}}}",
                values.iter().map(item).collect::<Vec<_>>().join(",")
            ))
        }
        other => panic!("{other:?} is not tried here"),
    }
}

fn run_sqlite(statement: &Statement) -> Result<Vec<Vec<Value>>, String> {
    use rusqlite::types::{ToSqlOutput, Value as Sql, ValueRef};

    thread_local! {
        static SQLITE: rusqlite::Connection = open_sqlite();
    }
    let bound = |value: &Value| match value {
        Value::Null => Sql::Null,
        Value::Boolean(truth) => Sql::Integer(i64::from(*truth)),
        Value::Integer(number) => Sql::Integer(*number),
        Value::Real(number) => Sql::Real(*number),
        Value::Text(text) | Value::Json(text) => Sql::Text(text.clone()),
        Value::Bytes(bytes) => Sql::Blob(bytes.clone()),
        Value::List(values) => {
            let item = |value: &Value| match value {
                Value::Text(text) => serde_json::Value::from(text.as_str()),
                Value::Integer(number) => serde_json::Value::from(*number),
                Value::Real(number) => serde_json::Value::from(*number),
                Value::Boolean(truth) => serde_json::Value::from(*truth),
                other => panic!("{other:?} is in no list here"),
            };
            Sql::Text(serde_json::Value::Array(values.iter().map(item).collect()).to_string())
        }
        other => panic!("{other:?} is not tried here"),
    };
    SQLITE.with(|connection| {
        let mut prepared = connection
            .prepare(&statement.text)
            .map_err(|failure| failure.to_string())?;
        let columns = prepared.column_count();
        let values = statement.values.iter().map(|value| ToSqlOutput::Owned(bound(value)));
        let mut rows = prepared
            .query(rusqlite::params_from_iter(values))
            .map_err(|failure| failure.to_string())?;
        let mut found = Vec::new();
        while let Some(row) = rows.next().map_err(|failure| failure.to_string())? {
            let value = |place| match row.get_ref(place).expect("the column is there") {
                ValueRef::Null => Value::Null,
                ValueRef::Integer(number) => Value::Integer(number),
                ValueRef::Real(number) => Value::Real(number),
                ValueRef::Text(text) => Value::Text(String::from_utf8_lossy(text).into_owned()),
                ValueRef::Blob(bytes) => Value::Bytes(bytes.to_vec()),
            };
            found.push((0..columns).map(value).collect());
        }
        Ok(found)
    })
}

fn open_sqlite() -> rusqlite::Connection {
    use base64::Engine as _;
    use rusqlite::functions::FunctionFlags;

    let connection = rusqlite::Connection::open_in_memory().expect("memory is there");
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    let base64 = |context: &rusqlite::functions::Context<'_>| {
        let bytes: Option<Vec<u8>> = context.get(0)?;
        Ok(bytes.map(|bytes| base64::engine::general_purpose::STANDARD.encode(bytes)))
    };
    connection
        .create_scalar_function("portcullis_base64", 1, flags, base64)
        .expect("a function");
    let regexp = |context: &rusqlite::functions::Context<'_>| {
        let (pattern, text): (String, Option<String>) = (context.get(0)?, context.get(1)?);
        let pattern = regex::Regex::new(&pattern).expect("tests have patterns that can be read");
        Ok(text.map(|text| pattern.is_match(&text)))
    };
    connection
        .create_scalar_function("regexp", 2, flags, regexp)
        .expect("a function");
    let words = [
        ("integer", "INTEGER"),
        ("text", "TEXT"),
        ("boolean", "BOOLEAN"),
        ("decimal", "DECIMAL(12,2)"),
        ("real", "REAL"),
        ("json", "JSON"),
        ("texts", "TEXT"),
        ("date", "TEXT"),
        ("timestamp", "TEXT"),
        ("moment", "TEXT"),
        ("utc", "+00:00"),
        ("none", "NULL"),
        ("q", "\""),
    ];
    connection.execute_batch(&shop(&words)).expect("the shop can be built");
    let articles = "CREATE VIRTUAL TABLE articles USING fts5(title, body);";
    connection
        .execute_batch(&format!("{articles}{ARTICLES}"))
        .expect("articles can be kept");
    connection
}

fn run_postgres(statement: &Statement) -> Result<Vec<Vec<Value>>, String> {
    static DATABASE: LazyLock<String> = LazyLock::new(|| {
        let server = portcullis_servers::shared_postgres();
        let database = server.fresh_database().expect("a database");
        let words = [
            ("integer", "integer"),
            ("text", "text"),
            ("boolean", "boolean"),
            ("decimal", "numeric(12,2)"),
            ("real", "double precision"),
            ("json", "jsonb"),
            ("texts", "text[]"),
            ("date", "date"),
            ("timestamp", "timestamp"),
            ("moment", "timestamptz"),
            ("utc", "+00:00"),
            ("none", "NULL"),
            ("q", "\""),
        ];
        // Text is ordered as the other engines do it.
        let shop = shop(&words)
            .replace(" text", " text COLLATE \"C\"")
            .replace("text COLLATE \"C\"[]", "text[]");
        server.run_sql(&database, &shop).expect("the shop can be built");
        server
            .run_sql(&database, include_str!("kinds.sql"))
            .expect("a table of all types can be built");
        database
    });
    let settings = format!(
        "\\pset fieldsep '\\x{:02x}'\n\\pset recordsep '\\x{:02x}'\n\\pset null '\\x1d'\nSET TimeZone = 'UTC';\n",
        u32::from(UNIT),
        u32::from(RECORD)
    );
    let values: Vec<String> = statement.values.iter().map(literal).collect();
    let execute = if values.is_empty() {
        "EXECUTE q;".to_owned()
    } else {
        format!("EXECUTE q({});", values.join(", "))
    };
    let sql = format!("{settings}PREPARE q AS {};\n{execute}\n", statement.text);
    let answer = portcullis_servers::shared_postgres().run_sql(&DATABASE, &sql)?;
    Ok(rows_of(answer.trim_end_matches('\n'), RECORD, UNIT, NULL))
}

fn run_mariadb(statement: &Statement) -> Result<Vec<Vec<Value>>, String> {
    static SHOP: LazyLock<()> = LazyLock::new(|| {
        let server = portcullis_servers::shared_mariadb();
        server.create_database("shop").expect("a database");
        let words = [
            ("integer", "INT"),
            ("text", "VARCHAR(200) COLLATE utf8mb4_bin"),
            ("boolean", "TINYINT(1)"),
            ("decimal", "DECIMAL(12,2)"),
            ("real", "DOUBLE"),
            ("json", "JSON"),
            ("texts", "TEXT"),
            ("date", "DATE"),
            ("timestamp", "DATETIME(6)"),
            ("moment", "TIMESTAMP(6)"),
            ("utc", ""),
            ("none", "NULL"),
            ("q", "`"),
        ];
        let shop = format!(
            "SET time_zone = '+00:00', sql_mode = 'STRICT_ALL_TABLES';\n{}",
            shop(&words)
        );
        server.run_sql("shop", &shop).expect("the shop can be built");
        let articles = "CREATE TABLE articles (title VARCHAR(200), body TEXT, FULLTEXT (body));";
        server
            .run_sql("shop", &format!("{articles}{ARTICLES}"))
            .expect("articles can be kept");
    });
    LazyLock::force(&SHOP);
    let text = |text: &str| {
        let hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
        format!("CONVERT(X'{hex}' USING utf8mb4)")
    };
    let mut sql = "SET NAMES utf8mb4; SET time_zone = '+00:00', group_concat_max_len = 4294967295;\n".to_owned();
    let mut using = Vec::new();
    for (place, value) in statement.values.iter().enumerate() {
        let value = match value {
            Value::Text(value) | Value::Json(value) => text(value),
            other => literal(other),
        };
        sql.push_str(&format!("SET @v{place} = {value};\n"));
        using.push(format!("@v{place}"));
    }
    let using = if using.is_empty() {
        String::new()
    } else {
        format!(" USING {}", using.join(", "))
    };
    sql.push_str(&format!(
        "SET @q = {};\nPREPARE q FROM @q;\nEXECUTE q{using};\n",
        text(&statement.text)
    ));
    let answer = portcullis_servers::shared_mariadb().run_sql("shop", &sql)?;
    let mut rows = rows_of(answer.trim_end_matches('\n'), '\n', '\t', "NULL");
    for value in rows.iter_mut().flatten() {
        if let Value::Text(text) = value {
            *text = text.replace("\\t", "\t").replace("\\n", "\n").replace("\\\\", "\\");
        }
    }
    for row in &mut rows {
        driver_form(row, &statement.outputs);
    }
    Ok(rows)
}

/// Dates and times in the form in which a driver gives them.
fn driver_form(row: &mut [Value], outputs: &Outputs) {
    let Shown::Columns(columns) = &outputs.shown else {
        return;
    };
    for (value, column) in row.iter_mut().zip(columns.iter()) {
        if let (Value::Text(text), Type::Timestamp | Type::Moment) = (value, &column.kind) {
            let zone = if column.kind == Type::Moment { "+00:00" } else { "" };
            *text = format!("{}{zone}", text.trim_end_matches('0').trim_end_matches('.')).replace(' ', "T");
        }
    }
}

fn rows_of(answer: &str, record: char, unit: char, null: &str) -> Vec<Vec<Value>> {
    let value = |text: &str| {
        if text == null {
            Value::Null
        } else {
            Value::Text(text.to_owned())
        }
    };
    let answer = answer.trim_start_matches("SET\n").trim_start_matches("PREPARE\n");
    if answer.is_empty() {
        return Vec::new();
    }
    answer
        .trim_end_matches(record)
        .split(record)
        .map(|line| line.split(unit).map(value).collect())
        .collect()
}
