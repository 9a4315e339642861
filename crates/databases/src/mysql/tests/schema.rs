//! What an introspection finds, and when it looks again.

use std::time::Duration;

use portcullis_servers::shared_mariadb;
use portcullis_tables::schema::{Engine, Kind, Relation, Returns, Type};

use super::{ask, database};
use crate::Database;

const SHOP: &str = "
CREATE TABLE customer (id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY, email VARCHAR(100) NOT NULL COMMENT 'where to write',
    first VARCHAR(50), last VARCHAR(50), born DATE, data JSON, notes LONGTEXT,
    full_name VARCHAR(101) AS (CONCAT(first, ' ', last)) VIRTUAL, made TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    state ENUM('new','kept') NOT NULL DEFAULT 'new',
    UNIQUE KEY by_email (email), UNIQUE KEY by_name (last, first), KEY by_birth (born), FULLTEXT KEY words (notes)
    ) COMMENT 'who buys';
CREATE TABLE `order` (customer BIGINT UNSIGNED NOT NULL, number INT NOT NULL, total DECIMAL(10,2),
    PRIMARY KEY (customer, number), CONSTRAINT buyer FOREIGN KEY (customer) REFERENCES customer (id));
CREATE TABLE item (id INT PRIMARY KEY, customer BIGINT UNSIGNED, number INT, `od``d` INT,
    CONSTRAINT of_order FOREIGN KEY (customer, number) REFERENCES `order` (customer, number));
CREATE VIEW kept AS SELECT id, email FROM customer WHERE state = 'kept';
CREATE VIEW totals AS SELECT customer, SUM(total) AS total FROM `order` GROUP BY customer;
CREATE FUNCTION twice(n INT) RETURNS INT DETERMINISTIC RETURN 2 * n;
CREATE PROCEDURE forget(IN who BIGINT UNSIGNED) COMMENT 'for good' DELETE FROM customer WHERE id = who;
CREATE PROCEDURE answers(OUT how_many INT) SELECT 1 INTO how_many;
INSERT INTO customer (email) VALUES ('a@b'), ('c@d'); ANALYZE TABLE customer;";

fn relation<'s>(schema: &'s portcullis_tables::schema::Schema, name: &str) -> &'s Relation {
    schema
        .relations()
        .iter()
        .find(|relation| relation.name.as_str() == name)
        .unwrap()
}

#[test]
fn all_of_a_schema_is_found() {
    let database = database(SHOP);
    let schema = database.schema();
    assert_eq!((schema.engine(), schema.relations().len()), (Engine::MariaDb, 5));
    let customer = relation(&schema, "customer");
    assert_eq!(customer.kind, Kind::Table);
    assert_eq!(
        (customer.comment.as_deref(), customer.estimated_rows),
        (Some("who buys"), Some(2))
    );
    assert_eq!(
        (&customer.primary_key, &customer.unique),
        (&vec![0], &vec![vec![1], vec![3, 2]])
    );
    let column = |name: &str| &customer.columns[customer.column(name).unwrap()];
    assert_eq!(column("id").default.as_deref(), Some("auto_increment"));
    assert_eq!(column("id").declared.as_str(), "bigint(20) unsigned");
    assert_eq!(
        (column("email").nullable, column("email").max_length),
        (false, Some(100))
    );
    assert_eq!(column("email").comment.as_deref(), Some("where to write"));
    assert_eq!(
        (column("first").nullable, column("first").default.as_deref()),
        (true, None)
    );
    assert_eq!(
        (&column("data").kind, &column("notes").kind),
        (&Type::Json { binary: false }, &Type::Text)
    );
    assert!(column("full_name").generated && !column("first").generated);
    assert_eq!(column("made").default.as_deref(), Some("current_timestamp()"));
    assert_eq!(column("state").default.as_deref(), Some("'new'"));
    let indexes: Vec<_> = customer
        .indexes
        .iter()
        .map(|index| (index.name.as_str(), &*index.method, index.unique))
        .collect();
    assert_eq!(
        indexes,
        [
            ("PRIMARY", "btree", true),
            ("by_birth", "btree", false),
            ("by_email", "btree", true),
            ("by_name", "btree", true),
            ("words", "fulltext", false)
        ]
    );
    let item = relation(&schema, "item");
    let place = |name: &str| {
        schema
            .relations()
            .iter()
            .position(|relation| relation.name.as_str() == name)
            .unwrap()
    };
    assert_eq!(&*item.foreign_keys[0].name, "of_order");
    assert_eq!(
        (&item.foreign_keys[0].columns, item.foreign_keys[0].relation),
        (&vec![1, 2], place("order"))
    );
    assert_eq!(item.foreign_keys[0].referred, [0, 1]);
    assert_eq!(item.columns[3].name.quoted(), "`od``d`");
    assert_eq!(relation(&schema, "order").foreign_keys[0].relation, place("customer"));
    assert!(relation(&schema, "kept").writable && !relation(&schema, "totals").writable);
    assert_eq!(relation(&schema, "kept").kind, Kind::View);
    let routines: Vec<_> = schema.routines().iter().map(|routine| routine.name.as_str()).collect();
    assert_eq!(routines, ["forget", "twice"]);
    let [forget, twice] = schema.routines() else {
        panic!("{routines:?}")
    };
    assert!(forget.procedure && forget.volatile && forget.comment.as_deref() == Some("for good"));
    assert_eq!(
        forget.arguments[0].kind,
        Type::Integer {
            bytes: 8,
            unsigned: true
        }
    );
    assert!(!twice.volatile && matches!(twice.returns, Returns::Value(Type::Integer { bytes: 4, .. })));
}

