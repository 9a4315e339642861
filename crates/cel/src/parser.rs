//! From tokens to an [`Expression`], within limits of size and nesting.

use crate::lexer::{self, Token, TokenKind};
use crate::problem::Problem;
use crate::syntax::{Binary, Expression, Form, Literal, Logical, Unary};

/// The most bytes that an expression may have. A person writes a few hundred.
pub const MAX_LENGTH: usize = 16 * 1024;

/// How deep parentheses, brackets and calls may be nested. What follows walks expressions by recursion.
const MAX_NESTING: usize = 48;

/// How high the tree of an expression may be: nesting, and operators in a row.
const MAX_HEIGHT: usize = 160;

/// Words that the language keeps for itself; they can name fields, but nothing else.
const RESERVED: &[&str] = &[
    "as",
    "break",
    "const",
    "continue",
    "else",
    "false",
    "for",
    "function",
    "if",
    "import",
    "in",
    "let",
    "loop",
    "namespace",
    "null",
    "package",
    "return",
    "true",
    "var",
    "void",
    "while",
];

/// Reads an expression.
///
/// # Errors
/// When the text is none, is longer than [`MAX_LENGTH`], or is nested too deep.
pub fn parse(text: &str) -> Result<Expression, Problem> {
    if text.len() > MAX_LENGTH {
        return Err(Problem::new(0, format!("an expression has at most {MAX_LENGTH} bytes")));
    }
    let mut parser = Parser {
        tokens: lexer::tokens(text)?,
        next: 0,
        nesting: 0,
    };
    let expression = parser.expression()?;
    match parser.peek() {
        TokenKind::End => Ok(expression),
        _ => Err(parser.unexpected("the end of the expression or an operator")),
    }
}

struct Parser {
    tokens: Vec<Token>,
    next: usize,
    nesting: usize,
}

impl Parser {
    fn peek(&self) -> &TokenKind {
        &self.tokens[self.next].kind
    }

    fn at(&self) -> usize {
        self.tokens[self.next].at
    }

    /// The token, which stays the last one once that is reached.
    fn advance(&mut self) -> TokenKind {
        let kind = self.peek().clone();
        self.next = (self.next + 1).min(self.tokens.len() - 1);
        kind
    }

    fn has(&mut self, mark: &str) -> bool {
        let found = self.sees(mark);
        if found {
            self.advance();
        }
        found
    }

    fn sees(&self, mark: &str) -> bool {
        matches!(self.peek(), TokenKind::Mark(found) if *found == mark)
    }

    fn expect(&mut self, mark: &str) -> Result<(), Problem> {
        if self.has(mark) {
            Ok(())
        } else {
            Err(self.unexpected(&format!("`{mark}`")))
        }
    }

    fn unexpected(&self, expected: &str) -> Problem {
        let found = match self.peek() {
            TokenKind::End => "the end".to_owned(),
            TokenKind::Mark(mark) => format!("`{mark}`"),
            TokenKind::Name(name) => format!("`{name}`"),
            TokenKind::Quoted(_) => "a name in backticks".to_owned(),
            TokenKind::String(_) | TokenKind::Bytes(_) => "a string".to_owned(),
            TokenKind::Int(..) | TokenKind::Uint(_) | TokenKind::Double(_) => "a number".to_owned(),
        };
        Problem::new(self.at(), format!("here {expected} is expected, not {found}"))
    }

    /// `a ? b : c`, and all that binds tighter.
    fn expression(&mut self) -> Result<Expression, Problem> {
        if self.nesting == MAX_NESTING {
            return Err(Problem::new(self.at(), "the expression is nested too deep"));
        }
        self.nesting += 1;
        let at = self.at();
        let condition = self.logical(Logical::Or)?;
        let expression = if self.has("?") {
            let then = self.logical(Logical::Or)?;
            self.expect(":")?;
            let otherwise = self.expression()?;
            let heights = [condition.height, then.height, otherwise.height];
            build(
                at,
                &heights,
                Form::Conditional {
                    condition: condition.into(),
                    then: then.into(),
                    otherwise: otherwise.into(),
                },
            )?
        } else {
            condition
        };
        self.nesting -= 1;
        Ok(expression)
    }

    fn logical(&mut self, operator: Logical) -> Result<Expression, Problem> {
        let operand = |parser: &mut Parser| match operator {
            Logical::Or => parser.logical(Logical::And),
            Logical::And => parser.binary(3),
        };
        let first = operand(self)?;
        if !self.sees(operator.symbol()) {
            return Ok(first);
        }
        let at = first.at;
        let mut operands = vec![first];
        while self.has(operator.symbol()) {
            operands.push(operand(self)?);
        }
        let highest = operands.iter().map(|operand| operand.height).max().unwrap_or_default();
        build(at, &[highest], Form::Logical { operator, operands })
    }

