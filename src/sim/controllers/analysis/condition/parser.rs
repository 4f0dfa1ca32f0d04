//! Makes a tree of a condition, by operator precedence as expr-lang has it.

use super::functions;
use super::lexer::{Kind, Place, Token, tokens};
use super::value::Value;

/// A condition nested deeper than this is refused: evaluating it would need too much stack.
const DEEPEST: usize = 64;
/// How strongly `not`, and signs, bind.
const NOT_BINDS: u16 = 50;
const SIGN_BINDS: u16 = 90;

/// A part of a condition.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    Literal(Value),
    List(Vec<Self>),
    Map(Vec<(Self, Self)>),
    Name(String),
    /// The element that a closure looks at.
    Element,
    Not(Box<Self>),
    Negative(Box<Self>),
    Binary(&'static str, Box<Self>, Box<Self>),
    Conditional(Box<Self>, Box<Self>, Box<Self>),
    /// Object, key, and whether a missing object is fine.
    Member(Box<Self>, Box<Self>, bool),
    Slice(Box<Self>, Option<Box<Self>>, Option<Box<Self>>),
    Call(String, Vec<Self>),
    Let(String, Box<Self>, Box<Self>),
}

struct Parser {
    tokens: Vec<Token>,
    next: usize,
    depth: usize,
    names: Vec<String>,
    closures: usize,
}

/// Reads a condition.
pub(super) fn parse(text: &str) -> Result<Node, String> {
    parse_with(text, vec!["result".to_owned()])
}

/// Reads an expression in which the given names are known.
pub(super) fn parse_with(text: &str, names: Vec<String>) -> Result<Node, String> {
    let mut parser = Parser {
        tokens: tokens(text)?,
        next: 0,
        depth: 0,
        names,
        closures: 0,
    };
    let node = parser.sequence()?;
    let token = parser.peek();
    if token.kind == Kind::End {
        return Ok(node);
    }
    Err(unexpected(token))
}

fn unexpected(token: &Token) -> String {
    token
        .place
        .say(format!("unexpected token {}", token.describe()))
}

/// Returns an operator of two operands, how strongly it binds, and whether from the right.
fn binary(kind: &Kind) -> Option<(&'static str, u16, bool)> {
    let (text, names): (&str, bool) = match kind {
        Kind::Mark(mark) => (mark, false),
        Kind::Name(name) => (name, true),
        Kind::Literal(_) | Kind::End => return None,
    };
    let found = match (text, names) {
        ("|", false) => ("|", 0, false),
        ("||", false) | ("or", true) => ("||", 10, false),
        ("&&", false) | ("and", true) => ("&&", 15, false),
        ("==", false) => ("==", 20, false),
        ("!=", false) => ("!=", 20, false),
        ("<", false) => ("<", 20, false),
        (">", false) => (">", 20, false),
        ("<=", false) => ("<=", 20, false),
        (">=", false) => (">=", 20, false),
        ("in", true) => ("in", 20, false),
        ("matches", true) => ("matches", 20, false),
        ("contains", true) => ("contains", 20, false),
        ("startsWith", true) => ("startsWith", 20, false),
        ("endsWith", true) => ("endsWith", 20, false),
        ("..", false) => ("..", 25, false),
        ("+", false) => ("+", 30, false),
        ("-", false) => ("-", 30, false),
        ("*", false) => ("*", 60, false),
        ("/", false) => ("/", 60, false),
        ("%", false) => ("%", 60, false),
        ("**" | "^", false) => ("**", 100, true),
        ("??", false) => ("??", 500, false),
        _ => return None,
    };
    Some(found)
}

impl Parser {
    fn peek(&self) -> &Token {
        // The last token is the end, which is never passed.
        let last = self.tokens.len().saturating_sub(1);
        &self.tokens[self.next.min(last)]
    }

    fn place(&self) -> Place {
        self.peek().place
    }

    fn advance(&mut self) -> Token {
        let token = self.peek().clone();
        self.next += 1;
        token
    }

    fn is(&self, mark: &str) -> bool {
        matches!(&self.peek().kind, Kind::Mark(found) if *found == mark)
    }

    fn accept(&mut self, mark: &str) -> bool {
        let found = self.is(mark);
        if found {
            self.next += 1;
        }
        found
    }

    fn expect(&mut self, mark: &str) -> Result<(), String> {
        if self.accept(mark) {
            return Ok(());
        }
        Err(unexpected(self.peek()))
    }

