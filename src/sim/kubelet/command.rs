//! What a container's command does, as far as a few shell words tell.
//!
//! Hooks and jobs are often `sh -c 'echo …; sleep 5; exit 1'`. Those words are followed; a
//! command with anything else in it behaves as its image does.

use k8s_openapi::api::core::v1::Container;

/// What a followed command comes to.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Outcome {
    pub(super) seconds: f64,
    pub(super) code: i32,
    pub(super) lines: Vec<String>,
    /// It sleeps for good.
    pub(super) forever: bool,
}

/// Returns what a container's command does, if all of it can be followed.
pub(super) fn follow(container: &Container) -> Option<Outcome> {
    let words: Vec<String> = container
        .command
        .iter()
        .flatten()
        .chain(container.args.iter().flatten())
        .cloned()
        .collect();
    follow_words(&words)
}

fn follow_words(words: &[String]) -> Option<Outcome> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let shell = words.first()?.rsplit('/').next().unwrap_or_default();
    if matches!(shell, "sh" | "bash" | "ash") {
        let flag = words.get(1)?;
        if !(flag.starts_with('-') && flag.ends_with('c')) {
            return None;
        }
        return script(words.get(2)?);
    }
    let mut outcome = Outcome::default();
    step(&words, &mut outcome)?;
    Some(outcome)
}

fn script(text: &str) -> Option<Outcome> {
    let mut outcome = Outcome::default();
    for line in text.split(['\n', ';']).flat_map(|line| line.split("&&")) {
        let words: Vec<&str> = line.split_whitespace().collect();
        if words.is_empty() || words.first().is_some_and(|word| *word == "set") {
            continue;
        }
        let is_exit = words.first().is_some_and(|word| *word == "exit");
        step(&words, &mut outcome)?;
        if is_exit || outcome.forever || outcome.code != 0 {
            break;
        }
    }
    Some(outcome)
}

fn step(words: &[&str], outcome: &mut Outcome) -> Option<()> {
    let (name, arguments) = words.split_first()?;
    match *name {
        "true" | ":" => outcome.code = 0,
        "false" => outcome.code = 1,
        "exit" => {
            outcome.code = arguments
                .first()
                .map_or(Some(0), |code| code.parse().ok())?;
        }
        "sleep" => {
            let span = arguments.first()?;
            if *span == "infinity" {
                outcome.forever = true;
            } else {
                outcome.seconds += seconds(span)?;
            }
        }
        "echo" => {
            let text = arguments.join(" ");
            if text.contains(['$', '`', '>', '|']) {
                return None;
            }
            outcome
                .lines
                .push(text.trim_matches(['"', '\'']).to_owned());
        }
        _ => return None,
    }
    Some(())
}

fn seconds(span: &str) -> Option<f64> {
    let (number, unit) = match span.strip_suffix(['s', 'm', 'h']) {
        Some(number) if span.ends_with('m') => (number, 60.0),
        Some(number) if span.ends_with('h') => (number, 3600.0),
        Some(number) => (number, 1.0),
        None => (span, 1.0),
    };
    let number: f64 = number.parse().ok()?;
    (number.is_finite() && number >= 0.0).then_some(number * unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(words: &[&str]) -> Option<Outcome> {
        follow(&Container {
            command: Some(words.iter().map(|word| (*word).to_owned()).collect()),
            ..Container::default()
        })
    }

    #[test]
    fn a_script_of_known_words_is_followed() {
        let outcome = run(&[
            "/bin/sh",
            "-c",
            "echo \"migrating\"; sleep 2 && exit 3; echo no",
        ])
        .expect("it can be followed");

        assert!((outcome.seconds - 2.0).abs() < f64::EPSILON);
        assert_eq!(outcome.code, 3);
        assert_eq!(outcome.lines, ["migrating"]);
    }

    #[test]
    fn unknown_words_leave_it_to_the_image() {
        assert_eq!(run(&["sh", "-c", "psql -f /x.sql"]), None);
        assert_eq!(run(&["/app/server"]), None);
        assert_eq!(run(&[]), None);
    }
}
