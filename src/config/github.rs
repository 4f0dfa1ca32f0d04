//! `[[github]]` of `config.toml`: where runs of GitHub Actions are read, by context.
//!
//! The token comes from `bearer-token-env` or `bearer-token-file`, else from `TIPHYS_GITHUB_TOKEN` or
//! `GITHUB_TOKEN`. `TIPHYS_GITHUB_REPOSITORIES` and `TIPHYS_GITHUB_URL` do without a file. A token
//! alone is not enough to ask GitHub anything: shells carry one for other programs.

use super::section::{self, Section};
use super::{Environment, Problem};
use crate::domain::servers::{GitHubOptions, Login, Secret};
use std::path::Path;

const OWN: &[&str] = &["context", "url", "repositories"];

/// Reads every `[[github]]`; mistakes are added to `problems`.
pub(super) fn read(
    path: &Path,
    text: &str,
    environment: &Environment,
    problems: &mut Vec<Problem>,
) -> Vec<GitHubOptions> {
    let section = Section {
        name: "github",
        own: OWN,
        path,
        text,
        environment,
    };
    section::read(&section, problems, |reader, table| {
        let repositories = reader.texts(table, "repositories");
        for one in repositories.iter().filter(|one| !is_repository(one)) {
            reader
                .wrong
                .push(format!("`{one}` is not a repository: write OWNER/NAME"));
        }
        let mut login = reader.login(table);
        login.bearer_token = login.bearer_token.or_else(|| token(environment));
        GitHubOptions {
            context: reader
                .text(table, "context")
                .unwrap_or_else(|| String::from("*")),
            url: reader.address(table, "url"),
            repositories: repositories
                .into_iter()
                .filter(|one| is_repository(one))
                .collect(),
            login,
        }
    })
}

/// Returns what the environment names, for every context that no file speaks of.
pub(super) fn of_environment(environment: &Environment) -> Option<GitHubOptions> {
    let url = environment.get("TIPHYS_GITHUB_URL").map(String::from);
    let listed = environment.get("TIPHYS_GITHUB_REPOSITORIES");
    let listed = listed.into_iter().flat_map(|list| list.split([',', ' ']));
    let repositories: Vec<String> = listed
        .filter(|one| is_repository(one))
        .map(String::from)
        .collect();
    (url.is_some() || !repositories.is_empty()).then(|| GitHubOptions {
        context: String::from("*"),
        url,
        repositories,
        login: Login {
            bearer_token: token(environment),
            ..Login::default()
        },
    })
}

fn token(environment: &Environment) -> Option<Secret> {
    let names = ["TIPHYS_GITHUB_TOKEN", "GITHUB_TOKEN"];
    let found = names.iter().find_map(|name| environment.get(name));
    found.map(Secret::new)
}

fn is_repository(text: &str) -> bool {
    let halves = text.split_once('/');
    halves.is_some_and(|(owner, name)| !owner.is_empty() && !name.is_empty() && !name.contains('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories_are_read_and_the_token_comes_from_the_environment() {
        let text = "[[github]]\nurl = 'https://ghe.example.com/api/v3'\n\
            repositories = ['shop/app', 'shop']\n[[github]]\nrepositories = 'shop/app'\n";
        let environment = Environment::of(&[("GITHUB_TOKEN", "t0ken")]);
        let mut problems = Vec::new();

        let read = read(Path::new("c.toml"), text, &environment, &mut problems);

        assert_eq!(read[0].repositories, ["shop/app"]);
        let token = read[0].login.bearer_token.as_ref().map(Secret::reveal);
        assert_eq!(token, Some("t0ken"));
        let said: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(
            said,
            [
                "c.toml:1: `shop` is not a repository: write OWNER/NAME",
                "c.toml:4: `repositories` takes a list of strings",
            ]
        );
    }

    #[test]
    fn a_token_alone_asks_nobody() {
        let token = ("TIPHYS_GITHUB_TOKEN", "t0ken");
        assert_eq!(of_environment(&Environment::of(&[token])), None);

        let named = ("TIPHYS_GITHUB_REPOSITORIES", "shop/app, shop/web");
        let options = of_environment(&Environment::of(&[token, named])).expect("named");
        assert_eq!(options.repositories, ["shop/app", "shop/web"]);
        assert!(options.login.bearer_token.is_some());
    }
}
