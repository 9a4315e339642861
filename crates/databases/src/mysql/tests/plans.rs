//! Plans.

use portcullis_tables::doctor::Access;
use portcullis_tables::doctor::plan::Plan;
use portcullis_tables::schema::Engine;

use super::database;
use crate::plans::{Question, plans};

#[test]
fn plans_of_the_server_are_understood_and_no_index_is_imagined() {
    let database = database(
        "CREATE TABLE orders (id INT PRIMARY KEY, customer_id INT NOT NULL, state VARCHAR(20), total DECIMAL(10, 2),
            placed DATE, KEY by_customer (customer_id), KEY by_placed (placed));
        INSERT INTO orders SELECT seq, seq % 997, seq % 211, seq, DATE('2026-01-01') + INTERVAL seq % 300 DAY FROM seq_1_to_10000;
        ANALYZE TABLE orders;",
    );
    let from = "FROM `x`.`orders` AS t0";
    let of = [
        ("t0.* {} WHERE t0.`id` = ?", Access::Clustered, Some("PRIMARY")),
        (
            "t0.`state` {} WHERE t0.`customer_id` = ?",
            Access::SeekLookup,
            Some("by_customer"),
        ),
        (
            "t0.`id` {} WHERE t0.`customer_id` = ?",
            Access::Covering,
            Some("by_customer"),
        ),
        ("t0.`state` {} WHERE t0.`state` = ? LIMIT ?", Access::FullScan, None),
        ("t0.`state` {} ORDER BY t0.`id` LIMIT ?", Access::Walk, Some("PRIMARY")),
        (
            "t0.`id` {} WHERE t0.`customer_id` = ? ORDER BY t0.`total` LIMIT ?",
            Access::Sort,
            None,
        ),
    ];
    let name = database.settings().url.rsplit_once('/').unwrap().1.to_owned();
    let text = |text: &str| {
        format!(
            "SELECT {}",
            text.replace("{}", &from.replace("`x`", &format!("`{name}`")))
        )
    };
    let mut questions: Vec<Question> = Vec::new();
    for (part, ..) in of {
        questions.push(Question {
            text: text(part).into(),
            index: None,
        });
    }
    questions.push(Question {
        text: text(of[3].0).into(),
        index: Some("CREATE INDEX a ON orders (state)".to_owned()),
    });
    let answers = plans(database.settings(), &questions).unwrap();
    for ((part, class, index), answer) in of.into_iter().zip(&answers) {
        let said = answer.as_ref().unwrap().as_ref().unwrap();
        let plan = Plan::read(Engine::MariaDb, said, &text(part));
        assert_eq!(plan.class(), class, "{part}: {said}");
        if index.is_some() {
            assert_eq!(plan.indexes().next(), index, "{part}");
        }
    }
    assert_eq!(answers[of.len()], Ok(None));
}