    /// `let NAME = VALUE; …` or an expression.
    fn sequence(&mut self) -> Result<Node, String> {
        if self.peek().kind != Kind::Name("let".to_owned()) {
            return self.expression(0);
        }
        self.deeper(|parser| {
            parser.advance();
            let token = parser.advance();
            let Kind::Name(name) = token.kind else {
                return Err(unexpected(&token));
            };
            parser.expect("=")?;
            let value = parser.expression(0)?;
            parser.expect(";")?;
            parser.names.push(name.clone());
            let body = parser.sequence()?;
            parser.names.pop();
            Ok(Node::Let(name, Box::new(value), Box::new(body)))
        })
    }

    fn deeper<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, String>,
    ) -> Result<T, String> {
        if self.depth >= DEEPEST {
            return Err(self.place().say("the expression is nested too deeply"));
        }
        self.depth += 1;
        let outcome = read(self);
        self.depth -= 1;
        outcome
    }

    fn expression(&mut self, least: u16) -> Result<Node, String> {
        self.deeper(|parser| parser.operators(least))
    }

    fn operators(&mut self, least: u16) -> Result<Node, String> {
        let mut left = self.operand()?;
        let mut links = 0;
        loop {
            let negated = self.peek().kind == Kind::Name("not".to_owned())
                && self
                    .tokens
                    .get(self.next + 1)
                    .is_some_and(|token| matches!(binary(&token.kind), Some((_, 20, _))));
            if negated {
                self.next += 1;
            }
            let Some((operator, binds, from_right)) = binary(&self.peek().kind) else {
                break;
            };
            if binds < least {
                if negated {
                    self.next -= 1;
                }
                break;
            }
            // A chain is a tree that grows to the left: as deep as it is long.
            links += 1;
            if links > DEEPEST {
                return Err(self.place().say("the expression is nested too deeply"));
            }
            self.advance();
            left = if operator == "|" {
                self.piped(left)?
            } else {
                let right = self.expression(if from_right { binds } else { binds + 1 })?;
                Node::Binary(operator, Box::new(left), Box::new(right))
            };
            if negated {
                left = Node::Not(Box::new(left));
            }
        }
        if least == 0 && self.accept("?") {
            return self.conditional(left);
        }
        Ok(left)
    }

    fn conditional(&mut self, condition: Node) -> Result<Node, String> {
        let (yes, no) = if self.accept(":") {
            (condition.clone(), self.expression(0)?)
        } else {
            let yes = self.expression(0)?;
            self.expect(":")?;
            (yes, self.expression(0)?)
        };
        Ok(Node::Conditional(
            Box::new(condition),
            Box::new(yes),
            Box::new(no),
        ))
    }

    /// `value | function(more)` calls the function with the value before the rest.
    fn piped(&mut self, value: Node) -> Result<Node, String> {
        let token = self.advance();
        let Kind::Name(name) = token.kind else {
            return Err(unexpected(&token));
        };
        let call = self.call(&name, token.place, Some(value))?;
        self.postfix(call)
    }

    fn operand(&mut self) -> Result<Node, String> {
        let token = self.peek().clone();
        match &token.kind {
            Kind::Mark("!") => {
                self.advance();
                Ok(Node::Not(Box::new(self.expression(NOT_BINDS)?)))
            }
            Kind::Name(name) if name == "not" => {
                self.advance();
                Ok(Node::Not(Box::new(self.expression(NOT_BINDS)?)))
            }
            Kind::Mark("-") => {
                self.advance();
                Ok(Node::Negative(Box::new(self.expression(SIGN_BINDS)?)))
            }
            Kind::Mark("+") => {
                self.advance();
                self.expression(SIGN_BINDS)
            }
            Kind::Mark(_) | Kind::Name(_) | Kind::Literal(_) | Kind::End => {
                let primary = self.primary()?;
                self.postfix(primary)
            }
        }
    }

    fn primary(&mut self) -> Result<Node, String> {
        let token = self.advance();
        match token.kind {
            Kind::Literal(value) => Ok(Node::Literal(value)),
            Kind::Name(name) => self.name(&name, token.place),
            Kind::Mark("(") => {
                let inner = self.deeper(Self::sequence)?;
                self.expect(")")?;
                Ok(inner)
            }
            Kind::Mark("[") => Ok(Node::List(self.list("]")?)),
            Kind::Mark("{") => self.map(),
            Kind::Mark("#") => {
                if self.closures == 0 {
                    return Err(token
                        .place
                        .say("cannot use pointer accessor outside closure"));
                }
                Ok(Node::Element)
            }
            Kind::Mark(".") if self.closures > 0 => {
                // `.field` inside of a closure is `#.field`.
                self.next -= 1;
                Ok(Node::Element)
            }
            Kind::Mark(_) | Kind::End => {
                self.next -= 1;
                Err(unexpected(self.peek()))
            }
        }
    }

    fn name(&mut self, name: &str, place: Place) -> Result<Node, String> {
        match name {
            "true" => return Ok(Node::Literal(Value::Bool(true))),
            "false" => return Ok(Node::Literal(Value::Bool(false))),
            "nil" => return Ok(Node::Literal(Value::Nil)),
            _ => {}
        }
        if self.is("(") {
            return self.call(name, place, None);
        }
        if name == "sprig" && self.is(".") {
            self.advance();
            let token = self.advance();
            let Kind::Name(function) = token.kind else {
                return Err(token.place.say("expected name"));
            };
            return self.call(&format!("sprig.{function}"), token.place, None);
        }
        if self.names.iter().any(|known| known == name) {
            return Ok(Node::Name(name.to_owned()));
        }
        Err(place.say(format!("unknown name {name}")))
    }

    fn call(&mut self, name: &str, place: Place, first: Option<Node>) -> Result<Node, String> {
        let Some(function) = functions::named(name) else {
            return Err(place.say(format!("unknown name {name}")));
        };
        self.expect("(")?;
        let mut arguments: Vec<Node> = first.into_iter().collect();
        while !self.is(")") {
            if function.takes_closure && arguments.len() == 1 {
                arguments.push(self.closure()?);
            } else {
                arguments.push(self.expression(0)?);
            }
            if !self.is(")") {
                self.expect(",")?;
            }
        }
        self.expect(")")?;
        if arguments.len() < function.least {
            return Err(place.say(format!("not enough arguments to call {name}")));
        }
        if arguments.len() > function.most {
            return Err(place.say(format!("too many arguments to call {name}")));
        }
        Ok(Node::Call(name.to_owned(), arguments))
    }

    fn closure(&mut self) -> Result<Node, String> {
        self.closures += 1;
        let braced = self.accept("{");
        let body = self.sequence();
        self.closures -= 1;
        if braced {
            self.expect("}")?;
        }
        body
    }

    fn list(&mut self, end: &str) -> Result<Vec<Node>, String> {
        let mut items = Vec::new();
        while !self.accept(end) {
            items.push(self.expression(0)?);
            if !self.is(end) {
                self.expect(",")?;
            }
        }
        Ok(items)
    }

    fn map(&mut self) -> Result<Node, String> {
        let mut entries = Vec::new();
        while !self.accept("}") {
            let token = self.advance();
            let key = match token.kind {
                Kind::Name(name) => Node::Literal(Value::Text(name)),
                Kind::Literal(value) => Node::Literal(Value::Text(value.spelled())),
                Kind::Mark("(") => {
                    let key = self.expression(0)?;
                    self.expect(")")?;
                    key
                }
                Kind::Mark(_) | Kind::End => {
                    let what = token.describe();
                    return Err(token.place.say(format!(
                        "a map key must be a quoted string, a number, a identifier, or an expression enclosed in parentheses (unexpected token {what})"
                    )));
                }
            };
            self.expect(":")?;
            entries.push((key, self.expression(0)?));
            if !self.is("}") {
                self.expect(",")?;
            }
        }
        Ok(Node::Map(entries))
    }

    fn postfix(&mut self, mut node: Node) -> Result<Node, String> {
        let mut links = 0;
        loop {
            links += 1;
            if links > DEEPEST {
                return Err(self.place().say("the expression is nested too deeply"));
            }
            let optional = self.is("?.");
            if optional || self.is(".") {
                self.advance();
                if optional && self.accept("[") {
                    node = self.index(node, true)?;
                    continue;
                }
                let token = self.advance();
                let Kind::Name(name) = token.kind else {
                    return Err(token.place.say("expected name"));
                };
                if self.is("(") {
                    return Err(token.place.say(format!("{name} is not callable")));
                }
                let key = Node::Literal(Value::Text(name));
                node = Node::Member(Box::new(node), Box::new(key), optional);
            } else if self.accept("[") {
                node = self.index(node, false)?;
            } else {
                return Ok(node);
            }
        }
    }

    fn index(&mut self, node: Node, optional: bool) -> Result<Node, String> {
        let boxed = Box::new(node);
        if self.accept(":") {
            let end = self.slice_end()?;
            return Ok(Node::Slice(boxed, None, end));
        }
        let key = Box::new(self.expression(0)?);
        if self.accept(":") {
            let end = self.slice_end()?;
            return Ok(Node::Slice(boxed, Some(key), end));
        }
        self.expect("]")?;
        Ok(Node::Member(boxed, key, optional))
    }

    fn slice_end(&mut self) -> Result<Option<Box<Node>>, String> {
        if self.accept("]") {
            return Ok(None);
        }
        let end = self.expression(0)?;
        self.expect("]")?;
        Ok(Some(Box::new(end)))
    }
}