    /// Operators that bind at least as tight as given; all of them group to the left.
    fn binary(&mut self, tightness: u8) -> Result<Expression, Problem> {
        let mut left = self.unary()?;
        while let Some(operator) = self
            .binary_operator()
            .filter(|operator| operator.tightness() >= tightness)
        {
            let at = self.at();
            self.advance();
            let right = self.binary(operator.tightness() + 1)?;
            let heights = [left.height, right.height];
            left = build(
                at,
                &heights,
                Form::Binary {
                    operator,
                    left: left.into(),
                    right: right.into(),
                },
            )?;
        }
        Ok(left)
    }

    fn binary_operator(&self) -> Option<Binary> {
        Some(match self.peek() {
            TokenKind::Name(name) if name == "in" => Binary::In,
            TokenKind::Mark(mark) => match *mark {
                "==" => Binary::Equal,
                "!=" => Binary::Unequal,
                "<" => Binary::Less,
                "<=" => Binary::LessOrEqual,
                ">" => Binary::Greater,
                ">=" => Binary::GreaterOrEqual,
                "+" => Binary::Add,
                "-" => Binary::Subtract,
                "*" => Binary::Multiply,
                "/" => Binary::Divide,
                "%" => Binary::Remainder,
                _ => return None,
            },
            _ => return None,
        })
    }

    fn unary(&mut self) -> Result<Expression, Problem> {
        let mut operators = Vec::new();
        while self.sees("!") || self.sees("-") {
            let at = self.at();
            let operator = if self.has("!") {
                Unary::Not
            } else {
                self.advance();
                Unary::Negate
            };
            operators.push((at, operator));
        }
        let is_number = matches!(self.peek(), TokenKind::Int(..) | TokenKind::Double(_));
        // The smallest int can only be written with its sign.
        let negative = is_number && operators.last().is_some_and(|(_, operator)| *operator == Unary::Negate);
        if negative {
            operators.pop();
        }
        let mut expression = self.member(negative)?;
        for (at, operator) in operators.into_iter().rev() {
            let height = expression.height;
            let operand = expression.into();
            expression = build(at, &[height], Form::Unary { operator, operand })?;
        }
        Ok(expression)
    }

    fn member(&mut self, negative: bool) -> Result<Expression, Problem> {
        let mut expression = self.primary(negative)?;
        loop {
            let at = self.at();
            if self.has("[") {
                let index = self.expression()?;
                self.expect("]")?;
                let heights = [expression.height, index.height];
                let of = expression.into();
                expression = build(
                    at,
                    &heights,
                    Form::Index {
                        of,
                        index: index.into(),
                    },
                )?;
            } else if self.has(".") {
                expression = self.selected(expression)?;
            } else {
                return Ok(expression);
            }
        }
    }

    /// A field or method, behind the dot.
    fn selected(&mut self, of: Expression) -> Result<Expression, Problem> {
        let at = self.at();
        let height = of.height;
        match self.peek().clone() {
            TokenKind::Quoted(field) => {
                self.advance();
                build(at, &[height], Form::Select { of: of.into(), field })
            }
            TokenKind::Name(name) if !matches!(name.as_str(), "true" | "false" | "null" | "in") => {
                self.advance();
                if self.has("(") {
                    return self.call(at, Some(of), name);
                }
                let (of, field) = (of.into(), name);
                build(at, &[height], Form::Select { of, field })
            }
            _ => Err(self.unexpected("the name of a field or method")),
        }
    }

    /// A call, behind the opening parenthesis.
    fn call(&mut self, at: usize, of: Option<Expression>, function: String) -> Result<Expression, Problem> {
        let arguments = self.list(")")?;
        let heights: Vec<_> = of.iter().chain(&arguments).map(|argument| argument.height).collect();
        build(
            at,
            &heights,
            Form::Call {
                of: of.map(Box::new),
                function,
                arguments,
            },
        )
    }

    fn primary(&mut self, negative: bool) -> Result<Expression, Problem> {
        let at = self.at();
        let literal = |literal| build(at, &[], Form::Literal(literal));
        match self.peek().clone() {
            TokenKind::Int(digits, hexadecimal) => {
                self.advance();
                let signed = format!("{}{digits}", if negative { "-" } else { "" });
                match i64::from_str_radix(&signed, if hexadecimal { 16 } else { 10 }) {
                    Ok(number) => literal(Literal::Int(number)),
                    Err(_) => Err(Problem::new(at, "the number is too large for an int")),
                }
            }
            TokenKind::Uint(number) => {
                self.advance();
                literal(Literal::Uint(number))
            }
            TokenKind::Double(number) => {
                self.advance();
                literal(Literal::Double(if negative { -number } else { number }))
            }
            TokenKind::String(text) => {
                self.advance();
                literal(Literal::String(text))
            }
            TokenKind::Bytes(bytes) => {
                self.advance();
                literal(Literal::Bytes(bytes))
            }
            TokenKind::Name(name) => {
                self.advance();
                match name.as_str() {
                    "true" => literal(Literal::Bool(true)),
                    "false" => literal(Literal::Bool(false)),
                    "null" => literal(Literal::Null),
                    _ => self.named(at, name, false),
                }
            }
            TokenKind::Mark(".") => {
                self.advance();
                match self.advance() {
                    TokenKind::Name(name) => self.named(at, name, true),
                    _ => Err(Problem::new(at, "a name is expected behind the dot")),
                }
            }
            TokenKind::Mark("(") => {
                self.advance();
                let inner = self.expression()?;
                self.expect(")")?;
                Ok(inner)
            }
            TokenKind::Mark("[") => {
                self.advance();
                let elements = self.list("]")?;
                let heights: Vec<_> = elements.iter().map(|element| element.height).collect();
                build(at, &heights, Form::List(elements))
            }
            TokenKind::Mark("{") => {
                self.advance();
                self.map(at)
            }
            _ => Err(self.unexpected("a value")),
        }
    }

