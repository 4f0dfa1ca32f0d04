//! The language of `when` and `depends`: the part of govaluate that workflows use.
//!
//! A bare word is text, so that `{{x}} == heads` needs no quotes (`workflow/controller/steps.go`,
//! `shouldExecute`). In `depends`, a bare word may instead name a value.

use regex::Regex;

/// A value of the language.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Term {
    Number(f64),
    Text(String),
    Truth(bool),
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Term(Term),
    Word(String),
    Mark(&'static str),
}

const MARKS: [&str; 21] = [
    "==", "!=", "<=", ">=", "=~", "!~", "&&", "||", "**", "<", ">", "!", "(", ")", "+", "-", "*",
    "/", "%", "?", ":",
];
const DEEPEST: usize = 64;

/// Evaluates a condition in which bare words are texts.
pub(super) fn holds(condition: &str) -> Result<bool, String> {
    let value = evaluate(condition, &|word| Some(Term::Text(word.to_owned()))).map_err(|why| {
        format!(
            "Invalid 'when' expression '{condition}': {why} (hint: try wrapping the affected \
             expression in quotes (\"))"
        )
    })?;
    match value {
        Term::Truth(answer) => Ok(answer),
        Term::Text(_) | Term::Number(_) => Err(format!(
            "Expected boolean evaluation for '{condition}'. Got {}",
            spelled(&value)
        )),
    }
}

/// Evaluates a condition; `named` gives the values of bare words.
pub(super) fn evaluate(
    condition: &str,
    named: &dyn Fn(&str) -> Option<Term>,
) -> Result<Term, String> {
    let mut reader = Reader {
        tokens: tokens(condition)?,
        next: 0,
        depth: 0,
        named,
    };
    let value = reader.choice()?;
    match reader.peek() {
        None => Ok(value),
        Some(token) => Err(format!("Unexpected token: {}", shown(token))),
    }
}

fn shown(token: &Token) -> String {
    match token {
        Token::Term(term) => spelled(term),
        Token::Word(word) => word.clone(),
        Token::Mark(mark) => (*mark).to_owned(),
    }
}

fn spelled(term: &Term) -> String {
    match term {
        Term::Number(number) => number.to_string(),
        Term::Text(text) => text.clone(),
        Term::Truth(truth) => truth.to_string(),
    }
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        if let Some(mark) = MARKS.iter().find(|mark| rest.starts_with(**mark)) {
            found.push(Token::Mark(mark));
            rest = rest.strip_prefix(mark).unwrap_or_default().trim_start();
            continue;
        }
        if first == '\'' || first == '"' {
            let inner = rest.strip_prefix(first).unwrap_or_default();
            let (quoted, after) = inner.split_once(first).ok_or("Unclosed string literal")?;
            found.push(Token::Term(Term::Text(quoted.to_owned())));
            rest = after.trim_start();
            continue;
        }
        if first == '[' {
            let inner = rest.strip_prefix('[').unwrap_or_default();
            let (word, after) = inner.split_once(']').ok_or("Unclosed parameter bracket")?;
            found.push(Token::Word(word.to_owned()));
            rest = after.trim_start();
            continue;
        }
        let end = rest
            .find(|c: char| !(c.is_alphanumeric() || "_.".contains(c)))
            .unwrap_or(rest.len());
        if end == 0 {
            return Err(format!("Invalid token: '{first}'"));
        }
        let (word, after) = rest.split_at(end);
        found.push(match word {
            "true" => Token::Term(Term::Truth(true)),
            "false" => Token::Term(Term::Truth(false)),
            word => match word.parse::<f64>() {
                Ok(number) if first.is_ascii_digit() || first == '.' => {
                    Token::Term(Term::Number(number))
                }
                Ok(_) | Err(_) => Token::Word(word.to_owned()),
            },
        });
        rest = after.trim_start();
    }
    Ok(found)
}

struct Reader<'n> {
    tokens: Vec<Token>,
    next: usize,
    depth: usize,
    named: &'n dyn Fn(&str) -> Option<Term>,
}

