//! `[[metrics]]` of `config.toml`: metrics servers by context.
//!
//! Secrets are named, never written: `password-env`, `bearer-token-file` and the like. A variable
//! or a file that is not there is a mistake that is reported, without its content.

use super::{Environment, Problem};
use crate::domain::nearest::nearest;
use crate::domain::servers::{MetricsOptions, Secret};
use std::path::{Path, PathBuf};
use toml::{Table, Value};

const NAMES: &[&str] = &[
    "context",
    "prometheus",
    "alertmanager",
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

/// Reads every `[[metrics]]`; mistakes are added to `problems`.
pub(super) fn read(
    path: &Path,
    text: &str,
    environment: &Environment,
    problems: &mut Vec<Problem>,
) -> Vec<MetricsOptions> {
    // A file that is no TOML was reported already.
    let Ok(table) = text.parse::<Table>() else {
        return Vec::new();
    };
    let Some(metrics) = table.get("metrics") else {
        return Vec::new();
    };
    let lines: Vec<usize> = text
        .lines()
        .enumerate()
        .filter(|(_, line)| line.trim() == "[[metrics]]")
        .map(|(at, _)| at + 1)
        .collect();
    let problem = |line: usize, sentence: String| Problem {
        path: path.to_owned(),
        line,
        sentence,
    };
    let Some(items) = metrics.as_array() else {
        problems.push(problem(
            0,
            String::from("`metrics` is a list: write `[[metrics]]`"),
        ));
        return Vec::new();
    };
    let mut read = Vec::new();
    for (at, item) in items.iter().enumerate() {
        let line = lines.get(at).copied().unwrap_or(0);
        let mut reader = Reader {
            environment,
            wrong: Vec::new(),
        };
        if let Some(item) = item.as_table() {
            read.push(reader.options(item));
        }
        problems.extend(
            reader
                .wrong
                .into_iter()
                .map(|sentence| problem(line, sentence)),
        );
    }
    read
}

/// Reads the settings of one table and remembers what is wrong with them.
pub(super) struct Reader<'e> {
    pub(super) environment: &'e Environment,
    pub(super) wrong: Vec<String>,
}

impl Reader<'_> {
    fn options(&mut self, table: &Table) -> MetricsOptions {
        for name in table.keys() {
            if !NAMES.contains(&name.as_str()) {
                let near = nearest(name, NAMES.iter().copied());
                let hint = near.map(|near| format!("; did you mean `{near}`?"));
                self.wrong.push(format!(
                    "`{name}` is not a setting of `[[metrics]]`{}",
                    hint.unwrap_or_default()
                ));
            }
        }
        let mut options = MetricsOptions {
            context: self
                .text(table, "context")
                .unwrap_or_else(|| String::from("*")),
            prometheus: self.address(table, "prometheus"),
            alertmanager: self.address(table, "alertmanager"),
            ..MetricsOptions::default()
        };
        if options.prometheus.is_none() && options.alertmanager.is_none() {
            self.wrong.push(String::from(
                "it names neither `prometheus` nor `alertmanager`",
            ));
        }
        let login = &mut options.login;
        login.username = self.text(table, "username");
        login.password = self.secret(table, "password");
        login.bearer_token = self.secret(table, "bearer-token");
        login.client_certificate = self.text(table, "client-certificate").map(PathBuf::from);
        login.client_key = self.text(table, "client-key").map(PathBuf::from);
        login.certificate_authority = self.text(table, "certificate-authority").map(PathBuf::from);
        for (name, value) in table
            .get("headers")
            .and_then(Value::as_table)
            .into_iter()
            .flatten()
        {
            match value.as_str() {
                Some(text) => login.headers.push((name.clone(), Secret::new(text))),
                None => self
                    .wrong
                    .push(format!("the header `{name}` takes a string")),
            }
        }
        options
    }

    pub(super) fn text(&mut self, table: &Table, name: &str) -> Option<String> {
        let value = table.get(name)?;
        let text = value.as_str().map(String::from);
        if text.is_none() {
            self.wrong.push(format!("`{name}` takes a string"));
        }
        text
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_read_and_every_mistake_is_told() {
        let text = "theme = 'x'\n[[metrics]]\ncontext = '*prod*'\n\
            prometheus = 'https://prom.example.com'\nbearer-token-env = 'PROM_TOKEN'\n\
            [[metrics]]\nalertmanager = 'monitoring/am:9093'\npasword-env = 'X'\nusername = 3\n";
        let environment = Environment::of(&[("PROM_TOKEN", "t0ken")]);
        let mut problems = Vec::new();

        let read = read(Path::new("c.toml"), text, &environment, &mut problems);

        assert_eq!(read.len(), 2);
        let token = read[0].login.bearer_token.as_ref().map(Secret::reveal);
        assert_eq!(token, Some("t0ken"));
        assert!(
            !format!("{read:?}").contains("t0ken"),
            "secrets are not printed"
        );
        assert_eq!(
            (&*read[1].context, read[1].login.username.as_deref()),
            ("*", None)
        );
        let said: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(
            said,
            [
                "c.toml:6: `pasword-env` is not a setting of `[[metrics]]`; did you mean `password-env`?",
                "c.toml:6: `username` takes a string",
            ]
        );
    }
}
