//! Reads an expression into a tree.

use serde_json::{Value, json};

/// An expression.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Expression {
    Literal(Value),
    Name(String),
    List(Vec<Self>),
    Map(Vec<(Self, Self)>),
    Field(Box<Self>, String),
    Index(Box<Self>, Box<Self>),
    Call(Option<Box<Self>>, String, Vec<Self>),
    Not(Box<Self>),
    Minus(Box<Self>),
    Binary(Operator, Box<Self>, Box<Self>),
    Choice(Box<Self>, Box<Self>, Box<Self>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Or,
    And,
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    Plus,
    Minus,
    Times,
    By,
    Modulo,
}

/// By how strongly they bind, weakest first.
const LEVELS: [&[(&str, Operator)]; 5] = [
    &[("||", Operator::Or)],
    &[("&&", Operator::And)],
    &[
        ("==", Operator::Equal),
        ("!=", Operator::Unequal),
        ("<=", Operator::LessOrEqual),
        (">=", Operator::GreaterOrEqual),
        ("<", Operator::Less),
        (">", Operator::Greater),
        ("in", Operator::In),
    ],
    &[("+", Operator::Plus), ("-", Operator::Minus)],
    &[
        ("*", Operator::Times),
        ("/", Operator::By),
        ("%", Operator::Modulo),
    ],
];

/// Nested deeper than this, nobody means it.
const DEEPEST: usize = 200;

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Literal(Value),
    Word(String),
    Sign(&'static str),
}

const SIGNS: [&str; 22] = [
    "||", "&&", "==", "!=", "<=", ">=", "<", ">", "+", "-", "*", "/", "%", "!", "?", ":", ".", ",",
    "(", ")", "[", "]",
];

/// Reads an expression.
pub(super) fn parse(text: &str) -> Result<Expression, String> {
    let mut reader = Reader {
        tokens: tokens(text)?,
        at: 0,
        depth: 0,
    };
    let expression = reader.expression()?;
    match reader.peek() {
        None => Ok(expression),
        Some(token) => Err(unexpected(Some(token))),
    }
}

fn unexpected(token: Option<&Token>) -> String {
    match token {
        None => "syntax error: unexpected end".to_owned(),
        Some(Token::Literal(value)) => format!("syntax error: unexpected {value}"),
        Some(Token::Word(word)) => format!("syntax error: unexpected '{word}'"),
        Some(Token::Sign(sign)) => format!("syntax error: unexpected '{sign}'"),
    }
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (token, after) = if matches!(first, '"' | '\'') {
            quoted(rest, first)?
        } else if first.is_ascii_digit() {
            numeric(rest)?
        } else if first.is_alphabetic() || first == '_' {
            let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_'));
            let (word, after) = rest.split_at(end.unwrap_or(rest.len()));
            (word_token(word), after)
        } else {
            let sign = SIGNS
                .iter()
                .chain(&["{", "}"])
                .find(|sign| rest.starts_with(**sign));
            let sign = sign.ok_or_else(|| format!("syntax error: unexpected {first:?}"))?;
            (Token::Sign(sign), rest.split_at(sign.len()).1)
        };
        tokens.push(token);
        rest = after.trim_start();
    }
    Ok(tokens)
}

fn word_token(word: &str) -> Token {
    match word {
        "true" => Token::Literal(json!(true)),
        "false" => Token::Literal(json!(false)),
        "null" => Token::Literal(Value::Null),
        "in" => Token::Sign("in"),
        word => Token::Word(word.to_owned()),
    }
}

fn numeric(rest: &str) -> Result<(Token, &str), String> {
    let end = rest.find(|c: char| !(c.is_ascii_digit() || c == '.'));
    let (digits, after) = rest.split_at(end.unwrap_or(rest.len()));
    let number = match (digits.parse::<i64>(), digits.parse::<f64>()) {
        (Ok(whole), _) => json!(whole),
        (Err(_), Ok(number)) => json!(number),
        (Err(_), Err(_)) => return Err(format!("syntax error: {digits} is not a number")),
    };
    Ok((Token::Literal(number), after))
}

