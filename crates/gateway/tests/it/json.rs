//! JSON, for comparisons.

use serde_json::Value;

/// Reads JSON, and shows what came when it is none.
pub(crate) fn json(bytes: impl AsRef<[u8]>) -> Value {
    let bytes = bytes.as_ref();
    serde_json::from_slice(bytes)
        .unwrap_or_else(|failure| panic!("no JSON ({failure}): {:?}", String::from_utf8_lossy(bytes)))
}
