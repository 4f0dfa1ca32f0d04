//! Reads shell scripts into a tree: the part of POSIX sh (and `[[`) that steps are written in.

use super::words::parse_text;

/// A piece of a word.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Part {
    /// Text, and whether it stood in quotes.
    Text(String, bool),
    /// A variable, what stands in for it when it is empty, and whether it stood in quotes.
    Variable(String, Option<String>, bool),
    /// What a script prints.
    Output(String, bool),
    /// What a calculation comes to.
    Sum(Vec<Self>),
}

pub(super) type Word = Vec<Part>;

/// Where output goes, or input comes from.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Redirect {
    Write(Word),
    Append(Word),
    Read(Word),
    Text(Word),
    Discard,
}

/// A command, or several.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    Simple {
        variables: Vec<(String, Word)>,
        words: Vec<Word>,
        redirects: Vec<Redirect>,
    },
    Pipe(Vec<Self>, bool),
    And(Box<Self>, Box<Self>),
    Or(Box<Self>, Box<Self>),
    List(Vec<Self>),
    If(Vec<(Self, Self)>, Option<Box<Self>>),
    For(String, Vec<Word>, Box<Self>),
    /// Condition, body, and whether it runs until the condition holds.
    While(Box<Self>, Box<Self>, bool),
    Case(Word, Vec<(Vec<Word>, Self)>),
    Group(Box<Self>, Vec<Redirect>),
    Function(String, Box<Self>),
}

const DEEPEST: usize = 60;
const ENDS: [&str; 9] = ["then", "else", "elif", "fi", "do", "done", "}", "esac", ")"];

pub(super) struct Parser {
    pub(super) text: Vec<char>,
    pub(super) at: usize,
    depth: usize,
    /// Here-documents whose text follows the line: the end word, and whether it was quoted.
    heredocs: Vec<(String, bool)>,
    read_heredocs: Vec<Word>,
}

/// Reads a script.
pub(super) fn parse(script: &str) -> Result<Node, String> {
    let mut parser = Parser::new(script);
    let node = parser.list()?;
    parser.skip_space(true);
    match parser.peek() {
        None => Ok(node),
        Some(c) => Err(format!("syntax error: unexpected \"{c}\"")),
    }
}

impl Parser {
    pub(super) fn new(text: &str) -> Self {
        Self {
            text: text.chars().collect(),
            at: 0,
            depth: 0,
            heredocs: Vec::new(),
            read_heredocs: Vec::new(),
        }
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.text.get(self.at).copied()
    }

    pub(super) fn after(&self, count: usize) -> Option<char> {
        self.text.get(self.at + count).copied()
    }

    fn starts(&self, text: &str) -> bool {
        text.chars()
            .enumerate()
            .all(|(index, c)| self.after(index) == Some(c))
    }

    pub(super) fn accept(&mut self, text: &str) -> bool {
        let starts = self.starts(text);
        if starts {
            self.at += text.chars().count();
        }
        starts
    }

    fn skip_space(&mut self, lines: bool) {
        while let Some(c) = self.peek() {
            match c {
                ' ' | '\t' | '\r' => self.at += 1,
                '\\' if self.after(1) == Some('\n') => self.at += 2,
                '\n' if lines => {
                    self.at += 1;
                    self.take_heredocs();
                }
                ';' if lines && self.after(1) != Some(';') => self.at += 1,
                '#' => {
                    while self.peek().is_some_and(|c| c != '\n') {
                        self.at += 1;
                    }
                }
                _ => return,
            }
        }
    }

    fn take_heredocs(&mut self) {
        for (end, plain) in std::mem::take(&mut self.heredocs) {
            let mut body = String::new();
            loop {
                let mut line = String::new();
                while let Some(c) = self.peek() {
                    self.at += 1;
                    if c == '\n' {
                        break;
                    }
                    line.push(c);
                }
                if line.trim_start_matches('\t') == end
                    || (line.is_empty() && self.peek().is_none())
                {
                    break;
                }
                body.push_str(&line);
                body.push('\n');
            }
            let word = if plain {
                vec![Part::Text(body, true)]
            } else {
                parse_text(&body).unwrap_or_default()
            };
            self.read_heredocs.push(word);
        }
    }

    /// Returns the bare word that comes next, without taking it.
    fn next_word(&self) -> String {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let is_word = |c: &&char| c.is_alphanumeric() || "_-[]{}!".contains(**c);
        rest.iter().take_while(is_word).collect()
    }

    fn keyword(&mut self, word: &str) -> bool {
        let found = self.next_word() == word;
        if found {
            self.at += word.chars().count();
        }
        found
    }

