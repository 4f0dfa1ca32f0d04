//! Small programs that scripts are made of.

use super::{Flow, Shell, Stop};

const PROCESS_SECONDS: f64 = 0.01;
const UNKNOWN_SECONDS: f64 = 0.5;

impl Shell<'_> {
    pub(super) fn builtin(&mut self, name: &str, arguments: &[String]) -> Flow {
        self.seconds += PROCESS_SECONDS;
        let short = name.rsplit('/').next().unwrap_or(name);
        let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
        match short {
            "true" | ":" => Ok(0),
            "false" => Ok(1),
            "exit" | "return" => {
                let code = words.first().and_then(|code| code.parse::<i32>().ok());
                let code = code.unwrap_or(self.last_code);
                // A function's return is taken as its last command.
                if short == "return" {
                    Ok(code)
                } else {
                    Err(Stop::Exit(code & 0xff))
                }
            }
            "sleep" => self.sleep(&words),
            "set" => {
                for word in words {
                    if let Some(letters) = word.strip_prefix('-') {
                        self.strict |= letters.contains('e');
                    }
                }
                Ok(0)
            }
            "export" | "local" | "readonly" | "declare" => {
                for word in words {
                    if let Some((name, value)) = word.split_once('=') {
                        self.variables.insert(name.to_owned(), value.to_owned());
                    }
                }
                Ok(0)
            }
            "unset" => {
                for word in words {
                    self.variables.remove(word);
                }
                Ok(0)
            }
            "test" | "[" | "[[" => Ok(self.test(arguments)),
            "eval" => self.script(&words.join(" ")),
            "sh" | "bash" | "ash" | "exec" | "env" | "sudo" | "time" | "nohup" => {
                self.nested(short, arguments)
            }
            _ => Ok(self.text_program(short, &words)),
        }
    }

    fn sleep(&mut self, words: &[&str]) -> Flow {
        let word = words.first().copied().unwrap_or("0");
        if word == "infinity" {
            return Err(Stop::Forever);
        }
        let (number, unit) = match word.strip_suffix(['s', 'm', 'h', 'd']) {
            Some(number) => {
                let unit = match word.chars().last() {
                    Some('m') => 60.0,
                    Some('h') => 3600.0,
                    Some('d') => 86_400.0,
                    _ => 1.0,
                };
                (number, unit)
            }
            None => (word, 1.0),
        };
        match number.parse::<f64>() {
            Ok(number) if number >= 0.0 && number.is_finite() => {
                self.seconds += number * unit;
                Ok(0)
            }
            Ok(_) | Err(_) => {
                self.print(&format!("sleep: invalid number '{word}'\n"));
                Ok(1)
            }
        }
    }

    /// Runs a command that another one runs.
    fn nested(&mut self, name: &str, arguments: &[String]) -> Flow {
        let is_shell = matches!(name, "sh" | "bash" | "ash");
        let mut rest = arguments;
        while let Some((first, after)) = rest.split_first() {
            if is_shell && first.starts_with('-') && first.ends_with('c') {
                let script = after.first().cloned().unwrap_or_default();
                return match self.script(&script) {
                    Err(Stop::Exit(code)) => Ok(code),
                    other => other,
                };
            }
            if let Some((name, value)) = first.split_once('=').filter(|_| name == "env") {
                self.variables.insert(name.to_owned(), value.to_owned());
            } else if !first.starts_with('-') {
                if is_shell {
                    let script = self.files_at(first).cloned().unwrap_or_default();
                    return self.script(&script);
                }
                return self.call(first, after);
            }
            rest = after;
        }
        match self.input.take().filter(|_| is_shell) {
            Some(script) => self.script(&script),
            None => Ok(0),
        }
    }

    fn text_program(&mut self, name: &str, words: &[&str]) -> i32 {
        match name {
            "echo" => self.echo(words),
            "printf" => self.printf(words),
            "cat" => return self.cat(words),
            "tee" => {
                let text = self.input.take().unwrap_or_default();
                let append = words.contains(&"-a");
                for path in words.iter().filter(|word| !word.starts_with('-')) {
                    let before = self.files_at(path).filter(|_| append).cloned();
                    self.write(path, before.unwrap_or_default() + &text);
                }
                self.print(&text);
            }
            "cd" | "pushd" | "pwd" | "mkdir" | "touch" | "rm" | "rmdir" | "cp" | "mv" | "ls" => {
                return self.file_program(name, words);
            }
            "uname" => self.print("Linux\n"),
            "hostname" => self.print("pod\n"),
            "whoami" => self.print("root\n"),
            "date" => self.print("\n"),
            "seq" => self.seq(words),
            "expr" => {
                let sum = super::calculate::calculate(&words.join(" "), &|_| String::new());
                self.print(&format!("{sum}\n"));
            }
            "basename" => {
                let path = words.first().copied().unwrap_or_default();
                let name = path
                    .trim_end_matches('/')
                    .rsplit('/')
                    .next()
                    .unwrap_or(path);
                let name = words
                    .get(1)
                    .and_then(|end| name.strip_suffix(end))
                    .unwrap_or(name);
                self.print(&format!("{name}\n"));
            }
            "dirname" => {
                let path = words.first().copied().unwrap_or_default();
                let folder = path.rsplit_once('/').map_or(".", |(folder, _)| folder);
                self.print(&format!("{folder}\n"));
            }
            _ => return self.filter(name, words),
        }
        0
    }

    /// Runs a program that works on files and folders.
    fn file_program(&mut self, name: &str, words: &[&str]) -> i32 {
        match name {
            "cd" | "pushd" => self.folder = self.absolute(words.first().unwrap_or(&"/root")),
            "pwd" => self.print(&format!("{}\n", self.folder.clone())),
            "mkdir" => {
                for path in words.iter().filter(|word| !word.starts_with('-')) {
                    self.make_folder(path);
                }
            }
            "touch" => {
                for path in words.iter().filter(|word| !word.starts_with('-')) {
                    if !self.is_file(path) {
                        self.write(path, String::new());
                    }
                }
            }
            "rm" | "rmdir" => {
                for path in words.iter().filter(|word| !word.starts_with('-')) {
                    self.remove(path);
                }
            }
            "cp" | "mv" => return self.copy(name, words),
            "ls" => {
                let path = words.iter().find(|word| !word.starts_with('-'));
                let path = path.copied().unwrap_or(".");
                if !self.is_folder(path) && !self.is_file(path) {
                    self.print(&format!("ls: {path}: No such file or directory\n"));
                    return 1;
                }
                let names = self.names_in(path);
                let lines: String = names.iter().map(|name| format!("{name}\n")).collect();
                self.print(&lines);
            }
            _ => {}
        }
        0
    }

    fn echo(&mut self, words: &[&str]) {
        let mut words = words;
        let (mut newline, mut escapes) = (true, false);
        while let Some((first, rest)) = words.split_first() {
            match *first {
                "-n" => newline = false,
                "-e" => escapes = true,
                "-ne" | "-en" => {
                    newline = false;
                    escapes = true;
                }
                _ => break,
            }
            words = rest;
        }
        let mut text = words.join(" ");
        if escapes {
            text = unescaped(&text);
        }
        if newline {
            text.push('\n');
        }
        self.print(&text);
    }

    fn printf(&mut self, words: &[&str]) {
        let Some((format, arguments)) = words.split_first() else {
            return;
        };
        let mut arguments = arguments.iter();
        let mut text = String::new();
        loop {
            let mut letters = format.chars().peekable();
            let mut used = false;
            while let Some(c) = letters.next() {
                if c != '%' {
                    text.push(c);
                    continue;
                }
                while letters
                    .peek()
                    .is_some_and(|c| c.is_ascii_digit() || "-.0".contains(*c))
                {
                    letters.next();
                }
                match letters.next() {
                    Some('%') | None => text.push('%'),
                    Some(_) => {
                        text.push_str(arguments.next().unwrap_or(&""));
                        used = true;
                    }
                }
            }
            if !used || arguments.len() == 0 {
                break;
            }
        }
        self.print(&unescaped(&text));
    }

    fn cat(&mut self, words: &[&str]) -> i32 {
        let paths: Vec<&&str> = words.iter().filter(|word| !word.starts_with('-')).collect();
        if paths.is_empty() {
            let text = self.input.take().unwrap_or_default();
            self.print(&text);
            return 0;
        }
        let mut code = 0;
        for path in paths {
            match self.files_at(path).cloned() {
                Some(text) => self.print(&text),
                None if path.starts_with("/etc/") || path.starts_with("/proc/") => {
                    self.print("NAME=\"Linux\"\n");
                }
                None => {
                    self.print(&format!(
                        "cat: can't open '{path}': No such file or directory\n"
                    ));
                    code = 1;
                }
            }
        }
        code
    }

    fn copy(&mut self, name: &str, words: &[&str]) -> i32 {
        let paths: Vec<&&str> = words.iter().filter(|word| !word.starts_with('-')).collect();
        let [sources @ .., target] = paths.as_slice() else {
            return 1;
        };
        let mut code = 0;
        for source in sources {
            let text = self.files_at(source).cloned();
            let Some(text) = text else {
                if !self.is_folder(source) {
                    self.print(&format!(
                        "{name}: can't stat '{source}': No such file or directory\n"
                    ));
                    code = 1;
                }
                continue;
            };
            let file = source.rsplit('/').next().unwrap_or(source);
            let path = if target.ends_with('/') || self.is_folder(target) {
                format!("{}/{file}", target.trim_end_matches('/'))
            } else {
                (**target).to_owned()
            };
            self.write(&path, text);
            if name == "mv" {
                self.remove(source);
            }
        }
        code
    }

    fn seq(&mut self, words: &[&str]) {
        let numbers: Vec<i64> = words.iter().filter_map(|word| word.parse().ok()).collect();
        let (first, last) = match numbers.as_slice() {
            [last] => (1, *last),
            [first, last] | [first, _, last] => (*first, *last),
            _ => return,
        };
        let lines: String = (first..=last.min(first + 10_000))
            .map(|n| format!("{n}\n"))
            .collect();
        self.print(&lines);
    }

    /// Runs a program that works on lines.
    fn filter(&mut self, name: &str, words: &[&str]) -> i32 {
        if !matches!(
            name,
            "head" | "tail" | "wc" | "sort" | "uniq" | "tr" | "cut" | "grep" | "awk" | "jq"
        ) {
            return self.tool(name, words);
        }
        let text = match self.input.take() {
            Some(text) => text,
            None => {
                let file = words.iter().rev().find(|word| self.is_file(word));
                file.and_then(|path| self.files_at(path).cloned())
                    .unwrap_or_default()
            }
        };
        if name == "grep" {
            return self.grep(&text, words);
        }
        let made = transformed(name, &text, words);
        self.print(&made);
        0
    }

    fn grep(&mut self, text: &str, words: &[&str]) -> i32 {
        let pattern = words
            .iter()
            .find(|word| !word.starts_with('-'))
            .copied()
            .unwrap_or_default();
        let inverted = words.contains(&"-v");
        let regex = regex::Regex::new(pattern).ok();
        let is_match = |line: &&str| {
            let found = regex
                .as_ref()
                .map_or_else(|| line.contains(pattern), |regex| regex.is_match(line));
            found != inverted
        };
        let found: Vec<&str> = text.lines().filter(|line| is_match(line)).collect();
        let code = i32::from(found.is_empty());
        if !words.contains(&"-q") {
            self.print(&joined(&found));
        }
        code
    }

    /// Runs a program that nobody wrote here, and remembers to say so.
    pub(super) fn stranger(&mut self, name: &str) -> i32 {
        if !self.strangers.iter().any(|known| known == name) {
            self.strangers.push(name.to_owned());
        }
        self.unknown()
    }

    /// Takes something to end well without a word.
    pub(super) fn unknown(&mut self) -> i32 {
        self.input = None;
        self.seconds += UNKNOWN_SECONDS;
        0
    }
}

