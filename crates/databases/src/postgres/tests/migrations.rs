use super::{database, open};
use crate::postgres::Postgres;

#[test]
fn migrations_run_once_and_wholly_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, sql: &str| std::fs::write(folder.path().join(name), sql).unwrap();
    write(
        "1.sql",
        "create table a (id int primary key);\ninsert into a values (1);",
    );
    write("2.sql", "create table b (id int references a);");
    let mut settings = database("select 1");
    settings.migrations = Some(folder.path().to_owned());
    assert!(Postgres::inspect(&settings).unwrap().is_none());
    // Several start at the same time, as a cluster does.
    let openings: Vec<_> = (0..3)
        .map(|_| {
            let settings = settings.clone();
            std::thread::spawn(move || Postgres::open(&settings).map(|(_, schema)| schema.relations().len()))
        })
        .collect();
    for opening in openings {
        assert_eq!(opening.join().unwrap(), Ok(2));
    }
    assert!(Postgres::inspect(&settings).unwrap().is_some());

    write("3.sql", "create table c (id int);\ncreate table a (id int);");
    let reason = Postgres::open(&settings).unwrap_err();
    assert!(
        reason.contains("3.sql:2") || reason.contains("already exists"),
        "{reason}"
    );
    write("3.sql", "create table c (id int); commit; create table d (id int)");
    let reason = Postgres::open(&settings).unwrap_err();
    assert!(reason.contains("ends its transaction"), "{reason}");
    std::fs::remove_file(folder.path().join("3.sql")).unwrap();
    write("1.sql", "changed");
    assert!(Postgres::open(&settings).unwrap_err().contains("changed after it ran"));
}

#[test]
fn a_server_that_is_away_is_said_in_one_line() {
    let settings = super::settings("postgres://u:secret@127.0.0.1:1/d");
    let reason = Postgres::open(&settings).unwrap_err();
    assert!(
        reason.contains("can't connect") && !reason.contains("secret"),
        "{reason}"
    );
    let mut settings = database("create table a (id int)");
    settings.namespaces = vec!["nowhere".to_owned()];
    assert!(open(&settings).1.relations().is_empty());
}
