//! What holds for all queries.

use proptest::prelude::{Just, Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest};
use proptest::string::string_regex;

use super::{POSTGRES, SQLITE, resolved};
use crate::fixture;
use crate::grammar::literal;
use crate::schema::Engine;

/// Words of the grammar and of the shop, put together anyhow.
fn words() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        Just("select=".to_owned()),
        Just("order=".to_owned()),
        Just("or=(".to_owned()),
        Just("not.".to_owned()),
        Just("id".to_owned()),
        Just("customers".to_owned()),
        Just("lines".to_owned()),
        Just("attributes".to_owned()),
        Just("internal_not".to_owned()),
        Just("secret".to_owned()),
        Just("eq.".to_owned()),
        Just("in.(".to_owned()),
        Just("eq(any).{".to_owned()),
        Just("count()".to_owned()),
        Just("sum()".to_owned()),
        Just("after=".to_owned()),
        Just("union=".to_owned()),
        string_regex("[-a-z0-9>:.,!*()\"'{}& =%\\\\é]{1,3}").expect("it is one"),
    ];
    proptest::collection::vec(word, 0..24).prop_map(|words| words.concat())
}

proptest! {
    #[test]
    fn nothing_makes_the_grammar_panic(query in words()) {
        for name in ["orders", "products", "customers", "order_totals"] {
            let found = resolved(&POSTGRES, &format!("{name}?{query}"));
            for hidden in ["internal_note", "secrets"] {
                // Only the client's own words are told again.
                prop_assert!(!found.contains(hidden) || query.contains(hidden), "{}", found);
            }
            resolved(&SQLITE, &format!("{name}?{query}"));
        }
    }

    #[test]
    fn no_text_makes_the_grammar_panic(query in any::<String>()) {
        resolved(&POSTGRES, &format!("orders?{query}"));
    }

    #[test]
    fn a_text_is_a_value_whatever_it_says(text in any::<String>()) {
        let text = text.replace('\0', "");
        let mut encoded = String::new();
        crate::percent::encode_into(&mut encoded, &text);
        let found = resolved(&POSTGRES, &format!("tags?select=id&word=eq.{encoded}"));
        prop_assert_eq!(found, format!("id; where word Equal '{text}'"));
        let quoted = text.replace('\\', "\\\\").replace('"', "\\\"");
        let mut encoded = String::new();
        crate::percent::encode_into(&mut encoded, &quoted);
        let found = resolved(&POSTGRES, &format!("tags?select=id&or=(word.eq.\"{encoded}\",id.in.(1))"));
        prop_assert_eq!(found, format!("id; where (word Equal '{text}' | id in [1])"));
    }

    #[test]
    fn no_value_makes_its_type_panic(text in "[-+0-9a-zT:. {}\\\\\",é]{0,24}") {
        for relation in fixture::found(Engine::Postgres).relations {
            for column in relation.columns {
                for engine in [Engine::Postgres, Engine::Sqlite, Engine::MariaDb] {
                    let _ = literal(&column.kind, &text, engine);
                }
            }
        }
    }
}
