//! A place in a parameter's text, and the smallest parts of the grammar: names, quoted texts, paths into JSON, lists.

use super::{Budget, Field, Parsed};
use crate::grammar::shown;
use crate::query::Step;

/// A place in a text.
#[derive(Debug)]
pub(super) struct Scanner<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Scanner<'t> {
    pub(super) fn new(text: &'t str) -> Scanner<'t> {
        Scanner { text, at: 0 }
    }

    /// What has not been read.
    pub(super) fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    pub(super) fn at_end(&self) -> bool {
        self.at == self.text.len()
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub(super) fn place(&self) -> usize {
        self.at
    }

    /// Goes back to a place that [`Scanner::place`] gave.
    pub(super) fn back_to(&mut self, place: usize) {
        self.at = place;
    }

    /// Reads that word, if it is next.
    pub(super) fn eat(&mut self, word: &str) -> bool {
        let found = self.rest().starts_with(word);
        if found {
            self.at += word.len();
        }
        found
    }

    /// Reads characters for as long as they are of that kind.
    pub(super) fn take_while(&mut self, is_wanted: impl Fn(char) -> bool) -> &'t str {
        let rest = self.rest();
        let length = rest.find(|character| !is_wanted(character)).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    /// Reads blanks.
    pub(super) fn blanks(&mut self) {
        self.take_while(|character| matches!(character, ' ' | '\t'));
    }

    /// Reads that word, which must be next.
    pub(super) fn expect(&mut self, word: &str) -> Parsed<()> {
        if self.eat(word) {
            Ok(())
        } else {
            Err(self.expected(&format!("`{word}`")))
        }
    }

    /// Nothing may follow.
    pub(super) fn expect_end(&self) -> Parsed<()> {
        if self.at_end() {
            Ok(())
        } else {
            Err(self.expected("the end"))
        }
    }

    /// Says what should have stood here.
    pub(super) fn expected(&self, what: &str) -> String {
        if self.at_end() {
            format!("{what} is missing at the end")
        } else {
            format!("{what} is expected where `{}` stands", shown(self.rest()))
        }
    }

    /// Reads a name: in quotes anything, without them letters, digits, `_`, `$`, blanks inside, and `-` where no path
    /// begins with it.
    pub(super) fn name(&mut self) -> Parsed<String> {
        if self.peek() == Some('"') {
            return self
                .quoted()
                .ok_or_else(|| self.expected("a name that ends with a quote"));
        }
        let start = self.at;
        loop {
            self.take_while(|character| character.is_alphanumeric() || matches!(character, '_' | ' ' | '$'));
            if !self.rest().starts_with('-') || self.rest().starts_with("->") {
                break;
            }
            self.at += 1;
        }
        let name = self.text[start..self.at].trim();
        if name.is_empty() {
            return Err(self.expected("a name"));
        }
        Ok(name.to_owned())
    }

    /// Reads a text in quotes, in which a backslash takes the next character as it is. Where it doesn't end, nothing
    /// is read.
    pub(super) fn quoted(&mut self) -> Option<String> {
        let mut text = String::new();
        let mut characters = self.rest().char_indices();
        characters.next().filter(|(_, character)| *character == '"')?;
        while let Some((place, character)) = characters.next() {
            match character {
                '"' => {
                    self.at += place + 1;
                    return Some(text);
                }
                '\\' => text.push(characters.next()?.1),
                other => text.push(other),
            }
        }
        None
    }

    /// Reads a column and a path into it.
    pub(super) fn field(&mut self) -> Parsed<Field> {
        self.blanks();
        let column = self.name()?;
        let (steps, as_text) = self.path()?;
        self.blanks();
        Ok(Field { column, steps, as_text })
    }

    /// Reads `->a->0->>b`.
    pub(super) fn path(&mut self) -> Parsed<(Vec<Step>, bool)> {
        let mut steps = Vec::new();
        let mut as_text = false;
        while self.eat("->") {
            if as_text {
                return Err("`->>` gives text, so that no step can follow it".to_owned());
            }
            as_text = self.eat(">");
            steps.push(self.step()?);
        }
        Ok((steps, as_text))
    }

    fn step(&mut self) -> Parsed<Step> {
        let place = self.at;
        let minus = self.eat("-");
        let digits = self.take_while(|character| character.is_ascii_digit());
        let rest = self.rest();
        let ends = rest.is_empty() || ["->", "::", ".", ",", ")", " "].iter().any(|end| rest.starts_with(end));
        if !digits.is_empty() && ends {
            let index = self.text[place..self.at].parse::<i32>();
            return index
                .map(Step::Item)
                .map_err(|_| "an index in a path is too large".to_owned());
        }
        if minus {
            return Err(self.expected("an index"));
        }
        self.at = place;
        if self.peek() == Some('"') {
            let name = self
                .quoted()
                .ok_or_else(|| self.expected("a name that ends with a quote"))?;
            return Ok(Step::Member(name));
        }
        loop {
            self.take_while(|character| !"(-:.,>)".contains(character));
            if !self.rest().starts_with('-') || self.rest().starts_with("->") {
                break;
            }
            self.at += 1;
        }
        let name = self.text[place..self.at].trim();
        if name.is_empty() {
            return Err(self.expected("a name in a path"));
        }
        Ok(Step::Member(name.to_owned()))
    }

    /// Reads `(a,"b,c",d)`. An item whose quotes don't fit is taken as it is.
    pub(super) fn list(&mut self, budget: &mut Budget) -> Parsed<Vec<String>> {
        self.blanks();
        self.expect("(")?;
        self.blanks();
        let mut items = Vec::new();
        if !self.eat(")") {
            loop {
                let item = match self.quoted_item() {
                    Some(item) => item,
                    None => self.take_while(|character| !",)".contains(character)).to_owned(),
                };
                budget.value(&item)?;
                budget.listed()?;
                items.push(item);
                if self.eat(")") {
                    break;
                }
                self.expect(",")?;
            }
        }
        self.blanks();
        Ok(items)
    }

    /// Reads a text in quotes that is a whole item: only `,`, `)` or the end follow.
    pub(super) fn quoted_item(&mut self) -> Option<String> {
        let place = self.at;
        let item = self.quoted();
        if item.is_some() && matches!(self.peek(), None | Some(',' | ')')) {
            return item;
        }
        self.at = place;
        None
    }
}

/// What the placeholder `{consumer}` or `{claims.NAME}` names, where the text begins with one; and what follows it.
pub(in crate::grammar) fn placeholder(text: &str) -> Option<(&str, &str)> {
    let (name, rest) = text.strip_prefix('{')?.split_once('}')?;
    let is_one = name == "consumer" || name.strip_prefix("claims.").is_some_and(|claim| !claim.is_empty());
    is_one.then_some((name, rest))
}

/// Splits a text at commas outside of quotes, as the key of a row in a path and `union` have it.
pub(in crate::grammar) fn split_list(text: &str) -> Parsed<Vec<String>> {
    let mut scanner = Scanner::new(text);
    let mut items = Vec::new();
    loop {
        let item = match scanner.quoted_item() {
            Some(item) => item,
            None => scanner.take_while(|character| character != ',').to_owned(),
        };
        items.push(item);
        if scanner.at_end() {
            return Ok(items);
        }
        scanner.expect(",")?;
    }
}

#[cfg(test)]
mod tests {
    use super::Scanner;
    use crate::api::Limits;
    use crate::grammar::syntax::Budget;

    #[test]
    fn names_end_where_the_grammar_goes_on() {
        for (text, name, rest) in [
            ("id", Some("id"), ""),
            ("identifier with spaces,b", Some("identifier with spaces"), ",b"),
            ("field-with_sep", Some("field-with_sep"), ""),
            ("a->b", Some("a"), "->b"),
            ("a-b->c", Some("a-b"), "->c"),
            ("$resource", Some("$resource"), ""),
            (" no blanks ", Some("no blanks"), ""),
            ("\" with blanks \"", Some(" with blanks "), ""),
            ("\"a.b\".eq", Some("a.b"), ".eq"),
            (r#""a\"b\\c""#, Some(r#"a"b\c"#), ""),
            ("موارد", Some("موارد"), ""),
            (":", None, ":"),
            ("", None, ""),
            ("\"open", None, "\"open"),
            ("(", None, "("),
        ] {
            let mut scanner = Scanner::new(text);
            assert_eq!(scanner.name().ok().as_deref(), name, "{text}");
            assert_eq!(scanner.rest(), rest, "{text}");
        }
    }

    #[test]
    fn paths_have_members_and_items() {
        for (text, expected) in [
            ("->text", "[Member(\"text\")] false"),
            ("->!@#$%^&*_a", "[Member(\"!@#$%^&*_a\")] false"),
            ("->1", "[Item(1)] false"),
            ("->>text", "[Member(\"text\")] true"),
            ("->>1", "[Item(1)] true"),
            ("->-3", "[Item(-3)] false"),
            ("->a-b->>c", "[Member(\"a-b\"), Member(\"c\")] true"),
            (
                "->0xy1->1->23-xy-45",
                "[Member(\"0xy1\"), Item(1), Member(\"23-xy-45\")] false",
            ),
            ("->\"a.b\"", "[Member(\"a.b\")] false"),
            ("", "[] false"),
        ] {
            let (steps, as_text) = Scanner::new(text).path().expect(text);
            assert_eq!(format!("{steps:?} {as_text}"), expected, "{text}");
        }
        for text in ["->", "->>--34", "->>-xy-4", "->>a->b", "->(a", "->99999999999"] {
            assert!(Scanner::new(text).path().is_err(), "{text}");
        }
    }

    #[test]
    fn lists_are_split_at_commas_outside_of_quotes() {
        for (text, expected) in [
            ("()", Some(vec![])),
            ("(    )", Some(vec![])),
            ("(a)", Some(vec!["a"])),
            ("(a,b)", Some(vec!["a", "b"])),
            ("(a,)", Some(vec!["a", ""])),
            ("( 1, 2 )", Some(vec!["1", " 2 "])),
            (r#"("a,b","c\"d",e)"#, Some(vec!["a,b", "c\"d", "e"])),
            (r#"("a"b)"#, Some(vec!["\"a\"b"])),
            (r#"(")"#, Some(vec!["\""])),
            (r"(\)", Some(vec![r"\"])),
            ("a,b", None),
            ("(", None),
            ("", None),
        ] {
            let items = Scanner::new(text).list(&mut Budget::new(&Limits::default()));
            let expected = expected.map(|items: Vec<&str>| items.into_iter().map(str::to_owned).collect::<Vec<_>>());
            assert_eq!(items.ok(), expected, "{text}");
        }
    }
}
