//! Reads the words of shell scripts: quotes, variables, what commands print, calculations.

use super::parse::{Parser, Part, Word};

/// Reads what stands between double quotes, such as the value of `${x:-…}`.
pub(super) fn parse_text(text: &str) -> Result<Word, String> {
    let mut parser = Parser::new(text);
    let mut word = Word::new();
    parser.quoted(&mut word, None)?;
    Ok(word)
}

impl Parser {
    pub(super) fn word(&mut self) -> Result<Option<Word>, String> {
        let mut word = Word::new();
        let mut text = String::new();
        let mut begun = false;
        while let Some(c) = self.peek() {
            match c {
                ' ' | '\t' | '\n' | '\r' | ';' | '|' | '&' | '(' | ')' | '<' | '>' => break,
                '\'' => {
                    self.at += 1;
                    let mut quoted = String::new();
                    while let Some(c) = self.peek().filter(|c| *c != '\'') {
                        quoted.push(c);
                        self.at += 1;
                    }
                    if self.peek().is_none() {
                        return Err("syntax error: unterminated quoted string".to_owned());
                    }
                    self.at += 1;
                    push(&mut word, &mut text);
                    word.push(Part::Text(quoted, true));
                }
                '"' => {
                    self.at += 1;
                    push(&mut word, &mut text);
                    word.push(Part::Text(String::new(), true));
                    self.quoted(&mut word, Some('"'))?;
                }
                '\\' => {
                    self.at += 1;
                    match self.peek() {
                        Some('\n') | None => {}
                        Some(c) => {
                            push(&mut word, &mut text);
                            word.push(Part::Text(c.to_string(), true));
                        }
                    }
                    self.at += 1;
                }
                '$' | '`' => {
                    push(&mut word, &mut text);
                    self.expansion(&mut word, false)?;
                }
                c => {
                    text.push(c);
                    self.at += 1;
                }
            }
            begun = true;
        }
        push(&mut word, &mut text);
        Ok(begun.then_some(word))
    }

    /// Reads up to the closing quote, or to the end.
    fn quoted(&mut self, word: &mut Word, end: Option<char>) -> Result<(), String> {
        let mut text = String::new();
        loop {
            let Some(c) = self.peek() else {
                if end.is_some() {
                    return Err("syntax error: unterminated quoted string".to_owned());
                }
                break;
            };
            if Some(c) == end {
                self.at += 1;
                break;
            }
            match c {
                '\\' => {
                    let next = self.after(1);
                    match next {
                        Some('\n') => {}
                        Some(c) if "$`\"\\".contains(c) => text.push(c),
                        Some(c) => {
                            text.push('\\');
                            text.push(c);
                        }
                        None => text.push('\\'),
                    }
                    self.at += 2;
                }
                '$' | '`' => {
                    if !text.is_empty() {
                        word.push(Part::Text(std::mem::take(&mut text), true));
                    }
                    self.expansion(word, true)?;
                }
                c => {
                    text.push(c);
                    self.at += 1;
                }
            }
        }
        if !text.is_empty() {
            word.push(Part::Text(text, true));
        }
        Ok(())
    }

    fn expansion(&mut self, word: &mut Word, quoted: bool) -> Result<(), String> {
        if self.accept("`") {
            let script = self.until('`')?;
            word.push(Part::Output(script, quoted));
            return Ok(());
        }
        if self.accept("$((") {
            let inner = self.balanced()?;
            self.accept(")");
            word.push(Part::Sum(parse_text(&inner)?));
            return Ok(());
        }
        if self.accept("$(") {
            let script = self.balanced()?;
            word.push(Part::Output(script, quoted));
            return Ok(());
        }
        if self.accept("${") {
            let inner = self.until('}')?;
            let (name, default) = match inner.split_once(":-").or_else(|| inner.split_once('-')) {
                Some((name, default)) => (name.to_owned(), Some(default.to_owned())),
                None => (inner, None),
            };
            word.push(Part::Variable(name, default, quoted));
            return Ok(());
        }
        self.at += 1;
        let rest = self.text.get(self.at..).unwrap_or_default();
        let name: String = match rest.first() {
            Some(c) if "?#@*$!0123456789".contains(*c) => c.to_string(),
            _ => rest
                .iter()
                .take_while(|c| c.is_alphanumeric() || **c == '_')
                .collect(),
        };
        self.at += name.chars().count();
        if name.is_empty() {
            word.push(Part::Text("$".to_owned(), true));
        } else {
            word.push(Part::Variable(name, None, quoted));
        }
        Ok(())
    }

    fn until(&mut self, end: char) -> Result<String, String> {
        let mut text = String::new();
        while let Some(c) = self.peek() {
            self.at += 1;
            if c == end {
                return Ok(text);
            }
            text.push(c);
        }
        Err(format!("syntax error: expected \"{end}\""))
    }

    /// Reads up to the bracket that closes the one before.
    fn balanced(&mut self) -> Result<String, String> {
        let mut text = String::new();
        let mut open = 1;
        while let Some(c) = self.peek() {
            self.at += 1;
            match c {
                '(' => open += 1,
                ')' => {
                    open -= 1;
                    if open == 0 {
                        return Ok(text);
                    }
                }
                _ => {}
            }
            text.push(c);
        }
        Err("syntax error: expected \")\"".to_owned())
    }
}

fn push(word: &mut Word, text: &mut String) {
    if !text.is_empty() {
        word.push(Part::Text(std::mem::take(text), false));
    }
}
