//! Any bytes are rows of values or refused with a reason, and every row has every column.

#![no_main]

use libfuzzer_sys::fuzz_target;
use portcullis_bench::flow::data::Rows;

fuzz_target!(|input: &[u8]| {
    for read in [Rows::from_csv, Rows::from_json, Rows::from_json_lines] {
        match read(input) {
            Ok(rows) => {
                let columns = rows.columns().len();
                for row in 0..rows.len() {
                    assert!((0..columns).all(|column| rows.get(row, column).is_some()));
                }
                assert!(rows.get(rows.len(), 0).is_none());
            }
            Err(message) => assert!(!message.is_empty(), "what is refused is refused for a reason"),
        }
    }
});
