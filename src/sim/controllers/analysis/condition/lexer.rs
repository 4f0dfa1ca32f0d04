//! Cuts a condition into tokens that know their place.

use super::value::Value;
use std::iter::Peekable;
use std::str::Chars;

/// A piece of a condition.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    Literal(Value),
    Name(String),
    /// An operator, a bracket or another mark.
    Mark(&'static str),
    End,
}

/// A token and where it begins.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) place: Place,
}

/// Line and column, both from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    line: usize,
    column: usize,
}

impl Place {
    /// Writes a message with the place, as expr-lang does.
    pub(super) fn say(self, message: impl AsRef<str>) -> String {
        format!("{} ({}:{})", message.as_ref(), self.line, self.column)
    }
}

impl Token {
    /// Names the token as expr-lang's messages do.
    pub(super) fn describe(&self) -> String {
        match &self.kind {
            Kind::End => "EOF".to_owned(),
            Kind::Name(name) => format!("Identifier({name:?})"),
            Kind::Mark(mark) if "()[]{}".contains(mark) => format!("Bracket({mark:?})"),
            Kind::Mark(mark) => format!("Operator({mark:?})"),
            Kind::Literal(Value::Text(text)) => format!("String({text:?})"),
            Kind::Literal(value) => format!("Number({:?})", value.spelled()),
        }
    }
}

/// Longer marks come before those they begin with.
const MARKS: [&str; 33] = [
    "..", "**", "==", "!=", "<=", ">=", "&&", "||", "??", "?.", "(", ")", "[", "]", "{", "}", "+",
    "-", "*", "/", "%", "^", "<", ">", "!", "?", ":", ",", ".", "|", "#", ";", "=",
];

struct Lexer<'a> {
    rest: Peekable<Chars<'a>>,
    place: Place,
}

/// Cuts a condition into tokens; the last one is the end.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut lexer = Lexer {
        rest: text.chars().peekable(),
        place: Place { line: 1, column: 1 },
    };
    let mut tokens = Vec::new();
    loop {
        let token = lexer.next()?;
        let ended = token.kind == Kind::End;
        tokens.push(token);
        if ended {
            return Ok(tokens);
        }
    }
}

impl Lexer<'_> {
    fn take(&mut self) -> Option<char> {
        let letter = self.rest.next()?;
        if letter == '\n' {
            self.place.line += 1;
            self.place.column = 1;
        } else {
            self.place.column += 1;
        }
        Some(letter)
    }

    fn looking_at(&self, text: &str) -> bool {
        let mut rest = self.rest.clone();
        text.chars().all(|letter| rest.next() == Some(letter))
    }

    fn skip(&mut self, count: usize) {
        for _ in 0..count {
            self.take();
        }
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> String {
        let mut taken = String::new();
        while self.rest.peek().is_some_and(|letter| wanted(*letter)) {
            taken.extend(self.take());
        }
        taken
    }

    fn skip_blanks(&mut self) {
        loop {
            self.take_while(char::is_whitespace);
            if self.looking_at("//") {
                self.take_while(|letter| letter != '\n');
            } else if self.looking_at("/*") {
                while !self.looking_at("*/") && self.take().is_some() {}
                self.skip(2);
            } else {
                return;
            }
        }
    }

    fn next(&mut self) -> Result<Token, String> {
        self.skip_blanks();
        let place = self.place;
        let Some(letter) = self.rest.peek().copied() else {
            let kind = Kind::End;
            return Ok(Token { kind, place });
        };
        let mut after = self.rest.clone();
        after.next();
        let digit_follows = after.next().is_some_and(|next| next.is_ascii_digit());
        let kind = match letter {
            '"' | '\'' => Kind::Literal(Value::Text(self.quoted(letter)?)),
            '`' => {
                self.take();
                let text = self.take_while(|letter| letter != '`');
                self.take()
                    .ok_or_else(|| place.say("literal not terminated"))?;
                Kind::Literal(Value::Text(text))
            }
            '0'..='9' => self.number()?,
            '.' if digit_follows => self.number()?,
            letter if letter.is_alphabetic() || letter == '_' || letter == '$' => {
                Kind::Name(self.take_while(|c| c.is_alphanumeric() || c == '_' || c == '$'))
            }
            letter => {
                let mark = MARKS.into_iter().find(|mark| self.looking_at(mark));
                let unknown = || {
                    place.say(format!(
                        "unrecognized character: U+{:04X} '{letter}'",
                        letter as u32
                    ))
                };
                let mark = mark.ok_or_else(unknown)?;
                self.skip(mark.len());
                Kind::Mark(mark)
            }
        };
        Ok(Token { kind, place })
    }

    fn quoted(&mut self, quote: char) -> Result<String, String> {
        let place = self.place;
        let open = || place.say("literal not terminated");
        self.take();
        let mut text = String::new();
        loop {
            let letter = self.take().ok_or_else(open)?;
            if letter == quote {
                return Ok(text);
            }
            if letter != '\\' {
                text.push(letter);
                continue;
            }
            text.push(match self.take().ok_or_else(open)? {
                'n' => '\n',
                't' => '\t',
                'r' => '\r',
                'u' => self.unicode()?,
                same @ ('\\' | '"' | '\'') => same,
                _ => return Err(self.place.say("unable to unescape string")),
            });
        }
    }

    fn unicode(&mut self) -> Result<char, String> {
        let digits: String = (0..4).filter_map(|_| self.take()).collect();
        let code = u32::from_str_radix(&digits, 16).ok();
        code.and_then(char::from_u32)
            .ok_or_else(|| self.place.say("unable to unescape string"))
    }

    fn number(&mut self) -> Result<Kind, String> {
        let place = self.place;
        for (prefix, radix) in [("0x", 16), ("0X", 16), ("0b", 2), ("0o", 8)] {
            if self.looking_at(prefix) {
                self.skip(2);
                let digits = self.take_while(|c| c.is_ascii_alphanumeric() || c == '_');
                let number = i64::from_str_radix(&digits.replace('_', ""), radix);
                let number = number.map_err(|error| place.say(error.to_string()))?;
                return Ok(Kind::Literal(Value::Int(number)));
            }
        }
        let digit = |c: char| c.is_ascii_digit() || c == '_';
        let mut text = self.take_while(digit);
        // `1..3` is a range and no fraction.
        let fraction = self.looking_at(".") && !self.looking_at("..");
        if fraction {
            text.extend(self.take());
            text.push_str(&self.take_while(digit));
        }
        let exponent = self.looking_at("e") || self.looking_at("E");
        if exponent {
            text.extend(self.take());
            text.push_str(&self.take_while(|c| c == '+' || c == '-'));
            text.push_str(&self.take_while(digit));
        }
        let text = text.replace('_', "");
        let bad = || place.say(format!("bad number syntax: {text:?}"));
        if self.rest.peek().is_some_and(|c| c.is_alphanumeric()) {
            return Err(bad());
        }
        let value = if fraction || exponent {
            Value::Float(text.parse().map_err(|_not_a_number| bad())?)
        } else {
            Value::Int(text.parse().map_err(|_not_a_number| bad())?)
        };
        Ok(Kind::Literal(value))
    }
}