impl Reader<'_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next)
    }

    fn accept(&mut self, marks: &[&'static str]) -> Option<&'static str> {
        let Some(Token::Mark(mark)) = self.peek() else {
            return None;
        };
        let mark = *mark;
        marks.contains(&mark).then(|| {
            self.next += 1;
            mark
        })
    }

    fn choice(&mut self) -> Result<Term, String> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err("the expression is nested too deeply".to_owned());
        }
        let condition = self.either()?;
        let value = if self.accept(&["?"]).is_some() {
            let yes = self.either()?;
            self.accept(&[":"]).ok_or("Unbalanced ternary")?;
            let no = self.choice()?;
            if truth(&condition)? { yes } else { no }
        } else {
            condition
        };
        self.depth -= 1;
        Ok(value)
    }

    fn either(&mut self) -> Result<Term, String> {
        let mut left = self.both()?;
        while self.accept(&["||"]).is_some() {
            let right = self.both()?;
            left = Term::Truth(truth(&left)? || truth(&right)?);
        }
        Ok(left)
    }

    fn both(&mut self) -> Result<Term, String> {
        let mut left = self.compared()?;
        while self.accept(&["&&"]).is_some() {
            let right = self.compared()?;
            left = Term::Truth(truth(&left)? && truth(&right)?);
        }
        Ok(left)
    }

    fn compared(&mut self) -> Result<Term, String> {
        let mut left = self.sum()?;
        while let Some(mark) = self.accept(&["==", "!=", "<=", ">=", "<", ">", "=~", "!~"]) {
            let right = self.sum()?;
            left = Term::Truth(compare(mark, &left, &right)?);
        }
        Ok(left)
    }

    fn sum(&mut self) -> Result<Term, String> {
        let mut left = self.product()?;
        while let Some(mark) = self.accept(&["+", "-"]) {
            let right = self.product()?;
            left = match (mark, &left, &right) {
                ("+", Term::Number(left), Term::Number(right)) => Term::Number(left + right),
                ("+", left, right) => Term::Text(format!("{}{}", spelled(left), spelled(right))),
                // A name may hold dashes.
                (_, Term::Text(left), right) => Term::Text(format!("{left}-{}", spelled(right))),
                (_, left, right) => Term::Number(number(left)? - number(right)?),
            };
        }
        Ok(left)
    }

    fn product(&mut self) -> Result<Term, String> {
        let mut left = self.operand()?;
        while let Some(mark) = self.accept(&["*", "/", "%", "**"]) {
            let (one, two) = (number(&left)?, number(&self.operand()?)?);
            left = Term::Number(match mark {
                "*" => one * two,
                "/" => one / two,
                "%" => one % two,
                _ => one.powf(two),
            });
        }
        Ok(left)
    }

    fn operand(&mut self) -> Result<Term, String> {
        if self.accept(&["!"]).is_some() {
            return Ok(Term::Truth(!truth(&self.operand()?)?));
        }
        if self.accept(&["-"]).is_some() {
            return Ok(Term::Number(-number(&self.operand()?)?));
        }
        if self.accept(&["("]).is_some() {
            let inner = self.choice()?;
            self.accept(&[")"]).ok_or("Unbalanced parenthesis")?;
            return Ok(inner);
        }
        let token = self.peek().cloned().ok_or("Unexpected end of expression")?;
        self.next += 1;
        match token {
            Token::Term(term) => Ok(term),
            Token::Word(word) => {
                (self.named)(&word).ok_or_else(|| format!("No parameter '{word}' found."))
            }
            Token::Mark(mark) => Err(format!("Cannot transition token types: {mark}")),
        }
    }
}

fn truth(term: &Term) -> Result<bool, String> {
    match term {
        Term::Truth(truth) => Ok(*truth),
        Term::Number(_) | Term::Text(_) => Err(format!(
            "Value '{}' cannot be used with a logical operator, it is not a bool",
            spelled(term)
        )),
    }
}

fn number(term: &Term) -> Result<f64, String> {
    match term {
        Term::Number(number) => Ok(*number),
        Term::Truth(_) | Term::Text(_) => Err(format!(
            "Value '{}' cannot be used with a modifier, it is not a number",
            spelled(term)
        )),
    }
}

fn compare(mark: &str, left: &Term, right: &Term) -> Result<bool, String> {
    match mark {
        "==" => return Ok(left == right),
        "!=" => return Ok(left != right),
        "=~" | "!~" => {
            let pattern = Regex::new(&spelled(right)).map_err(|error| error.to_string())?;
            return Ok(pattern.is_match(&spelled(left)) == (mark == "=~"));
        }
        _ => {}
    }
    let order = match (left, right) {
        (Term::Number(left), Term::Number(right)) => left.partial_cmp(right),
        (Term::Text(left), Term::Text(right)) => Some(left.cmp(right)),
        (Term::Number(_) | Term::Text(_) | Term::Truth(_), _) => {
            return Err(format!(
                "Value '{}' cannot be used with the comparator '{mark}', it is not a number",
                spelled(right)
            ));
        }
    };
    Ok(order.is_some_and(|order| match mark {
        "<" => order.is_lt(),
        ">" => order.is_gt(),
        "<=" => order.is_le(),
        _ => order.is_ge(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_of_steps_hold_as_govaluate_says() {
        for (condition, wanted) in [
            ("heads == heads", true),
            ("heads == tails", false),
            ("true == true", true),
            (
                "( heads == heads && tails == tails ) || ( heads == tails && tails == tails )",
                true,
            ),
            ("tails =~ hea", false),
            ("heads =~ hea", true),
            ("3 > 2 && 2 <= 2", true),
            ("!(1 == 2)", true),
            ("'a b' != \"a c\"", true),
            ("1 + 2 == 3", true),
        ] {
            assert_eq!(holds(condition), Ok(wanted), "{condition}");
        }
    }

    #[test]
    fn what_is_not_a_condition_is_explained() {
        assert!(holds("heads").is_err_and(|why| why.starts_with("Expected boolean")));
        assert!(holds("{{steps.x}} == 1").is_err_and(|why| why.contains("Invalid token")));
        assert!(holds("a ==").is_err());
    }
}
