//! The macros over lists and maps.

use super::{Checker, Comprehension, Node, Quantity, Typed, a};
use crate::problem::Problem;
use crate::syntax::{Expression, Form};
use crate::types::Type;

impl Checker<'_> {
    /// A macro, if the call is one.
    pub(super) fn comprehension(
        &mut self,
        at: usize,
        range: &Expression,
        function: &str,
        arguments: &[Expression],
    ) -> Result<Option<Typed>, Problem> {
        let (quantity, variables, filter, body) = match (function, arguments) {
            ("all", [variable, body]) => (Quantity::All, [Some(variable), None], None, body),
            ("exists", [variable, body]) => (Quantity::Exists, [Some(variable), None], None, body),
            ("exists_one" | "existsOne", [variable, body]) => (Quantity::ExistsOne, [Some(variable), None], None, body),
            ("map", [variable, body]) => (Quantity::Map, [Some(variable), None], None, body),
            ("map", [variable, filter, body]) => (Quantity::Map, [Some(variable), None], Some(filter), body),
            ("filter", [variable, body]) => (Quantity::Filter, [Some(variable), None], None, body),
            ("all", [one, other, body]) => (Quantity::All, [Some(one), Some(other)], None, body),
            ("exists", [one, other, body]) => (Quantity::Exists, [Some(one), Some(other)], None, body),
            ("exists_one" | "existsOne", [one, other, body]) => {
                (Quantity::ExistsOne, [Some(one), Some(other)], None, body)
            }
            _ => return Ok(None),
        };
        let at_range = range.at;
        let range = self.check(range)?;
        let (first, second) = match &range.r#type {
            Type::Dyn => (Type::Dyn, Type::Dyn),
            Type::Map(key, value) => ((**key).clone(), (**value).clone()),
            Type::List(element) if variables[1].is_some() => (Type::Int, (**element).clone()),
            Type::List(element) => ((**element).clone(), Type::Dyn),
            other => {
                let message = format!("`{function}` goes through a list or a map, and this is {}", a(other));
                return Err(Problem::new(at_range, message));
            }
        };
        let place = self.locals.len();
        for (variable, r#type) in variables.into_iter().flatten().zip([first.clone(), second]) {
            let Form::Name { name, absolute: false } = &variable.form else {
                let message = format!("`{function}` takes a name for the elements first");
                return Err(Problem::new(variable.at, message));
            };
            self.locals.push((name.clone(), r#type));
        }
        let filter = filter.map(|filter| self.boolean(filter, function)).transpose()?;
        let (body, r#type) = match quantity {
            Quantity::Map => {
                let body = self.check(body)?;
                (body.node, Type::list(body.r#type))
            }
            Quantity::Filter => (self.boolean(body, function)?, Type::list(first)),
            Quantity::All | Quantity::Exists | Quantity::ExistsOne => (self.boolean(body, function)?, Type::Bool),
        };
        if self.locals.len() == place + 2 && self.locals[place].0 == self.locals[place + 1].0 {
            return Err(Problem::new(at, format!("`{function}` takes two different names")));
        }
        self.locals.truncate(place);
        let comprehension = Comprehension {
            quantity,
            range: range.node,
            place,
            paired: variables[1].is_some(),
            filter,
            body,
        };
        Ok(Some(Typed::new(Node::Comprehension(comprehension.into()), r#type)))
    }
}
