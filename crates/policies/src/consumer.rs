//! Consumers as the file describes them.

use portcullis_core::Consumer;

/// The longest name, scope or role.
const LONGEST: usize = 256;

/// A consumer of that name, known by that policy.
///
/// # Errors
/// When its name, a scope or a role can't stand in a field, or not among others with spaces between.
pub(crate) fn consumer(name: &str, by: &'static str, scopes: &[String], roles: &[String]) -> Result<Consumer, String> {
    for word in scopes.iter().chain(roles).map(String::as_str).chain([name]) {
        if !is_word(word) {
            return Err(format!(
                "`{word}` of the consumer `{name}` can't be told to backends: write up to {LONGEST} visible ASCII characters, no spaces"
            ));
        }
    }
    let words = |words: &[String]| words.iter().map(|word| word.as_str().into()).collect();
    let mut consumer = Consumer::new(name, by);
    consumer.scopes = words(scopes);
    consumer.roles = words(roles);
    Ok(consumer)
}

/// Whether this can be a name, scope or role.
pub(crate) fn is_word(word: &str) -> bool {
    !word.is_empty() && word.len() <= LONGEST && word.bytes().all(|byte| byte.is_ascii_graphic())
}