    fn expect(&mut self, word: &str) -> Result<(), String> {
        self.skip_space(true);
        if self.keyword(word) {
            return Ok(());
        }
        Err(format!("syntax error: expected \"{word}\""))
    }

    fn list(&mut self) -> Result<Node, String> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err("syntax error: nested too deeply".to_owned());
        }
        let mut nodes = Vec::new();
        loop {
            self.skip_space(true);
            let word = self.next_word();
            let ends = self.peek().is_none()
                || ENDS.contains(&word.as_str())
                || self.starts(")")
                || self.starts(";;");
            if ends {
                break;
            }
            nodes.push(self.chain()?);
            self.skip_space(false);
            if self.starts("&") && !self.starts("&&") {
                // It would run beside the rest; here it runs before it.
                self.at += 1;
            }
        }
        self.depth -= 1;
        Ok(Node::List(nodes))
    }

    fn chain(&mut self) -> Result<Node, String> {
        let mut left = self.pipe()?;
        loop {
            self.skip_space(false);
            let and = self.accept("&&");
            if !and && !self.accept("||") {
                return Ok(left);
            }
            self.skip_space(true);
            let right = Box::new(self.pipe()?);
            left = if and {
                Node::And(Box::new(left), right)
            } else {
                Node::Or(Box::new(left), right)
            };
        }
    }

    fn pipe(&mut self) -> Result<Node, String> {
        self.skip_space(false);
        let negated = self.keyword("!");
        let mut nodes = vec![self.command()?];
        loop {
            self.skip_space(false);
            if self.starts("||") || !self.accept("|") {
                break;
            }
            self.skip_space(true);
            nodes.push(self.command()?);
        }
        if nodes.len() == 1 && !negated {
            return nodes.pop().ok_or_else(|| "syntax error".to_owned());
        }
        Ok(Node::Pipe(nodes, negated))
    }

    fn command(&mut self) -> Result<Node, String> {
        self.skip_space(false);
        match self.next_word().as_str() {
            "if" => return self.condition(),
            "for" => return self.for_each(),
            "while" | "until" => return self.while_loop(),
            "case" => return self.case(),
            "{" => {
                self.at += 1;
                let inner = self.list()?;
                self.expect("}")?;
                return Ok(Node::Group(Box::new(inner), self.redirects()?));
            }
            _ => {}
        }
        if self.peek() == Some('(') {
            self.at += 1;
            let inner = self.list()?;
            self.skip_space(true);
            if !self.accept(")") {
                return Err("syntax error: expected \")\"".to_owned());
            }
            return Ok(Node::Group(Box::new(inner), self.redirects()?));
        }
        self.simple()
    }

    fn condition(&mut self) -> Result<Node, String> {
        let mut ways = Vec::new();
        self.at += 2;
        loop {
            let condition = self.list()?;
            self.expect("then")?;
            ways.push((condition, self.list()?));
            self.skip_space(true);
            if !self.keyword("elif") {
                break;
            }
        }
        let otherwise = if self.keyword("else") {
            Some(Box::new(self.list()?))
        } else {
            None
        };
        self.expect("fi")?;
        Ok(Node::If(ways, otherwise))
    }

    fn for_each(&mut self) -> Result<Node, String> {
        self.at += 3;
        self.skip_space(false);
        let name = self.next_word();
        self.at += name.chars().count();
        self.skip_space(false);
        let mut words = Vec::new();
        if self.keyword("in") {
            self.skip_space(false);
            while let Some(word) = self.word()? {
                words.push(word);
                self.skip_space(false);
            }
        }
        self.expect("do")?;
        let body = self.list()?;
        self.expect("done")?;
        Ok(Node::For(name, words, Box::new(body)))
    }

    fn while_loop(&mut self) -> Result<Node, String> {
        let until = self.keyword("until");
        if !until {
            self.at += 5;
        }
        let condition = self.list()?;
        self.expect("do")?;
        let body = self.list()?;
        self.expect("done")?;
        Ok(Node::While(Box::new(condition), Box::new(body), until))
    }

    fn case(&mut self) -> Result<Node, String> {
        self.at += 4;
        self.skip_space(false);
        let subject = self.word()?.unwrap_or_default();
        self.expect("in")?;
        let mut ways = Vec::new();
        loop {
            self.skip_space(true);
            if self.keyword("esac") {
                return Ok(Node::Case(subject, ways));
            }
            self.accept("(");
            let mut patterns = Vec::new();
            loop {
                self.skip_space(false);
                patterns.push(self.word()?.ok_or("syntax error: expected a pattern")?);
                self.skip_space(false);
                if !self.accept("|") {
                    break;
                }
            }
            if !self.accept(")") {
                return Err("syntax error: expected \")\"".to_owned());
            }
            ways.push((patterns, self.list()?));
            self.skip_space(true);
            self.accept(";;");
        }
    }

    fn redirects(&mut self) -> Result<Vec<Redirect>, String> {
        let mut found = Vec::new();
        loop {
            self.skip_space(false);
            match self.redirect()? {
                Some(redirect) => found.push(redirect),
                None => return Ok(found),
            }
        }
    }

    fn redirect(&mut self) -> Result<Option<Redirect>, String> {
        for mark in [
            "2>&1", ">&2", "1>&2", "2>>", "2>", "<<-", "<<", "&>", "1>", ">>", ">", "<",
        ] {
            if !self.accept(mark) {
                continue;
            }
            if matches!(mark, "2>&1" | ">&2" | "1>&2") {
                return Ok(Some(Redirect::Discard));
            }
            self.skip_space(false);
            let word = self.word()?.ok_or("syntax error: expected a file")?;
            return Ok(Some(match mark {
                "2>" | "2>>" => Redirect::Discard,
                ">>" => Redirect::Append(word),
                "<" => Redirect::Read(word),
                "<<" | "<<-" => {
                    let plain = word.iter().any(|part| matches!(part, Part::Text(_, true)));
                    let end = word.iter().map(|part| match part {
                        Part::Text(text, _) => text.as_str(),
                        Part::Variable(..) | Part::Output(..) | Part::Sum(_) => "",
                    });
                    self.heredocs.push((end.collect(), plain));
                    Redirect::Text(Word::new())
                }
                _ => Redirect::Write(word),
            }));
        }
        Ok(None)
    }

    fn simple(&mut self) -> Result<Node, String> {
        let mut variables = Vec::new();
        let mut words: Vec<Word> = Vec::new();
        let mut redirects = Vec::new();
        let heredocs_before = self.heredocs.len();
        loop {
            self.skip_space(false);
            if let Some(redirect) = self.redirect()? {
                redirects.push(redirect);
                continue;
            }
            if words.is_empty()
                && let Some(name) = self.assignment()
            {
                variables.push((name, self.word()?.unwrap_or_default()));
                continue;
            }
            let Some(word) = self.word()? else { break };
            words.push(word);
            if words.len() == 1 && self.accept("()") {
                self.skip_space(true);
                let name = words.pop().map(|word| plain(&word)).unwrap_or_default();
                return Ok(Node::Function(name, Box::new(self.command()?)));
            }
        }
        if words.is_empty() && variables.is_empty() && redirects.is_empty() {
            let c = self.peek().map(String::from).unwrap_or_default();
            return Err(format!("syntax error: unexpected \"{c}\""));
        }
        if self.heredocs.len() > heredocs_before {
            self.settle_heredocs(&mut redirects);
        }
        Ok(Node::Simple {
            variables,
            words,
            redirects,
        })
    }

    /// Reads the texts of here-documents from the lines after this one.
    fn settle_heredocs(&mut self, redirects: &mut [Redirect]) {
        let here = self.at;
        let line: Vec<char> = self
            .text
            .iter()
            .skip(here)
            .take_while(|c| **c != '\n')
            .copied()
            .collect();
        self.at += line.len() + 1;
        self.read_heredocs.clear();
        self.take_heredocs();
        // What is left of the line comes after the text that was taken.
        let end = self.at.min(self.text.len());
        let mut rest = line;
        rest.push('\n');
        rest.extend(self.text.iter().skip(end));
        self.text.truncate(here.min(self.text.len()));
        self.text.extend(rest);
        self.at = here;
        let mut texts = std::mem::take(&mut self.read_heredocs).into_iter();
        for redirect in redirects {
            if let Redirect::Text(text) = redirect {
                *text = texts.next().unwrap_or_default();
            }
        }
    }

    fn assignment(&mut self) -> Option<String> {
        let rest = self.text.get(self.at..)?;
        let name: String = rest
            .iter()
            .take_while(|c| c.is_alphanumeric() || **c == '_')
            .collect();
        let count = name.chars().count();
        let starts_well = name.starts_with(|c: char| c.is_alphabetic() || c == '_');
        if !starts_well || self.after(count) != Some('=') {
            return None;
        }
        self.at += count + 1;
        Some(name)
    }
}

/// Returns the text of a word without anything to expand.
fn plain(word: &Word) -> String {
    word.iter()
        .map(|part| match part {
            Part::Text(text, _) => text.as_str(),
            Part::Variable(..) | Part::Output(..) | Part::Sum(_) => "",
        })
        .collect()
}
