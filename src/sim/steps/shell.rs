//! Follows shell scripts of steps: variables, conditions, loops, pipes, files, a few tools.
//!
//! Nothing is run. Files are texts in memory; programs that nobody wrote here are taken to end
//! well, a moment later, and the log says so. What a tool would change outside (`git push`, `docker
//! push`) becomes an [`Effect`].

mod calculate;
mod files;
mod parse;
mod programs;
mod tests_of;
mod tools;
mod words;

use super::Effect;
use super::behaviour::{Behaviour, Step};
use crate::sim::rng::Rng;
use parse::{Node, Part, Redirect, Word};
use std::collections::BTreeMap;
use tools::Clone as GitClone;

/// A script that takes more steps than this never ends.
const MOST_STEPS: usize = 20_000;
/// Nobody prints more than this.
const MOST_OUTPUT: usize = 1 << 20;
/// Calls nested deeper than this are refused.
const DEEPEST: usize = 40;

/// Why a script stops before its last command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    Exit(i32),
    /// It goes on for ever.
    Forever,
}

type Flow = Result<i32, Stop>;

/// A shell that follows one script.
pub(super) struct Shell<'r> {
    variables: BTreeMap<String, String>,
    functions: BTreeMap<String, Node>,
    files: BTreeMap<String, String>,
    written: BTreeMap<String, String>,
    /// Files that are gone.
    removed: Vec<String>,
    folder: String,
    output: String,
    /// Programs that are not known here, in the order they were met.
    strangers: Vec<String>,
    input: Option<String>,
    seconds: f64,
    effects: Vec<Effect>,
    clones: Vec<GitClone>,
    last_code: i32,
    /// A command that fails ends the script.
    strict: bool,
    guarded: usize,
    depth: usize,
    left: usize,
    rng: &'r mut Rng,
}

/// Returns what a script does.
pub(super) fn follow(
    script: &str,
    environment: &BTreeMap<String, String>,
    files: &BTreeMap<String, String>,
    rng: &mut Rng,
) -> Behaviour {
    let mut shell = Shell {
        variables: environment.clone(),
        functions: BTreeMap::new(),
        files: files.clone(),
        written: BTreeMap::new(),
        removed: Vec::new(),
        folder: "/".to_owned(),
        output: String::new(),
        strangers: Vec::new(),
        input: None,
        seconds: 0.0,
        effects: Vec::new(),
        clones: Vec::new(),
        last_code: 0,
        strict: false,
        guarded: 0,
        depth: 0,
        left: MOST_STEPS,
        rng,
    };
    let end = shell.script(script);
    let (code, forever) = match end {
        Ok(code) | Err(Stop::Exit(code)) => (code, false),
        Err(Stop::Forever) => (0, true),
    };
    let told = shell.strangers.iter().map(|name| {
        format!(
            "[simulation] `{name}` is not simulated: it is taken to have ended well without output"
        )
    });
    Behaviour {
        seconds: shell.seconds + 0.2,
        exit_code: code,
        forever,
        lines: told
            .chain(shell.output.lines().map(str::to_owned))
            .collect(),
        files: shell.written,
        removed: shell.removed,
        effects: shell.effects,
        ..Behaviour::default()
    }
}

/// Commands that are followed although no shell runs them.
const FOLLOWED: [&str; 16] = [
    "echo",
    "printf",
    "cat",
    "sleep",
    "true",
    "false",
    "test",
    "ls",
    "date",
    "env",
    "uname",
    "git",
    "git-init",
    "docker",
    "kustomize",
    "exit",
];

