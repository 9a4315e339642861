//! Quantities, written out with their units.
//!
//! Each is a text in the file, is written back in the same form, and says in its error what it would have understood.

mod byte_size;
mod duration;
mod moment;
mod percent;
mod quota;

pub use byte_size::ByteSize;
pub use duration::Duration;
pub use moment::Moment;
pub use percent::Percent;
pub use quota::Quota;

/// Gives a type whose form in the file is a text its `Serialize`, `Deserialize` and `JsonSchema`, all three from its
/// `Display` and `FromStr`, so that they can't disagree.
macro_rules! written_as_text {
    ($type:ident, $format:literal, $pattern:expr, [$($example:literal),+]) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'_, str> as serde::Deserialize>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        impl schemars::JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({
                    "type": "string",
                    "format": $format,
                    "pattern": $pattern,
                    "examples": [$($example),+],
                })
            }

            fn inline_schema() -> bool {
                true
            }
        }
    };
}
pub(crate) use written_as_text;

/// Splits a text into its leading decimal digits and the rest.
fn leading_number(text: &str) -> (&str, &str) {
    text.split_at(text.bytes().take_while(u8::is_ascii_digit).count())
}
