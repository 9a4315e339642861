/// Whether a text of a configuration can be a field's value (RFC 9110 §5.5): nothing that a line can't hold, and no
/// space around it that a recipient would drop.
pub(crate) fn is_field_value(text: &str) -> bool {
    text.trim() == text
        && !text
            .chars()
            .any(|character| character.is_control() && character != '\t')
}