/// Returns what a step does that is a shell script, or a command that is known here.
pub(super) fn of_step(step: &Step<'_>, rng: &mut Rng) -> Option<Behaviour> {
    let short = |word: &String| word.rsplit('/').next().unwrap_or_default().to_owned();
    let is_shell = |name: &str| matches!(name, "sh" | "bash" | "ash" | "dash");
    let first = step.words.first().map(short).unwrap_or_default();
    if let Some(script) = &step.note.script {
        let line = script.lines().next().unwrap_or_default();
        let interpreter = line.strip_prefix("#!").map(|line| {
            let word = line.split_whitespace().next_back().unwrap_or_default();
            short(&word.to_owned())
        });
        let is_ours = match interpreter {
            Some(name) => is_shell(&name),
            None => first.is_empty() || is_shell(&first) || first.starts_with("script-"),
        };
        return is_ours.then(|| follow(script, &step.environment, &step.files, rng));
    }
    if is_shell(&first) {
        let mut rest = step.words.iter().skip(1);
        let flag = rest.find(|word| word.starts_with('-') && word.ends_with('c'));
        let script = flag.and_then(|_| rest.next())?;
        return Some(follow(script, &step.environment, &step.files, rng));
    }
    if !FOLLOWED.contains(&first.as_str()) {
        return None;
    }
    let quoted = |word: &String| format!("'{}'", word.replace('\'', "'\\''"));
    let words: Vec<String> = step.words.iter().map(quoted).collect();
    Some(follow(
        &words.join(" "),
        &step.environment,
        &step.files,
        rng,
    ))
}

