//! SecLang, the rule language of ModSecurity, as far as the OWASP Core Rule Set and rules like it use it.
//!
//! [`load`] reads rule files and compiles them to a [`RuleSet`], which is shared; a [`Transaction`] leads one request through
//! its phases. Nothing is kept from one request to another: collections such as `IP` are empty.
//!
//! Most rules look for words in arguments, and most requests hold none of them. So all words of all rules are looked for at
//! once in each value, and a rule is asked only where what it needs is there; values that transformations leave alone are not
//! copied. Patterns run without backtracking, in time that is linear in the text, and [`Transaction::new`] limits how much may
//! be looked at in all.

mod lines;
mod load;

mod action;
mod draft;
mod operator;
mod pattern;
mod pcre;
mod template;
mod variable;

mod build;
mod bytes;
mod required;
mod rules;

mod body;
mod collect;
mod effects;
mod evaluate;
mod facts;
mod texts;
mod transaction;
mod transform;

pub use lines::{Place, Problem};
pub use load::{Acting, Options, Source, load};
pub use rules::RuleSet;
pub use transaction::{Ends, Hit, Refusal, Transaction};

#[cfg(test)]
mod tests;
