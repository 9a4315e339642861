//! `docs/performance.md` measured anew: each block of it names the command whose output it is.

use std::process::Command;

use crate::process;

const PAGE: &str = "docs/performance.md";
const BEGIN: &str = "<!-- measured by `cargo xtask bench ";
const BEGIN_ENDS: &str = "` -->\n";
const END: &str = "<!-- end of what was measured -->";

/// Runs the commands of all blocks, or of those whose first word is among `names`, and puts what they print into the page. A block
/// whose command fails before it prints a table stays as it is; one that measured less than it must is written, for that is what the
/// page is to say.
///
/// # Errors
/// When the page can't be read or written, has no such block, or a command failed.
pub(super) fn run(names: &[&str]) -> Result<(), String> {
    let path = process::root().join(PAGE);
    let mut text = std::fs::read_to_string(&path).map_err(|failure| format!("{PAGE}: {failure}"))?;
    let commands = commands(&text)?;
    let named = |command: &String| names.is_empty() || names.contains(&first_word(command));
    if let Some(name) = names
        .iter()
        .find(|name| !commands.iter().any(|command| first_word(command) == **name))
    {
        return Err(format!("{PAGE} has no block of `cargo xtask bench {name}`"));
    }
    let mut failures = Vec::new();
    for command in commands.iter().filter(|command| named(command)) {
        let this = std::env::current_exe().map_err(|failure| failure.to_string())?;
        let output = Command::new(this)
            .arg("bench")
            .args(command.split(' '))
            .output()
            .map_err(|failure| failure.to_string())?;
        let said = String::from_utf8_lossy(&output.stdout);
        if !output.status.success() {
            failures.push(format!("{command}: {}", String::from_utf8_lossy(&output.stderr).trim()));
        }
        if let Some(content) = tables(&said) {
            text = replaced(&text, command, content)?;
            // Each is kept as soon as it is there, for the next one may take a while or fail.
            std::fs::write(&path, &text).map_err(|failure| format!("{PAGE}: {failure}"))?;
        }
    }
    if failures.is_empty() {
        Ok(())
    } else {
        Err(failures.join("\n"))
    }
}

fn first_word(command: &str) -> &str {
    command.split(' ').next().unwrap_or_default()
}

/// The commands of all blocks, in the page's order.
fn commands(text: &str) -> Result<Vec<String>, String> {
    let mut commands = Vec::new();
    let mut rest = text;
    while let Some((_, behind)) = rest.split_once(BEGIN) {
        let (command, behind) = behind
            .split_once(BEGIN_ENDS)
            .ok_or_else(|| format!("{PAGE}: the start of a block doesn't end"))?;
        if command.contains('\n') || !behind.contains(END) {
            return Err(format!("{PAGE}: the block of `{command}` doesn't end"));
        }
        commands.push(command.to_owned());
        rest = behind;
    }
    Ok(commands)
}

/// What a command printed, if there is a table in it.
fn tables(said: &str) -> Option<&str> {
    said.contains("\n|").then(|| said.trim())
}

fn replaced(text: &str, command: &str, content: &str) -> Result<String, String> {
    let begin = format!("{BEGIN}{command}{BEGIN_ENDS}");
    let (before, rest) = text
        .split_once(&begin)
        .ok_or_else(|| format!("{PAGE}: the block of `{command}` is gone"))?;
    let (_, behind) = rest
        .split_once(END)
        .ok_or_else(|| format!("{PAGE}: the block of `{command}` doesn't end"))?;
    Ok(format!("{before}{begin}\n{content}\n\n{END}{behind}"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_replaced_and_the_rest_stays() {
        let block = |command: &str, content: &str| format!("{BEGIN}{command}{BEGIN_ENDS}\n{content}\n\n{END}");
        let page = |content: &str| format!("a\n{}\nb\n{}\nc", block("one --rounds 2", content), block("two", "old"));
        let text = page("| old |");
        assert_eq!(commands(&text).unwrap(), ["one --rounds 2", "two"]);
        assert_eq!(replaced(&text, "one --rounds 2", "| new |").unwrap(), page("| new |"));
        assert!(replaced(&text, "three", "").is_err());
        assert!(commands(&format!("{BEGIN}one{BEGIN_ENDS}no end")).is_err());
    }

    #[test]
    fn only_output_with_a_table_is_taken() {
        assert_eq!(tables("today\n| a |\n"), Some("today\n| a |"));
        assert_eq!(tables("nothing was done"), None);
    }
}