fn joined(lines: &[&str]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// Returns what a filter makes of a text.
fn transformed(name: &str, text: &str, words: &[&str]) -> String {
    let value_of = |flag: &str| {
        let at = words.iter().position(|word| *word == flag)?;
        words.get(at + 1).copied()
    };
    let count = || {
        let number =
            value_of("-n").or_else(|| words.iter().find_map(|word| word.strip_prefix('-')));
        number
            .and_then(|number| number.parse::<usize>().ok())
            .unwrap_or(10)
    };
    let lines: Vec<&str> = text.lines().collect();
    match name {
        "head" => joined(lines.get(..count().min(lines.len())).unwrap_or_default()),
        "tail" => {
            let skip = lines.len().saturating_sub(count());
            joined(lines.get(skip..).unwrap_or_default())
        }
        "wc" if words.contains(&"-l") => format!("{}\n", lines.len()),
        "wc" if words.contains(&"-w") => format!("{}\n", text.split_whitespace().count()),
        "wc" => format!("{}\n", text.len()),
        "sort" => {
            let mut sorted = lines;
            sorted.sort_unstable();
            joined(&sorted)
        }
        "uniq" => {
            let mut kept = lines;
            kept.dedup();
            joined(&kept)
        }
        "tr" => translate(text, words),
        "cut" => {
            let delimiter = cut_flag(words, "-d").unwrap_or("\t");
            let field: usize = cut_flag(words, "-f")
                .and_then(|f| f.parse().ok())
                .unwrap_or(1);
            let pick = |line: &&str| {
                line.split(delimiter)
                    .nth(field.saturating_sub(1))
                    .unwrap_or_default()
                    .to_owned()
            };
            lines.iter().map(|line| pick(line) + "\n").collect()
        }
        _ => text.to_owned(),
    }
}

fn cut_flag<'w>(words: &[&'w str], flag: &str) -> Option<&'w str> {
    let at = words.iter().position(|word| word.starts_with(flag))?;
    let word = words.get(at)?;
    let value = word.strip_prefix(flag).filter(|value| !value.is_empty());
    value.or_else(|| words.get(at + 1).copied())
}

