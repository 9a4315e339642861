//! Expressions as they are written, before anything is known of names and types.

mod print;

/// An expression as it is written. Two are equal that mean the same, wherever they stand.
#[derive(Clone, Debug)]
pub struct Expression {
    /// The offset of the byte in the text to which a problem with it points.
    pub(crate) at: usize,
    /// How many expressions are nested in it, itself included.
    pub(crate) height: usize,
    pub(crate) form: Form,
}

impl PartialEq for Expression {
    fn eq(&self, other: &Expression) -> bool {
        self.form == other.form
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Form {
    Literal(Literal),
    /// A name; `absolute` when a dot precedes it, so that it names nothing local.
    Name {
        name: String,
        absolute: bool,
    },
    Select {
        of: Box<Expression>,
        field: String,
    },
    Index {
        of: Box<Expression>,
        index: Box<Expression>,
    },
    Call {
        of: Option<Box<Expression>>,
        function: String,
        arguments: Vec<Expression>,
    },
    List(Vec<Expression>),
    Map(Vec<(Expression, Expression)>),
    Unary {
        operator: Unary,
        operand: Box<Expression>,
    },
    Binary {
        operator: Binary,
        left: Box<Expression>,
        right: Box<Expression>,
    },
    /// Two or more expressions between the same operators.
    Logical {
        operator: Logical,
        operands: Vec<Expression>,
    },
    Conditional {
        condition: Box<Expression>,
        then: Box<Expression>,
        otherwise: Box<Expression>,
    },
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Literal {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Double(f64),
    String(String),
    Bytes(Vec<u8>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unary {
    Not,
    Negate,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Logical {
    Or,
    And,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Binary {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

impl Unary {
    pub(crate) fn symbol(self) -> &'static str {
        match self {
            Unary::Not => "!",
            Unary::Negate => "-",
        }
    }
}

impl Logical {
    pub(crate) fn symbol(self) -> &'static str {
        match self {
            Logical::Or => "||",
            Logical::And => "&&",
        }
    }
}

impl Binary {
    pub(crate) fn symbol(self) -> &'static str {
        match self {
            Binary::Equal => "==",
            Binary::Unequal => "!=",
            Binary::Less => "<",
            Binary::LessOrEqual => "<=",
            Binary::Greater => ">",
            Binary::GreaterOrEqual => ">=",
            Binary::In => "in",
            Binary::Add => "+",
            Binary::Subtract => "-",
            Binary::Multiply => "*",
            Binary::Divide => "/",
            Binary::Remainder => "%",
        }
    }

    /// How tightly it binds: relations, sums, products.
    pub(crate) fn tightness(self) -> u8 {
        match self {
            Binary::Add | Binary::Subtract => 4,
            Binary::Multiply | Binary::Divide | Binary::Remainder => 5,
            _ => 3,
        }
    }
}

impl Expression {
    /// How tightly the expression as a whole binds: the loosest is a conditional, the tightest what needs no parentheses.
    fn tightness(&self) -> u8 {
        match &self.form {
            Form::Conditional { .. } => 0,
            Form::Logical {
                operator: Logical::Or, ..
            } => 1,
            Form::Logical {
                operator: Logical::And, ..
            } => 2,
            Form::Binary { operator, .. } => operator.tightness(),
            Form::Unary { .. } => 6,
            Form::Literal(Literal::Int(number)) if *number < 0 => 6,
            Form::Literal(Literal::Double(number)) if number.is_sign_negative() => 6,
            _ => 7,
        }
    }
}
