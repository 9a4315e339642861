//! What is found in a database, and what is found anew.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use portcullis_databases::Database;
use portcullis_tables::schema::{Engine, Kind, Schema, Type};

use super::{Fixture, settings};

fn names(schema: &Schema) -> Vec<&str> {
    schema
        .relations()
        .iter()
        .map(|relation| relation.name.as_str())
        .collect()
}

#[test]
fn a_schema_is_read_whole() {
    let fixture = Fixture::new(
        "CREATE TABLE a (x INTEGER PRIMARY KEY, y TEXT NOT NULL DEFAULT 'z', z INT AS (x * 2), flag BOOLEAN,
                         state TEXT CHECK (state IN ('open', 'done')), data TEXT CHECK (json_valid(data)), price DECIMAL(10,2));
         CREATE TABLE b (p TEXT, q INT, r INT REFERENCES A, s INT REFERENCES a (X), PRIMARY KEY (q, p)) WITHOUT ROWID;
         CREATE TABLE c (rowid TEXT, v, b BLOB, w REAL, UNIQUE (v, w));
         CREATE TABLE d (i INTEGER PRIMARY KEY, j ANY, k TEXT REFERENCES nowhere) STRICT;
         CREATE UNIQUE INDEX c_lower ON c (lower(v));
         CREATE UNIQUE INDEX c_some ON c (w) WHERE v > 1;
         CREATE INDEX c_b ON c (b, v DESC);
         CREATE VIEW e AS SELECT y, count(*) AS n FROM a GROUP BY y;
         CREATE VIEW broken AS SELECT * FROM was_there_once;
         CREATE VIRTUAL TABLE f USING fts5 (title, text);
         CREATE TABLE portcullis_migrations (name TEXT, sha256 TEXT);
         INSERT INTO a (y) VALUES ('1'), ('2'), ('3'); ANALYZE;",
    );
    let schema = fixture.database.schema();
    assert_eq!(schema.engine(), Engine::Sqlite);
    assert_eq!(names(&schema), ["a", "b", "c", "d", "e", "f"]);
    let relation = |name: &str| schema.relation(name).unwrap().1;

    let a = relation("a");
    assert_eq!((a.kind, &a.primary_key[..], a.writable), (Kind::Table, &[0][..], true));
    assert_eq!(a.rowid.as_ref().unwrap().as_str(), "rowid");
    assert_eq!(
        (a.columns[0].nullable, a.columns[0].default.as_deref()),
        (false, Some("rowid"))
    );
    assert_eq!(
        (a.columns[1].nullable, a.columns[1].default.as_deref()),
        (false, Some("'z'"))
    );
    assert!(a.columns[2].generated && a.columns[3].nullable);
    let kinds: Vec<&Type> = a.columns.iter().map(|column| &column.kind).collect();
    let integer = Type::Integer {
        bytes: 8,
        unsigned: false,
    };
    let words = Type::Enumeration(vec!["open".to_owned(), "done".to_owned()]);
    let json = Type::Json { binary: false };
    assert_eq!(
        kinds,
        [
            &integer,
            &Type::Text,
            &integer,
            &Type::Boolean,
            &words,
            &json,
            &Type::Numeric
        ]
    );
    assert_eq!((a.columns[6].declared.as_str(), a.estimated_rows), ("NUMERIC", Some(3)));

    let b = relation("b");
    assert_eq!((&b.primary_key[..], b.rowid.is_none()), (&[1, 0][..], true));
    assert!(b.indexes[0].primary && b.indexes[0].columns == [Some(1), Some(0)]);
    let keys: Vec<_> = b
        .foreign_keys
        .iter()
        .map(|key| (&*key.name, &key.columns[..], &key.referred[..]))
        .collect();
    assert_eq!(
        keys,
        [("b_r_fkey", &[2][..], &[0][..]), ("b_s_fkey", &[3][..], &[0][..])]
    );
    assert_eq!(schema.relations()[b.foreign_keys[0].relation].name.as_str(), "a");

    let c = relation("c");
    assert_eq!(c.rowid.as_ref().unwrap().as_str(), "_rowid_");
    assert_eq!(c.unique, [vec![1, 3]]);
    let index = |name: &str| c.indexes.iter().find(|index| index.name.as_str() == name).unwrap();
    assert_eq!(
        (&index("c_lower").columns[..], index("c_lower").unique),
        (&[None][..], true)
    );
    assert!(index("c_some").partial && index("c_some").unique);
    assert_eq!(
        (&index("c_b").columns[..], &*index("c_b").method),
        (&[Some(2), Some(1)][..], "btree")
    );

    let d = relation("d");
    assert_eq!((&d.columns[1].kind, d.foreign_keys.len()), (&Type::Any, 0));
    assert!(relation("e").kind == Kind::View && !relation("e").writable && relation("e").columns.len() == 2);
    assert_eq!(
        (&*relation("f").indexes[0].method, &relation("f").indexes[0].columns[..]),
        ("fts5", &[Some(0), Some(1)][..])
    );
}