#[test]
fn a_change_is_seen_at_the_next_look() {
    let database = database(SHOP);
    assert_eq!((database.refresh(), database.generation()), (Ok(false), 1));
    ask(&database, "ALTER TABLE item ADD COLUMN price INT");
    assert_eq!((database.refresh(), database.generation()), (Ok(true), 2));
    assert!(relation(&database.schema(), "item").column("price").is_some());
    assert_eq!((database.refresh(), database.generation()), (Ok(false), 2));
}

#[test]
fn a_database_that_is_not_there_is_named() {
    let mut settings = database("SELECT 1").settings().clone();
    settings.namespaces = vec!["nowhere".to_owned()];
    let reason = Database::open(settings.clone()).unwrap_err();
    assert!(reason.contains("no database `nowhere`"), "{reason}");
    settings.url = shared_mariadb().url_for("nowhere");
    let reason = Database::open(settings).unwrap_err();
    assert!(
        reason.contains("can't be reached") && !reason.contains("portcullis:portcullis"),
        "{reason}"
    );
}

#[test]
fn many_tables_are_read_in_time() {
    let mut sql = String::new();
    for table in 0..200 {
        sql.push_str(&format!(
            "CREATE TABLE t{table} (id INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(50) NOT NULL UNIQUE, n INT, KEY (n));"
        ));
    }
    let database = database(&sql);
    assert_eq!(database.schema().relations().len(), 200);
    let began = std::time::Instant::now();
    Database::inspect(database.settings()).unwrap().unwrap();
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}

#[test]
fn an_account_of_few_privileges_sees_the_same() {
    let database = database(SHOP);
    let name = database.settings().url.rsplit_once('/').unwrap().1.to_owned();
    let server = shared_mariadb();
    let account = format!(
        "CREATE USER '{name}'@'127.0.0.1' IDENTIFIED BY 'few'; \
         GRANT SELECT, INSERT, UPDATE, DELETE, EXECUTE ON `{name}`.* TO '{name}'@'127.0.0.1'"
    );
    server.run_sql("", &account).unwrap();
    let mut settings = database.settings().clone();
    settings.url = settings
        .url
        .replacen("portcullis:portcullis", &format!("{name}:few"), 1);
    let of_few = Database::open(settings).unwrap();
    let described = |database: &Database| {
        let schema = database.schema();
        let relations: Vec<_> = schema
            .relations()
            .iter()
            .map(|relation| format!("{relation:?}"))
            .collect();
        relations
    };
    for (all, few) in described(&database).into_iter().zip(described(&of_few)) {
        assert_eq!(all, few);
    }
    assert_eq!(database.schema().relations().len(), of_few.schema().relations().len());
}
