//! Types of columns, from their names.

use portcullis_tables::schema::{Engine, Type};

/// The type of that name (`int`), declared so (`int(11) unsigned`).
pub(super) fn of(name: &str, declared: &str) -> Type {
    let integer = |bytes| Type::Integer {
        bytes,
        unsigned: declared.contains("unsigned"),
    };
    match name.to_ascii_lowercase().as_str() {
        // That is what BOOLEAN is another name for.
        "tinyint" if declared == "tinyint(1)" => Type::Boolean,
        "bit" if declared == "bit(1)" => Type::Boolean,
        "bit" => Type::Integer {
            bytes: 8,
            unsigned: true,
        },
        "tinyint" => integer(1),
        "smallint" => integer(2),
        "mediumint" => integer(3),
        "int" | "integer" => integer(4),
        "bigint" => integer(8),
        "year" => Type::Integer {
            bytes: 2,
            unsigned: true,
        },
        "float" | "double" | "real" => Type::Real,
        "decimal" | "numeric" => Type::Decimal,
        "char" | "varchar" | "tinytext" | "text" | "mediumtext" | "longtext" | "set" => Type::Text,
        "binary" | "varbinary" | "tinyblob" | "blob" | "mediumblob" | "longblob" => Type::Bytes,
        "enum" => Type::Enumeration(words(declared)),
        "date" => Type::Date,
        "time" => Type::Time,
        "datetime" => Type::Timestamp,
        // It is stored as a moment, and shown in the session's time zone.
        "timestamp" => Type::Moment,
        "json" => Type::Json { binary: true },
        "uuid" => Type::Uuid,
        _ => Type::Other,
    }
}

/// The type of an argument. MariaDB knows JSON as a word for text only.
pub(super) fn argument(engine: Engine, name: &str, declared: &str) -> Type {
    match of(name, declared) {
        Type::Json { .. } if engine == Engine::MariaDb => Type::Json { binary: false },
        kind => kind,
    }
}

/// Characters at the most. The limits of the types for long texts are bytes, and beyond what is sent at once.
pub(super) fn max_length(name: &str, characters: Option<u64>) -> Option<u32> {
    let characters = characters.filter(|_| matches!(name.to_ascii_lowercase().as_str(), "char" | "varchar"))?;
    u32::try_from(characters).ok()
}

/// The words of `enum('a','it''s')`.
fn words(declared: &str) -> Vec<String> {
    let list = declared
        .split_once('(')
        .and_then(|(_, rest)| rest.strip_suffix(')'))
        .unwrap_or_default();
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut characters = list.chars().peekable();
    while let Some(character) = characters.next() {
        match (&mut word, character) {
            (Some(open), '\'') if characters.peek() == Some(&'\'') => {
                characters.next();
                open.push('\'');
            }
            (Some(_), '\'') => words.extend(word.take()),
            (Some(open), character) => open.push(character),
            (None, '\'') => word = Some(String::new()),
            (None, _) => {}
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_told_by_name_and_declaration() {
        let integer = |bytes, unsigned| Type::Integer { bytes, unsigned };
        for (name, declared, expected) in [
            ("tinyint", "tinyint(1)", Type::Boolean),
            ("tinyint", "tinyint(4)", integer(1, false)),
            ("tinyint", "tinyint(1) unsigned", integer(1, true)),
            ("mediumint", "mediumint(9)", integer(3, false)),
            ("bigint", "bigint(20) unsigned", integer(8, true)),
            ("bit", "bit(1)", Type::Boolean),
            ("bit", "bit(12)", integer(8, true)),
            ("decimal", "decimal(10,2)", Type::Decimal),
            ("varchar", "varchar(20)", Type::Text),
            ("varbinary", "varbinary(20)", Type::Bytes),
            ("datetime", "datetime(6)", Type::Timestamp),
            ("timestamp", "timestamp", Type::Moment),
            ("point", "point", Type::Other),
        ] {
            assert_eq!(of(name, declared), expected, "{declared}");
        }
    }

    #[test]
    fn the_words_of_an_enumeration_are_read() {
        assert_eq!(words("enum('new','it''s, so','')"), ["new", "it's, so", ""]);
        assert!(words("enum()").is_empty());
    }

    #[test]
    fn only_short_texts_have_a_length() {
        assert_eq!(max_length("varchar", Some(20)), Some(20));
        assert_eq!(max_length("longtext", Some(4_294_967_295)), None);
    }
}