impl Shell<'_> {
    fn script(&mut self, text: &str) -> Flow {
        match parse::parse(text) {
            Ok(node) => self.run(&node),
            Err(why) => {
                self.print(&format!("sh: {why}\n"));
                Err(Stop::Exit(2))
            }
        }
    }

    fn print(&mut self, text: &str) {
        if self.output.len() + text.len() <= MOST_OUTPUT {
            self.output.push_str(text);
        }
    }

    fn run(&mut self, node: &Node) -> Flow {
        self.left = self.left.checked_sub(1).ok_or(Stop::Forever)?;
        let code = match node {
            Node::Simple {
                variables,
                words,
                redirects,
            } => self.simple(variables, words, redirects)?,
            Node::Pipe(nodes, negated) => self.pipe(nodes, *negated)?,
            Node::And(left, right) => {
                let code = self.guarded_run(left)?;
                if code == 0 { self.run(right)? } else { code }
            }
            Node::Or(left, right) => {
                let code = self.guarded_run(left)?;
                if code == 0 { 0 } else { self.run(right)? }
            }
            Node::List(nodes) => {
                let mut code = 0;
                for node in nodes {
                    code = self.run(node)?;
                }
                code
            }
            Node::If(ways, otherwise) => self.choose(ways, otherwise.as_deref())?,
            Node::For(name, words, body) => {
                let values = self.expand_all(words)?;
                let mut code = 0;
                for value in values {
                    self.variables.insert(name.clone(), value);
                    code = self.run(body)?;
                }
                code
            }
            Node::While(condition, body, until) => {
                while (self.guarded_run(condition)? == 0) != *until {
                    self.run(body)?;
                }
                0
            }
            Node::Case(subject, ways) => self.case(subject, ways)?,
            Node::Group(inner, redirects) => {
                self.redirected(redirects, |shell| shell.run(inner))?
            }
            Node::Function(name, body) => {
                self.functions.insert(name.clone(), (**body).clone());
                0
            }
        };
        self.last_code = code;
        Ok(code)
    }

    /// Runs a command whose failure decides something instead of ending the script.
    fn guarded_run(&mut self, node: &Node) -> Flow {
        self.guarded += 1;
        let code = self.run(node);
        self.guarded -= 1;
        code
    }

    fn choose(&mut self, ways: &[(Node, Node)], otherwise: Option<&Node>) -> Flow {
        for (condition, body) in ways {
            if self.guarded_run(condition)? == 0 {
                return self.run(body);
            }
        }
        otherwise.map_or(Ok(0), |body| self.run(body))
    }

    fn case(&mut self, subject: &Word, ways: &[(Vec<Word>, Node)]) -> Flow {
        let subject = self.expand(subject)?;
        for (patterns, body) in ways {
            for pattern in patterns {
                let pattern = self.expand(pattern)?;
                if crate::domain::globs::matches(&pattern, &subject) {
                    return self.run(body);
                }
            }
        }
        Ok(0)
    }

    fn pipe(&mut self, nodes: &[Node], negated: bool) -> Flow {
        let mut code = 0;
        let mut input = self.input.take();
        let last = nodes.len().saturating_sub(1);
        for (index, node) in nodes.iter().enumerate() {
            self.input = input.take();
            if index < last || negated {
                self.guarded += 1;
            }
            let before = std::mem::take(&mut self.output);
            let outcome = self.run(node);
            let printed = std::mem::replace(&mut self.output, before);
            if index < last || negated {
                self.guarded -= 1;
            }
            code = outcome?;
            if index < last {
                input = Some(printed);
            } else {
                self.print(&printed);
            }
        }
        self.input = None;
        Ok(if negated { i32::from(code == 0) } else { code })
    }

    fn simple(
        &mut self,
        variables: &[(String, Word)],
        words: &[Word],
        redirects: &[Redirect],
    ) -> Flow {
        let mut code = 0;
        for (name, value) in variables {
            let (value, status) = self.expand_with_code(value)?;
            self.variables.insert(name.clone(), value);
            code = status;
        }
        let words = self.expand_all(words)?;
        if !words.is_empty() || !redirects.is_empty() {
            code = self.redirected(redirects, |shell| match words.split_first() {
                Some((name, arguments)) => shell.call(name, arguments),
                None => Ok(0),
            })?;
        }
        self.last_code = code;
        if code != 0 && self.strict && self.guarded == 0 {
            return Err(Stop::Exit(code));
        }
        Ok(code)
    }

    fn call(&mut self, name: &str, arguments: &[String]) -> Flow {
        if let Some(body) = self.functions.get(name).cloned() {
            return self.call_function(&body, arguments);
        }
        self.builtin(name, arguments)
    }

    fn call_function(&mut self, body: &Node, arguments: &[String]) -> Flow {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(Stop::Forever);
        }
        let before = self.variables.clone();
        for (index, value) in arguments.iter().enumerate() {
            self.variables
                .insert((index + 1).to_string(), value.clone());
        }
        let code = self.run(body);
        for index in 1..=9 {
            let name = index.to_string();
            match before.get(&name) {
                Some(value) => self.variables.insert(name, value.clone()),
                None => self.variables.remove(&name),
            };
        }
        self.depth -= 1;
        code
    }

    /// Runs something whose output goes to files, or whose input comes from them.
    fn redirected(&mut self, redirects: &[Redirect], act: impl FnOnce(&mut Self) -> Flow) -> Flow {
        let mut target = None;
        for redirect in redirects {
            match redirect {
                Redirect::Write(word) => target = Some((self.path_of(word)?, false)),
                Redirect::Append(word) => target = Some((self.path_of(word)?, true)),
                Redirect::Read(word) => {
                    let path = self.path_of(word)?;
                    match self.files.get(&path).cloned() {
                        Some(text) => self.input = Some(text),
                        None => {
                            self.print(&format!("sh: can't open {path}: no such file\n"));
                            return Ok(1);
                        }
                    }
                }
                Redirect::Text(word) => self.input = Some(self.expand(word)?),
                Redirect::Discard => {}
            }
        }
        let Some((path, append)) = target else {
            return act(self);
        };
        let before = std::mem::take(&mut self.output);
        let code = act(self);
        let mut printed = std::mem::replace(&mut self.output, before);
        if append && let Some(text) = self.files.get(&path) {
            printed.insert_str(0, text);
        }
        if path != "/dev/null" {
            self.write(&path, printed);
        }
        code
    }

    fn path_of(&mut self, word: &Word) -> Result<String, Stop> {
        let path = self.expand(word)?;
        Ok(self.absolute(&path))
    }

    fn expand_all(&mut self, words: &[Word]) -> Result<Vec<String>, Stop> {
        let mut all = Vec::new();
        for word in words {
            all.extend(self.fields(word)?);
        }
        Ok(all)
    }

    /// Expands a word into one text.
    fn expand(&mut self, word: &Word) -> Result<String, Stop> {
        Ok(self.expand_with_code(word)?.0)
    }

    fn expand_with_code(&mut self, word: &Word) -> Result<(String, i32), Stop> {
        let mut text = String::new();
        let mut code = 0;
        for part in word {
            if matches!(part, Part::Output(..)) {
                text.push_str(&self.value(part)?);
                code = self.last_code;
            } else {
                text.push_str(&self.value(part)?);
            }
        }
        Ok((text, code))
    }

    /// Expands a word into its fields: what was not quoted is split at spaces.
    fn fields(&mut self, word: &Word) -> Result<Vec<String>, Stop> {
        let mut fields: Vec<String> = Vec::new();
        let mut open = false;
        let mut quoted_any = false;
        for part in word {
            let value = self.value(part)?;
            let splits = match part {
                Part::Text(_, quoted) => {
                    quoted_any |= *quoted;
                    false
                }
                Part::Variable(_, _, quoted) | Part::Output(_, quoted) => {
                    quoted_any |= *quoted;
                    !*quoted
                }
                Part::Sum(_) => false,
            };
            if !splits {
                append(&mut fields, &mut open, &value);
                continue;
            }
            if value.starts_with(char::is_whitespace) {
                open = false;
            }
            for (index, piece) in value.split_whitespace().enumerate() {
                if index > 0 {
                    open = false;
                }
                append(&mut fields, &mut open, piece);
            }
            if value.ends_with(char::is_whitespace) {
                open = false;
            }
        }
        if fields.is_empty() && quoted_any {
            fields.push(String::new());
        }
        Ok(fields)
    }

    fn value(&mut self, part: &Part) -> Result<String, Stop> {
        match part {
            Part::Text(text, _) => Ok(text.clone()),
            Part::Variable(name, default, _) => {
                let value = self.variable(name);
                match (value.is_empty(), default) {
                    (true, Some(default)) => {
                        let word = words::parse_text(default).unwrap_or_default();
                        self.expand(&word)
                    }
                    _ => Ok(value),
                }
            }
            Part::Output(script, _) => {
                let before = std::mem::take(&mut self.output);
                let outcome = self.script(script);
                let printed = std::mem::replace(&mut self.output, before);
                match outcome {
                    Ok(code) | Err(Stop::Exit(code)) => self.last_code = code,
                    Err(Stop::Forever) => return Err(Stop::Forever),
                }
                Ok(printed.trim_end_matches('\n').to_owned())
            }
            Part::Sum(word) => {
                let text = self.expand(word)?;
                let names = |name: &str| self.variable(name);
                Ok(calculate::calculate(&text, &names).to_string())
            }
        }
    }

    fn variable(&self, name: &str) -> String {
        match name {
            "?" => self.last_code.to_string(),
            "$" | "!" => "1".to_owned(),
            "#" => (1..=9)
                .take_while(|index| self.variables.contains_key(&index.to_string()))
                .count()
                .to_string(),
            "@" | "*" => (1..=9)
                .map_while(|index| self.variables.get(&index.to_string()).cloned())
                .collect::<Vec<_>>()
                .join(" "),
            "PWD" => self.folder.clone(),
            name => {
                if let Some(name) = name.strip_prefix('#') {
                    return self.variable(name).chars().count().to_string();
                }
                // `${name%suffix}`, `${name#prefix}` and their greedy forms.
                if let Some((name, end)) = name.split_once('%') {
                    let value = self.variable(name);
                    let end = end.trim_start_matches('%');
                    return match end.strip_suffix('*').or(Some(end)) {
                        Some(fixed) if end.ends_with('*') && !fixed.is_empty() => {
                            let at = value.rfind(fixed).unwrap_or(value.len());
                            value.split_at(at).0.to_owned()
                        }
                        _ => value.strip_suffix(end).unwrap_or(&value).to_owned(),
                    };
                }
                if let Some((name, start)) = name.split_once('#') {
                    let value = self.variable(name);
                    let start = start.trim_start_matches('#');
                    return match start.strip_prefix('*') {
                        Some(fixed) => value
                            .rsplit_once(fixed)
                            .map_or(value.clone(), |(_, rest)| rest.to_owned()),
                        None => value.strip_prefix(start).unwrap_or(&value).to_owned(),
                    };
                }
                self.variables.get(name).cloned().unwrap_or_default()
            }
        }
    }
}

fn append(fields: &mut Vec<String>, open: &mut bool, piece: &str) {
    match fields.last_mut().filter(|_| *open) {
        Some(last) => last.push_str(piece),
        None => fields.push(piece.to_owned()),
    }
    *open = true;
}

#[cfg(test)]
mod cases;
