//! `[[metrics]]` of `config.toml`: metrics servers by context.

use super::section::{self, Section};
use super::{Environment, Problem};
use crate::domain::servers::MetricsOptions;
use std::path::Path;

const OWN: &[&str] = &["context", "prometheus", "alertmanager"];

/// Reads every `[[metrics]]`; mistakes are added to `problems`.
pub(super) fn read(
    path: &Path,
    text: &str,
    environment: &Environment,
    problems: &mut Vec<Problem>,
) -> Vec<MetricsOptions> {
    let section = Section {
        name: "metrics",
        own: OWN,
        path,
        text,
        environment,
    };
    section::read(&section, problems, |reader, table| {
        let options = MetricsOptions {
            context: reader
                .text(table, "context")
                .unwrap_or_else(|| String::from("*")),
            prometheus: reader.address(table, "prometheus"),
            alertmanager: reader.address(table, "alertmanager"),
            login: reader.login(table),
        };
        if options.prometheus.is_none() && options.alertmanager.is_none() {
            let sentence = "it names neither `prometheus` nor `alertmanager`";
            reader.wrong.push(sentence.to_owned());
        }
        options
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::servers::Secret;

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