    fn named(&mut self, at: usize, name: String, absolute: bool) -> Result<Expression, Problem> {
        if RESERVED.contains(&name.as_str()) {
            return Err(Problem::new(
                at,
                format!("`{name}` is a word of the language and names nothing"),
            ));
        }
        if self.sees("{") {
            return Err(Problem::new(at, "messages can't be made here, only maps and lists"));
        }
        if !absolute && self.has("(") {
            return self.call(at, None, name);
        }
        build(at, &[], Form::Name { name, absolute })
    }

    /// Expressions separated by commas, up to the closing mark; a comma may be the last.
    fn list(&mut self, end: &str) -> Result<Vec<Expression>, Problem> {
        let mut elements = Vec::new();
        while !self.has(end) {
            elements.push(self.expression()?);
            if !self.has(",") {
                self.expect(end)?;
                break;
            }
            if end == ")" && self.sees(end) {
                return Err(self.unexpected("an argument"));
            }
        }
        Ok(elements)
    }

    fn map(&mut self, at: usize) -> Result<Expression, Problem> {
        let mut entries = Vec::new();
        let mut heights = Vec::new();
        while !self.has("}") {
            let key = self.expression()?;
            self.expect(":")?;
            let value = self.expression()?;
            heights.extend([key.height, value.height]);
            entries.push((key, value));
            if !self.has(",") {
                self.expect("}")?;
                break;
            }
        }
        build(at, &heights, Form::Map(entries))
    }
}

/// An expression over others of those heights.
fn build(at: usize, heights: &[usize], form: Form) -> Result<Expression, Problem> {
    let height = 1 + heights.iter().max().copied().unwrap_or_default();
    if height > MAX_HEIGHT {
        return Err(Problem::new(at, "the expression has too many operators in a row"));
    }
    Ok(Expression { at, height, form })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let parsed = parse(text).unwrap();
        assert_eq!(parsed.to_string(), expected, "{text}");
        assert_eq!(parse(expected).unwrap(), parsed, "{text}");
    }

    #[test]
    fn operators_bind_as_the_language_says() {
        check("a+b*c-d", "a + b * c - d");
        check("(a+b)*c", "(a + b) * c");
        check("a-(b-c)", "a - (b - c)");
        check("a||b&&c||d", "a || b && c || d");
        check("(a||b)||c", "(a || b) || c");
        check("a?b:c?d:e", "a ? b : c ? d : e");
        check("(a?b:c)?(d?e:f):g", "(a ? b : c) ? (d ? e : f) : g");
        check("a in b == c", "a in b == c");
        check("!a.b(c)[d]", "!a.b(c)[d]");
        check("!(a && b)", "!(a && b)");
        check("-9223372036854775808", "-9223372036854775808");
        check("-(1)", "-(1)");
        check("--1", "-(-1)");
        check("-(1).a", "-(1.a)");
        check("(-1).a", "(-1).a");
        check("[1,2,]", "[1, 2]");
        check("{'a':1,}", "{\"a\": 1}");
        check("a.`b-c`.in_", "a.`b-c`.in_");
        check(".a.b", ".a.b");
        check("'\\u0007\"'", "\"\\U00000007\\\"\"");
    }

    #[test]
    fn what_is_no_expression_is_refused_at_its_place() {
        for (text, at) in [
            ("", 0),
            ("a b", 2),
            ("a &&", 4),
            ("(a", 2),
            ("a.", 2),
            ("a.1", 1),
            ("f(a,)", 4),
            ("[,]", 1),
            ("while", 0),
            ("A{b: 1}", 0),
            ("9223372036854775808", 0),
            ("a.true", 2),
            ("a ? b", 5),
        ] {
            assert_eq!(parse(text).unwrap_err().at, at, "{text}");
        }
    }

    #[test]
    fn size_and_nesting_have_limits() {
        for (text, fine) in [
            ("(".repeat(40) + "1" + &")".repeat(40), true),
            ("(".repeat(60) + "1" + &")".repeat(60), false),
            ("[".repeat(8000), false),
            ("1".to_owned() + &"+1".repeat(150), true),
            ("1".to_owned() + &"+1".repeat(200), false),
            ("true".to_owned() + &"||true".repeat(1000), true),
            ("!".repeat(8000) + "true", false),
            ("a".to_owned() + &".a".repeat(8000), false),
            (" ".repeat(MAX_LENGTH) + "1", false),
        ] {
            assert_eq!(parse(&text).is_ok(), fine, "{:.80}", text);
        }
    }
}
