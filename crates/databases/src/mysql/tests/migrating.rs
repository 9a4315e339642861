//! Migrations, whole and in half.

use std::path::Path;

use super::{ask, database};
use crate::Database;
use crate::settings::Settings;

fn with_folder(folder: &Path) -> Settings {
    let mut settings = database("SELECT 1").settings().clone();
    settings.migrations = Some(folder.to_owned());
    settings
}

#[test]
fn files_run_once_and_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, sql: &str| std::fs::write(folder.path().join(name), sql).unwrap();
    file(
        "1.sql",
        "-- first; of all\nCREATE TABLE a (id INT PRIMARY KEY, n INT); INSERT INTO a VALUES (1, 1);\n\
         CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW BEGIN SET NEW.n = 5; SET NEW.n = NEW.n + 1; END;\n",
    );
    let settings = with_folder(folder.path());
    assert!(Database::inspect(&settings).unwrap().is_none());
    let first = Database::open(settings.clone()).unwrap();
    assert_eq!(first.schema().relations().len(), 1);
    file(
        "2.sql",
        "INSERT INTO a (id) VALUES (2); SET SESSION sql_mode = ''; -- done",
    );
    file("3.sql", "-- nothing yet\n");
    let starting: Vec<_> = (0..3)
        .map(|_| {
            let settings = settings.clone();
            std::thread::spawn(move || Database::open(settings).map(drop))
        })
        .collect();
    for gate in starting {
        assert_eq!(gate.join().unwrap(), Ok(()));
    }
    assert_eq!(
        ask(&first, "SELECT GROUP_CONCAT(id, '=', n ORDER BY id) FROM a"),
        "1=1,2=6"
    );
    assert_eq!(
        ask(
            &first,
            "SELECT COUNT(*) FROM portcullis_migrations WHERE applied_at IS NOT NULL"
        ),
        "3"
    );
    assert!(Database::inspect(&settings).unwrap().is_some());
}

#[test]
fn a_file_that_fails_is_taken_back_where_that_can_be() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, sql: &str| std::fs::write(folder.path().join(name), sql).unwrap();
    file("1.sql", "CREATE TABLE a (id INT PRIMARY KEY)");
    let settings = with_folder(folder.path());
    let database = Database::open(settings.clone()).unwrap();
    for sql in [
        "INSERT INTO a VALUES (1); INSERT INTO nowhere VALUES (1)",
        "CREATE TABLE a (id INT)",
        "CREATE nonsense",
    ] {
        file("2.sql", sql);
        let reason = Database::open(settings.clone()).unwrap_err();
        assert!(
            reason.contains("2.sql") && reason.contains("nothing of the file has happened"),
            "{reason}"
        );
    }
    assert_eq!(ask(&database, "SELECT COUNT(*) FROM a"), "0");
    file("2.sql", "INSERT INTO a VALUES (1)");
    Database::open(settings).unwrap();
}

#[test]
fn a_file_that_ran_in_half_is_told_until_it_is_set_right() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, sql: &str| std::fs::write(folder.path().join(name), sql).unwrap();
    file(
        "1.sql",
        "CREATE TABLE a (id INT PRIMARY KEY);\nINSERT INTO nowhere VALUES (1)",
    );
    let settings = with_folder(folder.path());
    let reason = Database::open(settings.clone()).unwrap_err();
    assert!(reason.contains("statement 2") && reason.contains("stay"), "{reason}");
    for _ in 0..2 {
        let reason = Database::open(settings.clone()).unwrap_err();
        assert!(reason.contains("1.sql: the migration ran in part"), "{reason}");
    }
    let mut without = settings.clone();
    without.migrations = None;
    let database = Database::open(without).unwrap();
    ask(&database, "UPDATE portcullis_migrations SET applied_at = NOW()");
    Database::open(settings).unwrap();
}
