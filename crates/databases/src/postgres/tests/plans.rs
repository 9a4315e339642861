//! Plans, and indexes that are only imagined.

use portcullis_tables::doctor::Access;
use portcullis_tables::doctor::plan::Plan;
use portcullis_tables::schema::Engine;

use super::database;
use crate::plans::{Question, plans};

const ORDERS: &str =
    "create table orders (id int primary key, customer_id int not null, state text not null, note text);
    create index by_customer on orders (customer_id);
    insert into orders select n, n % 997, n % 211, repeat('x', 100) from generate_series(1, 20000) n;
    analyze orders;";

fn question(text: &str, index: Option<&str>) -> Question {
    Question {
        text: text.into(),
        index: index.map(str::to_owned),
    }
}

#[test]
fn plans_of_the_server_are_understood() {
    let settings = database(ORDERS);
    let of = [
        (
            "select note from orders where id = $1",
            Access::SeekLookup,
            Some("orders_pkey"),
        ),
        (
            "select id from orders where id = $1",
            Access::Covering,
            Some("orders_pkey"),
        ),
        (
            "select note from orders where customer_id = $1",
            Access::Bitmap,
            Some("by_customer"),
        ),
        ("select note from orders where state = $1", Access::FullScan, None),
        ("select note from orders order by note", Access::FullScan, None),
        (
            "select note from \"public\".\"orders\" order by id limit $1",
            Access::IndexScan,
            Some("orders_pkey"),
        ),
        (
            "SELECT note FROM \"public\".\"orders\" ORDER BY id LIMIT $1",
            Access::Walk,
            Some("orders_pkey"),
        ),
        ("insert into orders values ($1, $2, $3, $4)", Access::Clustered, None),
    ];
    let questions: Vec<Question> = of.iter().map(|(text, ..)| question(text, None)).collect();
    let answers = plans(&settings, &questions).unwrap();
    for ((text, class, index), answer) in of.into_iter().zip(answers) {
        let plan = Plan::read(Engine::Postgres, &answer.unwrap().unwrap(), text);
        assert_eq!((plan.class(), plan.indexes().next()), (class, index), "{text}");
        assert!(plan.cost.is_some());
    }
}

#[test]
fn an_index_is_imagined_where_the_extension_is_there_and_nowhere_else() {
    let text = "select note from orders where state = $1";
    let index = "CREATE INDEX \"a\" ON \"public\".\"orders\" (\"state\")";
    let asked = [
        question(text, Some(index)),
        question(text, None),
        question("select nonsense", None),
        question(text, None),
    ];
    let without = plans(&database(ORDERS), &asked).unwrap();
    assert_eq!(without[0], Ok(None));
    let settings = database(&format!("create extension hypopg; {ORDERS}"));
    let answers = plans(&settings, &asked).unwrap();
    let plan = |place: usize| {
        Plan::read(
            Engine::Postgres,
            answers[place].as_ref().unwrap().as_ref().unwrap(),
            text,
        )
    };
    let (with, without) = (plan(0), plan(1));
    assert_eq!((with.class(), without.class()), (Access::Bitmap, Access::FullScan));
    assert!(with.cost < without.cost);
    assert!(answers[2].as_ref().unwrap_err().contains("nonsense"));
    assert_eq!(plan(3).class(), Access::FullScan, "it goes on after a mistake");
}
