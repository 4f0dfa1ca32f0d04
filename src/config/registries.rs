//! `[[registry]]` and `[[git]]` of `config.toml`: registries and git servers by context, and how to
//! log in there.
//!
//! Secrets are named, never written: a variable, a file, a command or a Kubernetes Secret. What a
//! command prints is asked for when it is needed and kept in memory only.

use super::section::Reader;
use super::{Environment, Problem};
use crate::domain::nearest::nearest;
use crate::domain::servers::{GitOptions, RegistryKind, RegistryOptions};
use std::path::{Path, PathBuf};
use toml::{Table, Value};

/// One of the lists.
struct List {
    name: &'static str,
    settings: &'static [&'static str],
}

const GIT: List = List {
    name: "git",
    settings: &[
        "context",
        "host",
        "url",
        "username",
        "password-env",
        "password-file",
        "password-command",
        "secret",
        "certificate-authority",
        "author",
    ],
};
const REGISTRIES: List = List {
    name: "registry",
    settings: NAMES,
};
const NAMES: &[&str] = &[
    "context",
    "host",
    "url",
    "kind",
    "username",
    "password-env",
    "password-file",
    "password-command",
    "secret",
    "certificate-authority",
];

/// Reads every `[[registry]]`; mistakes are added to `problems`.
pub(super) fn read(
    path: &Path,
    text: &str,
    environment: &Environment,
    problems: &mut Vec<Problem>,
) -> Vec<RegistryOptions> {
    each(
        &REGISTRIES,
        (path, text),
        environment,
        problems,
        |reader, table| options(reader, table, &REGISTRIES),
    )
}

/// Reads every `[[git]]`; mistakes are added to `problems`.
pub(super) fn read_git(
    path: &Path,
    text: &str,
    environment: &Environment,
    problems: &mut Vec<Problem>,
) -> Vec<GitOptions> {
    each(
        &GIT,
        (path, text),
        environment,
        problems,
        |reader, table| {
            let server = options(reader, table, &GIT);
            if server.host.is_none() && server.address.is_some() {
                let sentence = "it needs `host`: that of the sources' URLs";
                reader.wrong.push(String::from(sentence));
            }
            let author = reader.text(table, "author");
            if author
                .as_deref()
                .is_some_and(|one| !(one.contains(" <") && one.ends_with('>')))
            {
                let sentence = "`author` is written as `Name <address>`";
                reader.wrong.push(String::from(sentence));
            }
            GitOptions { server, author }
        },
    )
}

/// Reads every table of a list.
fn each<T>(
    list: &List,
    (path, text): (&Path, &str),
    environment: &Environment,
    problems: &mut Vec<Problem>,
    one: impl Fn(&mut Reader<'_>, &Table) -> T,
) -> Vec<T> {
    // A file that is no TOML was reported already.
    let Ok(table) = text.parse::<Table>() else {
        return Vec::new();
    };
    let Some(items) = table.get(list.name) else {
        return Vec::new();
    };
    let lines: Vec<usize> = text
        .lines()
        .enumerate()
        .filter(|(_, line)| line.trim() == format!("[[{}]]", list.name))
        .map(|(at, _)| at + 1)
        .collect();
    let problem = |line: usize, sentence: String| Problem {
        path: path.to_owned(),
        line,
        sentence,
    };
    let Some(items) = items.as_array() else {
        let sentence = format!("`{0}` is a list: write `[[{0}]]`", list.name);
        problems.push(problem(0, sentence));
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
            read.push(one(&mut reader, item));
        }
        let wrong = reader.wrong.into_iter();
        problems.extend(wrong.map(|sentence| problem(line, sentence)));
    }
    read
}

fn options(reader: &mut Reader<'_>, table: &Table, list: &List) -> RegistryOptions {
    for name in table.keys() {
        if !list.settings.contains(&name.as_str()) {
            let near = nearest(name, list.settings.iter().copied());
            let hint = near.map(|near| format!("; did you mean `{near}`?"));
            reader.wrong.push(format!(
                "`{name}` is not a setting of `[[{}]]`{}",
                list.name,
                hint.unwrap_or_default()
            ));
        }
    }
    let mut options = RegistryOptions {
        context: reader
            .text(table, "context")
            .unwrap_or_else(|| String::from("*")),
        host: reader.text(table, "host").map(|host| host.to_lowercase()),
        address: reader.address(table, "url"),
        kind: kind_in(reader, table, list),
        command: command(reader, table),
        secret: secret(reader, table),
        ..RegistryOptions::default()
    };
    if options.host.is_none() && options.address.is_none() {
        let sentence = "it names neither `host` nor `url`";
        reader.wrong.push(String::from(sentence));
    }
    let login = &mut options.login;
    login.username = reader.text(table, "username");
    login.password = reader.secret(table, "password");
    login.certificate_authority = reader
        .text(table, "certificate-authority")
        .map(PathBuf::from);
    if login.password.is_some() && login.username.is_none() {
        let sentence =
            "a password needs a `username`; of a robot it is the full name, such as `robot$ci`";
        reader.wrong.push(String::from(sentence));
    }
    options
}

