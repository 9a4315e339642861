//! `portcullis explain`: which route answers a request, and why the others don't.

mod live;

use std::path::PathBuf;
use std::process::ExitCode;

use portcullis_core::Method;
use serde_json::Value;

pub(super) use self::live::of_gate;
use super::{check, complain, print};
use crate::explain::{Asked, answer, in_words, question};
use crate::source::Source;

/// What to ask for.
pub(super) struct Wish {
    pub(super) asked: Asked,
    pub(super) file: PathBuf,
    /// Whether a running gate is asked, and which one: the one that the file tells unless a URL is given.
    pub(super) live: Option<String>,
    pub(super) all: bool,
    pub(super) json: bool,
}

/// `portcullis explain`.
pub(super) fn run(wish: Wish) -> ExitCode {
    let json = wish.json;
    match explained(wish) {
        Ok(answer) => {
            if json {
                print(&format!("{answer:#}\n"));
            } else {
                print(&in_words(&answer));
            }
            match answer["claimed"].is_object() {
                true => ExitCode::SUCCESS,
                false => ExitCode::FAILURE,
            }
        }
        Err(why) => {
            complain(&why);
            ExitCode::FAILURE
        }
    }
}

fn explained(wish: Wish) -> Result<Value, String> {
    let question = question(&wish.asked)?;
    let warning = meant(&question.method).map(|known| {
        format!(
            "warning: methods are case-sensitive, and `{}` is none that is known: did you mean {known}?",
            question.method
        )
    });
    let answer = match &wish.live {
        Some(url) => live::ask(url, &wish.file, &wish.asked, wish.all)?,
        None => {
            let outcome = check::compiled(&Source::file(wish.file)).outcome;
            let snapshot = outcome.map_err(|problems| problems.to_string())?;
            answer(&snapshot, &question, wish.all, None)
        }
    };
    if let Some(warning) = warning {
        complain(&warning);
    }
    Ok(answer)
}

/// The known method that a method in other letters is taken for.
fn meant(method: &Method) -> Option<Method> {
    let upper = method.as_str().to_ascii_uppercase();
    match (method, Method::from_token(&upper)) {
        (Method::Other(_), Method::Other(_)) => None,
        (Method::Other(_), known) => Some(known),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_method_in_other_letters_is_told() {
        let meant = |token: &str| meant(&Method::from_token(token));
        assert_eq!((meant("get"), meant("Post")), (Some(Method::Get), Some(Method::Post)));
        assert_eq!((meant("GET"), meant("brew"), meant("BREW")), (None, None, None));
    }
}
