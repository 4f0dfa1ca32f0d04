//! Lists of servers in `config.toml`, such as `[[metrics]]`, and the logins in them.
//!
//! Secrets are named, never written: `password-env`, `bearer-token-file` and the like. A variable
//! or a file that is not there is a mistake that is reported, without its content.

use super::{Environment, Problem};
use crate::domain::nearest::nearest;
use crate::domain::servers::{Login, Secret};
use std::path::{Path, PathBuf};
use toml::{Table, Value};

/// Settings of every login.
pub(super) const LOGIN: [&str; 9] = [
    "username",
    "password-env",
    "password-file",
    "bearer-token-env",
    "bearer-token-file",
    "client-certificate",
    "client-key",
    "certificate-authority",
    "headers",
];

/// A list that a file may hold.
pub(super) struct Section<'s> {
    /// Its name: `metrics`.
    pub(super) name: &'static str,
    /// Its settings besides those of a login.
    pub(super) own: &'static [&'static str],
    pub(super) path: &'s Path,
    pub(super) text: &'s str,
    pub(super) environment: &'s Environment,
}

/// Reads every entry of a list; mistakes are added to `problems`.
pub(super) fn read<T>(
    section: &Section<'_>,
    problems: &mut Vec<Problem>,
    one: impl Fn(&mut Reader<'_>, &Table) -> T,
) -> Vec<T> {
    // A file that is no TOML was reported already.
    let Ok(table) = section.text.parse::<Table>() else {
        return Vec::new();
    };
    let Some(entries) = table.get(section.name) else {
        return Vec::new();
    };
    let heading = format!("[[{}]]", section.name);
    let lines: Vec<usize> = section
        .text
        .lines()
        .enumerate()
        .filter(|(_, line)| line.trim() == heading)
        .map(|(at, _)| at + 1)
        .collect();
    let problem = |line: usize, sentence: String| Problem {
        path: section.path.to_owned(),
        line,
        sentence,
    };
    let Some(items) = entries.as_array() else {
        let sentence = format!("`{}` is a list: write `{heading}`", section.name);
        problems.push(problem(0, sentence));
        return Vec::new();
    };
    let mut read = Vec::new();
    for (at, item) in items.iter().enumerate() {
        let line = lines.get(at).copied().unwrap_or(0);
        let mut reader = Reader {
            environment: section.environment,
            wrong: Vec::new(),
        };
        if let Some(item) = item.as_table() {
            reader.check_names(section, item);
            read.push(one(&mut reader, item));
        }
        let wrong = reader.wrong.into_iter();
        problems.extend(wrong.map(|sentence| problem(line, sentence)));
    }
    read
}

/// Reads one entry and remembers what is wrong with it.
pub(super) struct Reader<'e> {
    pub(super) environment: &'e Environment,
    pub(super) wrong: Vec<String>,
}

impl Reader<'_> {
    fn check_names(&mut self, section: &Section<'_>, table: &Table) {
        let known = || section.own.iter().copied().chain(LOGIN);
        for name in table.keys() {
            if !known().any(|one| one == name) {
                let hint = nearest(name, known()).map(|near| format!("; did you mean `{near}`?"));
                self.wrong.push(format!(
                    "`{name}` is not a setting of `[[{}]]`{}",
                    section.name,
                    hint.unwrap_or_default()
                ));
            }
        }
    }

    pub(super) fn login(&mut self, table: &Table) -> Login {
        let mut login = Login {
            username: self.text(table, "username"),
            password: self.secret(table, "password"),
            bearer_token: self.secret(table, "bearer-token"),
            client_certificate: self.text(table, "client-certificate").map(PathBuf::from),
            client_key: self.text(table, "client-key").map(PathBuf::from),
            certificate_authority: self.text(table, "certificate-authority").map(PathBuf::from),
            headers: Vec::new(),
        };
        let headers = table.get("headers").and_then(Value::as_table);
        for (name, value) in headers.into_iter().flatten() {
            match value.as_str() {
                Some(text) => login.headers.push((name.clone(), Secret::new(text))),
                None => self
                    .wrong
                    .push(format!("the header `{name}` takes a string")),
            }
        }
        login
    }

    pub(super) fn text(&mut self, table: &Table, name: &str) -> Option<String> {
        let value = table.get(name)?;
        let text = value.as_str().map(String::from);
        if text.is_none() {
            self.wrong.push(format!("`{name}` takes a string"));
        }
        text
    }

    /// Reads a list of strings.
    pub(super) fn texts(&mut self, table: &Table, name: &str) -> Vec<String> {
        let Some(value) = table.get(name) else {
            return Vec::new();
        };
        let items = value.as_array().map(Vec::as_slice);
        let texts: Option<Vec<String>> = items.and_then(|all| {
            all.iter()
                .map(|one| Some(one.as_str()?.to_owned()))
                .collect()
        });
        if texts.is_none() {
            self.wrong.push(format!("`{name}` takes a list of strings"));
        }
        texts.unwrap_or_default()
    }

    pub(super) fn address(&mut self, table: &Table, name: &str) -> Option<String> {
        let address = self.text(table, name)?;
        let is_url = address.starts_with("http://") || address.starts_with("https://");
        let is_service = !address.contains("://") && address.split('/').count() == 2;
        if is_url || is_service {
            return Some(address);
        }
        self.wrong.push(format!(
            "`{name}` takes a URL, or NAMESPACE/NAME:PORT of a Service"
        ));
        None
    }

    /// A secret in a variable (`NAME-env`) or in a file (`NAME-file`).
    pub(super) fn secret(&mut self, table: &Table, name: &str) -> Option<Secret> {
        if let Some(variable) = self.text(table, &format!("{name}-env")) {
            let found = self.environment.secret(&variable);
            if found.is_none() {
                self.wrong.push(format!(
                    "`{name}-env`: the variable `{variable}` is not set"
                ));
            }
            return found.map(Secret::new);
        }
        let file = self.text(table, &format!("{name}-file"))?;
        match std::fs::read_to_string(&file) {
            Ok(text) => Some(Secret::new(text.trim_end())),
            Err(error) => {
                self.wrong
                    .push(format!("`{name}-file`: cannot read `{file}`: {error}"));
                None
            }
        }
    }
}
