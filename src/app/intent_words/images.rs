//! Intents on images and on accounts of registries in words.
//!
//! `scan registry.example.com/team/app:1.2`, `refresh-robot registry.example.com/robot$team+ci`: the
//! host comes first, because two registries may have the same names.

use super::{IntentWord, Worded, WordsProblem, example};
use crate::domain::image::{
    ImageVerb, Reference, RobotWish, image_object, is_tag, registries_kind, robots_kind,
};
use crate::domain::intent::Verb;
use crate::domain::object::{Cluster, GroupKind, Text};

/// What a word is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum For {
    Image,
    Robot,
    Registry,
    Application,
}

const OWN: [(&str, For); 14] = [
    ("override-image", For::Application),
    ("scan", For::Image),
    ("stop-scan", For::Image),
    ("make-sbom", For::Image),
    ("tag", For::Image),
    ("untag", For::Image),
    ("copy-image", For::Image),
    ("delete-image", For::Image),
    ("scan-all", For::Registry),
    ("create-robot", For::Registry),
    ("refresh-robot", For::Robot),
    ("enable-robot", For::Robot),
    ("disable-robot", For::Robot),
    ("delete-robot", For::Robot),
];

/// Returns whether a word is an intent on registries.
pub(super) fn is_own(word: &str) -> bool {
    OWN.iter().any(|(known, _)| *known == word)
}

/// Reads an intent on an image, a robot account or a registry.
pub(super) fn parse<'w>(
    intent: &IntentWord,
    mut words: impl Iterator<Item = &'w str>,
) -> Result<Worded, WordsProblem> {
    let problem = |sentence: String| WordsProblem::new(sentence, Some(example(intent)));
    let Some(target) = words.next().filter(|word| !word.contains('=')) else {
        return Err(problem(format!("`{}` needs a name", intent.word)));
    };
    let mut given: Vec<(&str, &str)> = Vec::new();
    for word in words {
        let Some((name, value)) = word.split_once('=') else {
            return Err(problem(format!(
                "`{word}` is not a parameter: write name=value"
            )));
        };
        if !intent.parameters.contains(&name) {
            let sentence = format!("`{name}` is not a parameter of `{}`", intent.word);
            return Err(problem(sentence));
        }
        given.push((name, value));
    }
    let of = OWN.iter().find(|(word, _)| *word == intent.word);
    let of = of.map_or(For::Image, |(_, of)| *of);
    let (kind, namespace, name) = match of {
        For::Image => {
            image(target).ok_or_else(|| problem(format!("`{target}` is not an image")))?
        }
        For::Robot => {
            robot(target).ok_or_else(|| problem(format!("`{target}` is not HOST/ACCOUNT")))?
        }
        For::Registry => (registries_kind(), None, Text::from(target)),
        For::Application => application(target)
            .ok_or_else(|| problem(format!("`{target}` is not NAMESPACE/NAME")))?,
    };
    let value = |name: &str| {
        let found = given.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| *value)
    };
    let verb = verb(intent, &value).map_err(problem)?;
    Ok(Worded {
        verb: Verb::Image(verb),
        kind,
        namespace,
        name,
    })
}

type Named = (GroupKind, Option<Text>, Text);

fn image(target: &str) -> Option<Named> {
    let target = target.strip_prefix("image/").unwrap_or(target);
    let reference = Reference::parse(target)?;
    let object = image_object(&Cluster("".into()), &reference);
    Some((object.kind, object.namespace, object.name))
}

fn application(target: &str) -> Option<Named> {
    let target = target.strip_prefix("app/").unwrap_or(target);
    let (namespace, name) = target.split_once('/')?;
    let kind = crate::app::screens::applications();
    Some((kind, Some(namespace.into()), name.into()))
}

fn robot(target: &str) -> Option<Named> {
    let target = target.strip_prefix("robot/").unwrap_or(target);
    let (host, name) = target.split_once('/')?;
    (!host.is_empty() && !name.is_empty()).then(|| (robots_kind(), Some(host.into()), name.into()))
}

fn verb<'v>(
    intent: &IntentWord,
    value: &impl Fn(&str) -> Option<&'v str>,
) -> Result<ImageVerb, String> {
    let tag = || {
        let text = value("tag").ok_or_else(|| format!("`{}` needs tag=", intent.word))?;
        if is_tag(text) {
            Ok(Text::from(text))
        } else {
            Err(format!("`{text}` cannot be a tag"))
        }
    };
    Ok(match intent.word {
        "scan" => ImageVerb::Scan,
        "stop-scan" => ImageVerb::StopScan,
        "make-sbom" => ImageVerb::MakeSbom,
        "tag" => ImageVerb::Tag {
            tag: tag()?,
            moves: matches!(value("move"), Some("true" | "yes" | "on")),
        },
        "untag" => ImageVerb::Untag { tag: tag()? },
        "copy-image" => ImageVerb::Copy {
            to: value("to").ok_or("`copy-image` needs to=")?.into(),
        },
        "override-image" => ImageVerb::Override {
            image: value("image")
                .ok_or("`override-image` needs image=")?
                .into(),
        },
        "delete-image" => ImageVerb::Delete,
        "scan-all" => ImageVerb::ScanAll,
        "create-robot" => create_robot(value)?,
        "refresh-robot" => ImageVerb::RefreshRobot,
        "enable-robot" => ImageVerb::SwitchRobot { on: true },
        "disable-robot" => ImageVerb::SwitchRobot { on: false },
        _ => ImageVerb::DeleteRobot,
    })
}

fn create_robot<'v>(value: &impl Fn(&str) -> Option<&'v str>) -> Result<ImageVerb, String> {
    let days =
        match value("days") {
            Some("never") => None,
            Some(text) => Some(text.parse().map_err(|_not_a_number| {
                format!("`days={text}` is neither a number nor `never`")
            })?),
            None => Some(30),
        };
    let wish = RobotWish {
        name: value("name").ok_or("`create-robot` needs name=")?.into(),
        project: value("project").map(Text::from),
        description: value("description").unwrap_or_default().into(),
        days,
        permissions: Vec::new(),
    };
    let may = value("may").unwrap_or("pull");
    let wish = wish
        .with_permissions(may)
        .ok_or_else(|| format!("`may={may}` are no permissions: write may=pull,push"))?;
    match wish.problem() {
        Some(problem) => Err(problem),
        None => Ok(ImageVerb::CreateRobot(Box::new(wish))),
    }
}
