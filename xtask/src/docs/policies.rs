//! The page of policies, made of their order and of what each file says of itself.

use std::path::Path;
use std::process::Command;

use crate::process;

/// The page of policies: their order with its reasons, by the program, then what each file says of itself.
pub(crate) fn page(binary: &Path) -> Result<String, String> {
    let mut page = process::output(Command::new(binary).args(["reference", "policies"]))?;
    let names: Vec<String> = page.lines().filter_map(named_in_row).collect();
    if names.is_empty() {
        return Err("the program names no policy".to_owned());
    }
    for name in names {
        page.push_str(&format!("\n## {name}\n\n{}", about(&name)?));
    }
    Ok(page)
}

/// The policy in a row such as ``| 1 | `cors` | …``.
fn named_in_row(line: &str) -> Option<String> {
    let mut cells = line.strip_prefix("| ")?.split(" | ");
    cells.next()?.parse::<u32>().ok()?;
    Some(cells.next()?.strip_prefix('`')?.strip_suffix('`')?.to_owned())
}

/// The comment at the top of a policy's file.
fn about(name: &str) -> Result<String, String> {
    let path = process::root().join("crates/policies/src").join(format!("{name}.rs"));
    let text = std::fs::read_to_string(&path).map_err(|failure| format!("{}: {failure}", path.display()))?;
    let mut about = String::new();
    for line in text.lines().map_while(|line| line.strip_prefix("//!")) {
        about.push_str(line.strip_prefix(' ').unwrap_or(line));
        about.push('\n');
    }
    if about.is_empty() {
        Err(format!("{}: says nothing of itself", path.display()))
    } else {
        Ok(about)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_name_their_policy() {
        assert_eq!(named_in_row("| 1 | `cors` | admit | why |").as_deref(), Some("cors"));
        assert_eq!(named_in_row("| | policy | stage | why |"), None);
    }
}
