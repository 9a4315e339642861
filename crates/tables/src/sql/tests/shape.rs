//! The text depends on the shape of what is asked for, and on no value.

use proptest::prelude::*;

use super::engines::{ENGINES, api};
use crate::grammar::{self, Caller};
use crate::schema::Engine;
use crate::sql::{RowForm, read};

fn text(engine: Engine, resource: &str, query: &str) -> Option<(String, usize)> {
    let api = api(engine);
    let (place, _) = api.resource(resource)?;
    let pairs: Vec<(String, String)> = query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let question = grammar::read_pairs(api, place, &pairs, &Caller::default()).ok()?;
    let statement = read(api, &question, RowForm::Json).ok()?;
    Some((statement.text.to_string(), statement.values.len()))
}

proptest! {
    #[test]
    fn values_have_no_part_in_the_text(
        word in "[^\"\\\\(),{}&=*:.<>|!-]{0,12}",
        other in "[a-z']{1,12}",
        number in any::<i32>(),
        limit in 0u32..1000,
    ) {
        for engine in ENGINES.into_iter().chain([Engine::MySql]) {
            let query = |word: &str, number: i32, limit: u32| format!(
                "select=id,name,theme:settings->>theme,orders(id,lines(number))&name=eq.{word}&email=like.{word}*\
                 &id=gt.{number}&or=(id.eq.{number},name.in.(\"{word}\",b,c))&orders.note=ilike.*{word}\
                 &limit={limit}&orders.limit={limit}&order=email"
            );
            let one = text(engine, "customers", &query(&word, number, limit));
            let another = text(engine, "customers", &query(&other, 7, 3));
            prop_assert!(another.is_some());
            if one.is_some() {
                prop_assert_eq!(one, another);
            }
        }
    }
}