fn quoted(rest: &str, quote: char) -> Result<(Token, &str), String> {
    let mut text = String::new();
    let mut letters = rest.char_indices().skip(1);
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\\' => match letters.next() {
                Some((_, 'n')) => text.push('\n'),
                Some((_, 't')) => text.push('\t'),
                Some((_, escaped)) => text.push(escaped),
                None => break,
            },
            letter if letter == quote => {
                let after = rest.split_at(at + quote.len_utf8()).1;
                return Ok((Token::Literal(json!(text)), after));
            }
            letter => text.push(letter),
        }
    }
    Err("syntax error: a text is not closed".to_owned())
}

struct Reader {
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
}

impl Reader {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn next(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        token
    }

    fn takes(&mut self, sign: &str) -> bool {
        let is_next = matches!(self.peek(), Some(Token::Sign(next)) if *next == sign);
        if is_next {
            self.at += 1;
        }
        is_next
    }

    fn expect(&mut self, sign: &str) -> Result<(), String> {
        if self.takes(sign) {
            return Ok(());
        }
        Err(unexpected(self.peek()))
    }

    fn expression(&mut self) -> Result<Expression, String> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err("the expression is nested too deeply".to_owned());
        }
        let condition = self.binary(0)?;
        let whole = if self.takes("?") {
            let yes = self.expression()?;
            self.expect(":")?;
            let no = self.expression()?;
            Expression::Choice(Box::new(condition), Box::new(yes), Box::new(no))
        } else {
            condition
        };
        self.depth -= 1;
        Ok(whole)
    }

    fn binary(&mut self, level: usize) -> Result<Expression, String> {
        let Some(operators) = LEVELS.get(level) else {
            return self.unary();
        };
        let mut left = self.binary(level + 1)?;
        while let Some((_, operator)) = operators.iter().find(|(sign, _)| self.takes(sign)) {
            let right = self.binary(level + 1)?;
            left = Expression::Binary(*operator, Box::new(left), Box::new(right));
        }
        Ok(left)
    }

    fn unary(&mut self) -> Result<Expression, String> {
        let wrap: fn(Box<Expression>) -> Expression = if self.takes("!") {
            Expression::Not
        } else if self.takes("-") {
            Expression::Minus
        } else {
            return self.member();
        };
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err("the expression is nested too deeply".to_owned());
        }
        let inner = self.unary()?;
        self.depth -= 1;
        Ok(wrap(Box::new(inner)))
    }

    fn member(&mut self) -> Result<Expression, String> {
        let mut of = self.primary()?;
        loop {
            if self.takes(".") {
                let Some(Token::Word(name)) = self.next() else {
                    return Err("syntax error: a name is missing after '.'".to_owned());
                };
                of = if self.takes("(") {
                    let arguments = self.list(")")?;
                    Expression::Call(Some(Box::new(of)), name, arguments)
                } else {
                    Expression::Field(Box::new(of), name)
                };
            } else if self.takes("[") {
                let index = self.expression()?;
                self.expect("]")?;
                of = Expression::Index(Box::new(of), Box::new(index));
            } else {
                return Ok(of);
            }
        }
    }

    fn primary(&mut self) -> Result<Expression, String> {
        match self.next() {
            Some(Token::Literal(value)) => Ok(Expression::Literal(value)),
            Some(Token::Word(name)) if self.takes("(") => {
                Ok(Expression::Call(None, name, self.list(")")?))
            }
            Some(Token::Word(name)) => Ok(Expression::Name(name)),
            Some(Token::Sign("(")) => {
                let inner = self.expression()?;
                self.expect(")")?;
                Ok(inner)
            }
            Some(Token::Sign("[")) => Ok(Expression::List(self.list("]")?)),
            Some(Token::Sign("{")) => self.map(),
            token @ (Some(Token::Sign(_)) | None) => Err(unexpected(token.as_ref())),
        }
    }

    fn list(&mut self, end: &str) -> Result<Vec<Expression>, String> {
        let mut items = Vec::new();
        while !self.takes(end) {
            items.push(self.expression()?);
            if !self.takes(",") {
                self.expect(end)?;
                break;
            }
        }
        Ok(items)
    }

    fn map(&mut self) -> Result<Expression, String> {
        let mut entries = Vec::new();
        while !self.takes("}") {
            let key = self.expression()?;
            self.expect(":")?;
            entries.push((key, self.expression()?));
            if !self.takes(",") {
                self.expect("}")?;
                break;
            }
        }
        Ok(Expression::Map(entries))
    }
}