#[test]
fn a_changed_schema_is_found_by_the_next_look() {
    let fixture = Fixture::new("CREATE TABLE a (x)");
    let database = &fixture.database;
    assert_eq!((database.refresh(), database.generation()), (Ok(false), 1));
    let before = database.schema();
    fixture
        .outside()
        .execute_batch("ALTER TABLE a ADD COLUMN y; CREATE TABLE b (x)")
        .unwrap();
    assert_eq!(names(&database.schema()), ["a"]);
    assert_eq!((database.refresh(), database.generation()), (Ok(true), 2));
    assert_eq!(names(&database.schema()), ["a", "b"]);
    assert_eq!(
        (before.relation("a").unwrap().1.columns.len(), names(&before)),
        (1, vec!["a"])
    );
    // A trigger is no part of it.
    fixture
        .outside()
        .execute_batch("CREATE TRIGGER t AFTER INSERT ON a BEGIN DELETE FROM b; END")
        .unwrap();
    assert_eq!((database.refresh(), database.generation()), (Ok(false), 2));
    // Statements that were prepared before go on, with the columns that they name.
    assert_eq!(fixture.ask("SELECT count(*) FROM b"), "[{\"n\":0}]");
}

#[test]
fn many_tables_are_read_by_a_few_queries() {
    // Ten times as many are to be read in two seconds. It takes SQLite longer than that to make them.
    const TABLES: usize = 1000;
    let mut sql = String::from("BEGIN;");
    for table in 0..TABLES {
        let parent = table / 2;
        write!(
            sql,
            "CREATE TABLE t{table} (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, up INT REFERENCES t{parent});
             CREATE INDEX i{table} ON t{table} (up);"
        )
        .unwrap();
    }
    sql.push_str("COMMIT;");
    let fixture = Fixture::new(&sql);
    let settings = settings(fixture.folder.path());
    let started = Instant::now();
    let schema = Database::inspect(&settings).unwrap().unwrap();
    let took = started.elapsed();
    assert_eq!(
        (schema.relations().len(), schema.relations()[7].foreign_keys.len()),
        (TABLES, 1)
    );
    // Generous for a build that isn't optimised, on a machine that does other things.
    assert!(took < Duration::from_secs(2), "{took:?}");
    // Who reads before a change was noticed, and after it, gets the answer all the same.
    fixture
        .outside()
        .execute_batch("CREATE TABLE late (x); INSERT INTO late VALUES (7)")
        .unwrap();
    assert_eq!(fixture.ask("SELECT count(*) FROM t1"), "[{\"n\":0}]");
    assert_eq!(fixture.ask("SELECT x FROM late"), "[{\"n\":7}]");
    assert_eq!(fixture.database.refresh(), Ok(true));
    assert_eq!(fixture.ask("SELECT x FROM late WHERE x > 1"), "[{\"n\":7}]");
}