fn translate(text: &str, words: &[&str]) -> String {
    match words {
        ["-d", letters] => {
            let letters = unescaped(letters);
            text.chars().filter(|c| !letters.contains(*c)).collect()
        }
        [from, to] => {
            let (from, to) = (spelled_out(from), spelled_out(to));
            let swap = |c: char| {
                let at = from.iter().position(|one| *one == c);
                at.and_then(|at| to.get(at).or_else(|| to.last()))
                    .copied()
                    .unwrap_or(c)
            };
            text.chars().map(swap).collect()
        }
        _ => text.to_owned(),
    }
}

fn spelled_out(set: &str) -> Vec<char> {
    match set {
        "a-z" | "[:lower:]" | "[a-z]" => ('a'..='z').collect(),
        "A-Z" | "[:upper:]" | "[A-Z]" => ('A'..='Z').collect(),
        "0-9" | "[:digit:]" => ('0'..='9').collect(),
        other => unescaped(other).chars().collect(),
    }
}

fn unescaped(text: &str) -> String {
    let mut plain = String::new();
    let mut letters = text.chars();
    while let Some(c) = letters.next() {
        if c != '\\' {
            plain.push(c);
            continue;
        }
        match letters.next() {
            Some('n') => plain.push('\n'),
            Some('t') => plain.push('\t'),
            Some('r') => plain.push('\r'),
            Some(c) => plain.push(c),
            None => plain.push('\\'),
        }
    }
    plain
}
