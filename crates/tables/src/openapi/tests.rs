use portcullis_core::Consumer;

use super::*;
use crate::fixture;
use crate::schema::Engine;

const SHOP: Description<'static> = Description {
    title: "The shop <b>",
    base_path: "/v1",
    transactions: true,
};

fn described(consumer: Option<&Consumer>) -> Json {
    let api = fixture::api(Engine::Postgres);
    let visible = Visible::of(&api, &Caller { consumer });
    document(&api, &visible, &SHOP)
}

#[test]
fn what_the_api_exposes_is_described() {
    let document = described(None);
    let paths = document["paths"].as_object().unwrap();
    for path in [
        "/customers",
        "/customers/{id}",
        "/customers/$query",
        "/lines/{order_id},{number}",
        "/rpc/place_order",
        "/rpc/rich",
        "/$tx",
    ] {
        assert!(paths.contains_key(path), "{path}");
    }
    let text = document.to_string();
    for hidden in ["secrets", "internal_note", "hidden_routine"] {
        assert!(!text.contains(hidden), "{hidden}");
    }
    assert!(paths["/rpc/place_order"].get("get").is_none(), "it changes something");
    assert!(
        paths["/order_totals"].get("post").is_none(),
        "a view that can't be written"
    );
    assert!(
        !paths.keys().any(|path| path.starts_with("/order_totals/{")),
        "a view without a key"
    );
    let new = &document["components"]["schemas"]["customers.new"];
    assert_eq!(new["required"], json!(["name", "balance", "owner"]));
}
