//! Opening a database: files, migrations, schema, and the names that a configuration gives.

use std::path::Path;
use std::sync::Arc;

use portcullis_backends::table::{Open, Table, settings};
use portcullis_databases::Database;
use serde_json::json;
use tempfile::TempDir;

use super::{Fixture, HIRING, database_config, database_settings, get, table_config};

fn open(folder: &Path) -> Result<Arc<Database>, String> {
    Database::open(database_settings(json!({}), folder))
}

/// A folder with these migrations.
fn folder(migrations: &[(&str, &str)]) -> TempDir {
    let folder = TempDir::new().unwrap();
    std::fs::create_dir(folder.path().join("migrations")).unwrap();
    for (name, sql) in migrations {
        write(&folder, name, sql);
    }
    folder
}

fn write(folder: &TempDir, name: &str, sql: &str) {
    std::fs::write(folder.path().join("migrations").join(name), sql).unwrap();
}

#[track_caller]
fn fails(folder: &TempDir, words: &[&str]) {
    let error = open(folder.path()).unwrap_err();
    assert!(words.iter().all(|word| error.contains(word)), "{error}");
    assert!(!error.contains('\n'), "{error}");
}

#[test]
fn migrations_run_once_in_the_order_of_their_names() {
    let folder = folder(&[
        ("002.sql", "ALTER TABLE a ADD COLUMN y TEXT"),
        (
            "001.sql",
            "CREATE TABLE a (x INTEGER PRIMARY KEY); INSERT INTO a VALUES (1);",
        ),
        ("notes.txt", "this is no migration"),
    ]);
    drop(open(folder.path()).unwrap());
    write(&folder, "003.sql", "INSERT INTO a (x) SELECT max(x) + 1 FROM a");
    drop(open(folder.path()).unwrap());
    let database = open(folder.path()).unwrap();
    let table = Table::new(&Open::still(database.clone()), &table_config("a", json!({})), 1).unwrap();
    assert_eq!(
        get("/a").of(&table).json(),
        json!([{"x": 1, "y": null}, {"x": 2, "y": null}])
    );
    assert!(database.schema().relation("portcullis_migrations").is_none());
}

#[test]
fn a_history_that_was_changed_is_refused() {
    let folder = folder(&[("001.sql", "CREATE TABLE a (x)"), ("003.sql", "CREATE TABLE b (x)")]);
    drop(open(folder.path()).unwrap());
    write(&folder, "001.sql", "CREATE TABLE a (y)");
    fails(&folder, &["001.sql", "changed"]);
    write(&folder, "001.sql", "CREATE TABLE a (x)");
    write(&folder, "002.sql", "CREATE TABLE c (x)");
    fails(&folder, &["002.sql", "before 003.sql"]);
    std::fs::remove_file(folder.path().join("migrations/002.sql")).unwrap();
    std::fs::remove_file(folder.path().join("migrations/001.sql")).unwrap();
    fails(&folder, &["001.sql", "missing"]);
    std::fs::remove_file(folder.path().join("migrations/003.sql")).unwrap();
    fails(&folder, &["001.sql", "missing"]);
}

#[test]
fn a_migration_runs_wholly_or_not_at_all() {
    for (sql, words) in [
        ("CREATE TABLE b (x);\nCREATE TABLE b (x);", "already exists"),
        ("CREATE TABLE b (x); nonsense", "syntax error"),
        ("CREATE TABLE b (x); COMMIT; CREATE TABLE c (x)", "not authorized"),
        ("ATTACH 'other.db' AS other", "not authorized"),
    ] {
        let folder = folder(&[("001.sql", "CREATE TABLE a (x)"), ("002.sql", sql)]);
        fails(&folder, &["002.sql", words]);
        write(&folder, "002.sql", "CREATE TABLE d (x)");
        let names: Vec<_> = open(folder.path())
            .unwrap()
            .schema()
            .relations()
            .iter()
            .map(|it| it.name.as_str().to_owned())
            .collect();
        assert_eq!(names, ["a", "d"], "{sql}");
    }
}

#[test]
fn what_cannot_be_opened_is_named() {
    let folder = folder(&[]);
    std::fs::create_dir(folder.path().join("data")).unwrap();
    std::fs::write(
        folder.path().join("data/hiring.db"),
        "this is certainly not a database file\n".repeat(100),
    )
    .unwrap();
    fails(&folder, &["data/hiring.db", "not a database"]);
    std::fs::remove_dir_all(folder.path().join("data")).unwrap();
    std::fs::write(folder.path().join("data"), "a file where the folder should be").unwrap();
    fails(&folder, &["data/hiring.db"]);
    let missing = TempDir::new().unwrap();
    fails(&missing, &["migrations"]);
    for url in ["oracle://x", "sqlite:", "sqlite::memory:", "sqlite://x", "x.db"] {
        let settings = settings::of("x", &database_config(json!({"url": url})), folder.path());
        assert!(settings.is_err(), "{url}");
    }
}

#[test]
fn a_file_is_created_with_its_folder_and_closed_whole() {
    let fixture = Fixture::new(HIRING);
    let (file, folder) = (fixture.file(), fixture.folder);
    assert!(file.is_file());
    drop(fixture.database);
    // The log was written back and removed: threads and connections are gone.
    let left: Vec<_> = std::fs::read_dir(folder.path().join("data"))
        .unwrap()
        .map(|it| it.unwrap().file_name())
        .collect();
    assert_eq!(left, ["hiring.db"]);
}