/// Only registries are of several kinds.
fn kind_in(reader: &mut Reader<'_>, table: &Table, list: &List) -> RegistryKind {
    if list.settings.contains(&"kind") {
        kind(reader, table)
    } else {
        RegistryKind::Auto
    }
}

fn kind(reader: &mut Reader<'_>, table: &Table) -> RegistryKind {
    match reader.text(table, "kind").as_deref() {
        None | Some("auto") => RegistryKind::Auto,
        Some("harbor") => RegistryKind::Harbor,
        Some("oci") => RegistryKind::Oci,
        Some(other) => {
            reader.wrong.push(format!(
                "`kind` is `auto`, `harbor` or `oci`, not `{other}`"
            ));
            RegistryKind::Auto
        }
    }
}

/// A list of words, or one program without arguments.
fn command(reader: &mut Reader<'_>, table: &Table) -> Option<Vec<String>> {
    let words = match table.get("password-command")? {
        Value::String(word) => vec![word.clone()],
        Value::Array(words) => words
            .iter()
            .filter_map(|word| word.as_str().map(String::from))
            .collect(),
        Value::Integer(_)
        | Value::Float(_)
        | Value::Boolean(_)
        | Value::Datetime(_)
        | Value::Table(_) => Vec::new(),
    };
    if words.is_empty() || words.iter().any(String::is_empty) {
        let sentence = "`password-command` takes a program, or a list of it and its arguments";
        reader.wrong.push(String::from(sentence));
        return None;
    }
    Some(words)
}

fn secret(reader: &mut Reader<'_>, table: &Table) -> Option<String> {
    let named = reader.text(table, "secret")?;
    if named.split('/').count() == 2 && named.split('/').all(|part| !part.is_empty()) {
        return Some(named);
    }
    let sentence = "`secret` takes NAMESPACE/NAME of a Secret";
    reader.wrong.push(String::from(sentence));
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::servers::Secret;

    #[test]
    fn git_servers_are_read_like_registries() {
        let text = "[[git]]\nhost = 'github.com'\nurl = 'https://github.com'\n\
            username = 'bot'\npassword-env = 'TOKEN'\nauthor = 'Bot <bot@example.com>'\n\
            [[git]]\nurl = 'https://git.example.com'\nauthor = 'me'\nkind = 'x'\n";
        let environment = Environment::of(&[("TOKEN", "s3cret")]);
        let mut problems = Vec::new();

        let read = read_git(Path::new("c.toml"), text, &environment, &mut problems);

        assert_eq!(read.len(), 2);
        assert_eq!(read[0].server.host.as_deref(), Some("github.com"));
        assert_eq!(read[0].author.as_deref(), Some("Bot <bot@example.com>"));
        let said: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(
            said,
            [
                "c.toml:7: `kind` is not a setting of `[[git]]`",
                "c.toml:7: it needs `host`: that of the sources' URLs",
                "c.toml:7: `author` is written as `Name <address>`",
            ]
        );
    }

    #[test]
    fn registries_are_read_and_every_mistake_is_told() {
        let text = "[[registry]]\nhost = 'Harbor.example.com'\nusername = 'robot$cockpit'\n\
            password-env = 'HARBOR'\n\
            [[registry]]\nurl = 'harbor/harbor-core:80'\npassword-command = ['pass', 'harbor']\n\
            [[registry]]\nkind = 'quay'\nsecret = 'x'\npasword-env = 'X'\n";
        let environment = Environment::of(&[("HARBOR", "s3cret")]);
        let mut problems = Vec::new();

        let read = read(Path::new("c.toml"), text, &environment, &mut problems);

        assert_eq!(read.len(), 3);
        assert_eq!(read[0].host.as_deref(), Some("harbor.example.com"));
        let password = read[0].login.password.as_ref().map(Secret::reveal);
        assert_eq!(password, Some("s3cret"));
        assert_eq!(
            read[1].command.as_deref(),
            Some(&["pass".to_owned(), "harbor".to_owned()][..])
        );
        assert!(!format!("{read:?}").contains("s3cret"));
        let said: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(
            said,
            [
                "c.toml:8: `pasword-env` is not a setting of `[[registry]]`; did you mean `password-env`?",
                "c.toml:8: `kind` is `auto`, `harbor` or `oci`, not `quay`",
                "c.toml:8: `secret` takes NAMESPACE/NAME of a Secret",
                "c.toml:8: it names neither `host` nor `url`",
            ]
        );
    }
}
