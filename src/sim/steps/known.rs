//! Behaviours that images are known for: building with kaniko, cloning with git, testing.

use super::behaviour::{Behaviour, Step};
use super::effect::Effect;
use crate::domain::globs;
use crate::sim::kubelet::image::digest_of;
use crate::sim::rng::Rng;

/// Returns what a step does that nothing else was said about.
pub(super) fn behaviour(step: &Step<'_>, rng: &mut Rng) -> Behaviour {
    let is = |pattern: &str| globs::matches(pattern, step.image);
    if is("*kaniko*") || is("*/buildkit*") {
        return build(step, rng);
    }
    if is("*git-clone*") || is("*git-init*") {
        return clone(step, rng);
    }
    let said = step.words.iter().take(3).cloned().collect::<Vec<_>>();
    let said = said.join(" ");
    // What it would leave is not known; its name stands in, so that what follows can go on.
    let outputs = step.note.outputs.keys();
    let mut lines: Vec<String> = said.lines().next().map(str::to_owned).into_iter().collect();
    lines.push(format!(
        "[simulation] no behaviour is declared for `{}`: it is taken to end well",
        step.image
    ));
    lines.extend(outputs.clone().map(|name| {
        format!("[simulation] the output `{name}` is not declared: its name stands in for it")
    }));
    Behaviour {
        seconds: rng.between(1.5, 3.5),
        lines,
        outputs: outputs.map(|name| (name.clone(), name.clone())).collect(),
        ..Behaviour::default()
    }
}

fn parameter(step: &Step<'_>, names: &[&str]) -> Option<String> {
    names
        .iter()
        .find_map(|name| step.note.parameters.get(*name).cloned())
}

fn build(step: &Step<'_>, rng: &mut Rng) -> Behaviour {
    let reference = step
        .flag("--destination")
        .or_else(|| step.flag("-d"))
        .or_else(|| parameter(step, &["image", "IMAGE", "destination"]));
    let file = step
        .flag("--dockerfile")
        .unwrap_or_else(|| "Dockerfile".to_owned());
    let mut behaviour = Behaviour {
        seconds: rng.between(18.0, 26.0),
        lines: vec![
            "INFO[0000] Retrieving image manifest".to_owned(),
            format!("INFO[0001] Building from {file}"),
            "INFO[0004] Unpacking rootfs as cmd RUN requires it.".to_owned(),
            "INFO[0012] Taking snapshot of full filesystem...".to_owned(),
        ],
        ..Behaviour::default()
    };
    let Some(reference) = reference else {
        behaviour.exit_code = 1;
        behaviour.seconds = 0.3;
        behaviour.lines = vec![
            "error building image: you must provide --destination, or use --no-push".to_owned(),
        ];
        return behaviour;
    };
    if step.words.iter().any(|word| word == "--no-push") {
        behaviour
            .lines
            .push("INFO[0015] Skipping push to container registry".to_owned());
        return behaviour;
    }
    let digest = digest_of(&reference);
    behaviour
        .lines
        .push(format!("INFO[0015] Pushing image to {reference}"));
    behaviour
        .lines
        .push(format!("INFO[0018] Pushed {reference}@{digest}"));
    behaviour
        .outputs
        .insert("IMAGE_DIGEST".to_owned(), digest.clone());
    behaviour
        .outputs
        .insert("digest".to_owned(), digest.clone());
    if let Some(path) = step.flag("--digest-file") {
        behaviour.files.insert(path, digest);
    }
    behaviour.effects.push(Effect::PushImage { reference });
    behaviour
}

fn clone(step: &Step<'_>, rng: &mut Rng) -> Behaviour {
    let repository = step
        .flag("-url")
        .or_else(|| parameter(step, &["url", "repo-url", "repo", "URL"]))
        .unwrap_or_default();
    let revision = step
        .flag("-revision")
        .or_else(|| {
            parameter(
                step,
                &["revision", "commit", "commit-sha", "sha", "REVISION"],
            )
        })
        .unwrap_or_default();
    let is_commit = revision.len() == 40 && revision.bytes().all(|byte| byte.is_ascii_hexdigit());
    let commit = if is_commit {
        revision.clone()
    } else {
        rng.hex(40)
    };
    let mut behaviour = Behaviour {
        seconds: rng.between(1.0, 2.5),
        lines: vec![format!(
            "Successfully cloned {repository} @ {commit} (grafted, HEAD)"
        )],
        ..Behaviour::default()
    };
    behaviour.outputs.insert("commit".to_owned(), commit);
    behaviour
        .outputs
        .insert("url".to_owned(), repository.clone());
    if !repository.is_empty() {
        behaviour.effects.push(Effect::Clone {
            repository,
            revision,
        });
    }
    behaviour
}