#[test]
fn a_check_changes_nothing() {
    let folder = folder(&[("001.sql", "CREATE TABLE a (x)")]);
    let settings = database_settings(json!({}), folder.path());
    let schema = Database::rehearse(&settings).unwrap().unwrap();
    assert!(schema.relation("a").is_some());
    assert!(!folder.path().join("data").exists());
    drop(open(folder.path()).unwrap());
    assert!(Database::rehearse(&settings).unwrap().is_some());
    let left: Vec<_> = std::fs::read_dir(folder.path().join("data"))
        .unwrap()
        .map(|it| it.unwrap().file_name())
        .collect();
    assert_eq!(left, ["hiring.db"]);
    write(&folder, "002.sql", "CREATE TABLE b (x)");
    assert!(Database::inspect(&settings).unwrap().is_none());
    let schema = Database::rehearse(&settings).unwrap().unwrap();
    assert!(schema.relation("a").is_some() && schema.relation("b").is_some());
    write(&folder, "002.sql", "CREATE TABLE b (x);\nCREATE TABEL c (x)");
    let error = Database::rehearse(&settings).unwrap_err();
    assert!(error.contains("002.sql:2") && error.contains("TABEL"), "{error}");
    write(&folder, "002.sql", "CREATE TABLE c (x)");
    let schema = Database::rehearse(&settings).unwrap().unwrap();
    assert!(schema.relation("b").is_none(), "what was only tried is in the database");
    write(&folder, "001.sql", "CREATE TABLE a (y)");
    assert!(Database::rehearse(&settings).unwrap_err().contains("001.sql"));
}

#[test]
fn a_database_that_nobody_makes_must_be_there() {
    let folder = TempDir::new().unwrap();
    let settings = database_settings(json!({"url": "sqlite:data/none.db", "migrations": null}), folder.path());
    let errors = [
        Database::rehearse(&settings).unwrap_err(),
        Database::open(settings.clone()).unwrap_err(),
    ];
    for error in errors {
        assert!(error.contains("none.db") && error.contains("does not exist"), "{error}");
    }
    assert!(!folder.path().join("data").exists());
    std::fs::create_dir(folder.path().join("data")).unwrap();
    rusqlite::Connection::open(folder.path().join("data/none.db"))
        .unwrap()
        .execute_batch("CREATE TABLE a (x)")
        .unwrap();
    let seen = Database::rehearse(&settings).unwrap().unwrap();
    let opened = Database::open(settings).unwrap().schema();
    assert_eq!(opened.fingerprint(), seen.fingerprint());
}

#[test]
fn the_line_of_a_bad_migration_is_named() {
    for (sql, line) in [
        ("nonsense", 1),
        (
            "CREATE TABLE a (x);\n\nCREATE TABLE b (\n  x,\n  CHEKC (x > 1) y z\n);",
            5,
        ),
        (
            "CREATE TABLE a (x UNIQUE);\n-- ä\n/* twice;\n */ ;\nINSERT INTO a\nVALUES (1), (1);\nSELECT 1;",
            5,
        ),
        ("\n\nATTACH 'other.db' AS other;", 3),
        (
            "CREATE TABLE a (x);\nPRAGMA table_info(a);\nSELECT 1;\nCREATE TABLE a (x);",
            4,
        ),
    ] {
        let folder = folder(&[("001.sql", sql)]);
        fails(&folder, &[&format!("001.sql:{line}: ")]);
    }
}

#[test]
fn a_change_of_the_schema_is_seen_from_outside() {
    let fixture = Fixture::new(HIRING);
    let inspect = || {
        let seen = Database::inspect(&database_settings(json!({}), fixture.folder.path())).unwrap();
        seen.map(|schema| schema.fingerprint())
    };
    let own = Some(fixture.database.schema().fingerprint());
    assert_eq!(inspect(), own);
    fixture
        .outside()
        .execute_batch("ALTER TABLE topics ADD COLUMN hint TEXT")
        .unwrap();
    assert_ne!(inspect(), own);
}

#[test]
fn names_of_a_configuration_are_checked() {
    let fixture = Fixture::new(HIRING);
    let open = Open::still(fixture.database.clone());
    let check = |config| Table::new(&open, &config, 1).unwrap_err();
    for (error, words) in [
        (
            check(table_config("qestions", json!({}))),
            "`qestions`; did you mean `questions`?",
        ),
        (
            check(table_config("questions", json!({"columns": ["id", "levle"]}))),
            "`levle`; did you mean `level`?",
        ),
        (
            check(table_config("questions", json!({"columns": ["id", "id"]}))),
            "twice",
        ),
        (
            check(table_config("questions", json!({"methods": ["GTE"]}))),
            "did you mean `GET`?",
        ),
        (
            check(table_config("questions", json!({"methods": ["TRACE"]}))),
            "`TRACE`",
        ),
        (
            check(table_config("portcullis_migrations", json!({}))),
            "there is no table",
        ),
        (check(table_config("sqlite_schema", json!({}))), "there is no table"),
    ] {
        assert!(error.contains(words), "{error}");
    }
    assert!(Table::check(&fixture.database.schema(), &table_config("counts", json!({}))).is_ok());
    assert!(Table::check(&fixture.database.schema(), &table_config("count", json!({}))).is_err());
}
