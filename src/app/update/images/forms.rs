//! The forms of dialogs on images, robot accounts and registries.

#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "commands that are not named belong to other modules"
)]

use super::{chosen_images, chosen_registry, chosen_robots, image_row, robot_row};
use crate::app::commands::Command;
use crate::app::overlays::dialog::{Field, FieldId, FieldValue, Form, ImageForm};
use crate::app::state::State;
use crate::app::update::subject::Subject;
use crate::domain::image::{
    ImageVerb, Reference, RegistryRow, RobotWish, is_tag, projects_kind, robots_kind,
};
use crate::domain::intent::Verb;
use crate::domain::object::Text;
use tui_input::Input;

/// Returns the form of a command on registries with what it is about.
pub(in crate::app::update) fn form_of(
    state: &State,
    command: Command,
) -> Option<(Form, Vec<Subject>)> {
    let worded = |verb: ImageVerb| Form::Worded(Box::new(Verb::Image(verb)));
    let registry = || {
        let object = chosen_registry(state)?;
        Some(vec![Subject { object, uid: None }])
    };
    Some(match command {
        Command::Scan => (worded(ImageVerb::Scan), chosen_images(state)),
        Command::StopScan => (worded(ImageVerb::StopScan), chosen_images(state)),
        Command::MakeSbom => (worded(ImageVerb::MakeSbom), chosen_images(state)),
        Command::Tag => (Form::Image(ImageForm::Tag), chosen_images(state)),
        Command::Untag => {
            let chosen = chosen_images(state);
            let tags = image_row(state, &chosen.first()?.object)?.tags.clone();
            (Form::Image(ImageForm::Untag { tags }), chosen)
        }
        Command::CopyImage => (Form::Image(ImageForm::Copy), chosen_images(state)),
        Command::ScanAll => (worded(ImageVerb::ScanAll), registry()?),
        Command::CreateRobot => {
            let projects = projects_of(state);
            (
                Form::Image(ImageForm::CreateRobot { projects }),
                registry()?,
            )
        }
        Command::RefreshRobot => (worded(ImageVerb::RefreshRobot), chosen_robots(state)),
        Command::SwitchRobot => {
            let chosen = chosen_robots(state);
            let mut rows = chosen
                .iter()
                .filter_map(|one| robot_row(state, &one.object));
            let on = rows.all(|row| row.disabled);
            (worded(ImageVerb::SwitchRobot { on }), chosen)
        }
        Command::Delete if !chosen_images(state).is_empty() => {
            (worded(ImageVerb::Delete), chosen_images(state))
        }
        Command::Delete if !chosen_robots(state).is_empty() => {
            (worded(ImageVerb::DeleteRobot), chosen_robots(state))
        }
        _ => return None,
    })
}

/// Projects whose names are known from tables that were open.
fn projects_of(state: &State) -> Vec<Text> {
    let mut names: Vec<Text> = Vec::new();
    if let Some(table) = state.store.table(&projects_kind()) {
        names.extend(table.rows().map(|row| Text::clone(&row.object().name)));
    }
    if let Some(table) = state.store.table(&robots_kind()) {
        let rows = table.rows().filter_map(crate::store::Row::registry);
        names.extend(rows.filter_map(|row| match row {
            RegistryRow::Robot(row) => row.project.clone(),
            _ => None,
        }));
    }
    names.sort();
    names.dedup();
    names
}

fn typed(at: usize, label: &str, value: &str, hint: &str) -> Field {
    Field {
        id: FieldId::Parameter(at),
        label: label.into(),
        value: FieldValue::Text(Input::new(value.to_owned())),
        hint: hint.into(),
    }
}

/// Returns the fields of the forms on images and accounts.
pub(in crate::app::update) fn fields(form: &ImageForm) -> Vec<Field> {
    match form {
        ImageForm::Tag => vec![
            typed(0, "Tag", "", "such as 1.4.2"),
            Field {
                id: FieldId::Force,
                label: "Move it".into(),
                value: FieldValue::Toggle(false),
                hint: "take it from another artifact that has it".into(),
            },
        ],
        ImageForm::Untag { tags } => vec![Field {
            id: FieldId::Parameter(0),
            label: "Tag".into(),
            value: FieldValue::Choice {
                options: tags.clone(),
                chosen: 0,
            },
            hint: "".into(),
        }],
        ImageForm::Copy => vec![typed(0, "To", "", "project/repository, or with :tag")],
        ImageForm::CreateRobot { projects } => {
            let mut levels: Vec<Text> = vec!["the system".into()];
            levels.extend(projects.iter().cloned());
            vec![
                typed(0, "Name", "", "without the prefix"),
                Field {
                    id: FieldId::Parameter(1),
                    label: "Of".into(),
                    value: FieldValue::Choice {
                        options: levels,
                        chosen: usize::from(!projects.is_empty()),
                    },
                    hint: "".into(),
                },
                typed(2, "May", "pull", "pull,push,scan:create …"),
                typed(3, "Days", "30", "or never"),
                typed(4, "Says", "", "what it is for"),
            ]
        }
    }
}

/// Returns what a form on images asks for.
///
/// # Errors
/// A sentence that says why it cannot be asked like this.
pub(in crate::app::update) fn verb_of(
    form: &ImageForm,
    value: &dyn Fn(&FieldId) -> String,
) -> Result<ImageVerb, String> {
    let field = |at: usize| value(&FieldId::Parameter(at));
    let tag_of = |text: String| {
        if is_tag(&text) {
            Ok(Text::from(text))
        } else if text.is_empty() {
            Err(String::from("write a tag"))
        } else {
            Err(format!("`{text}` cannot be a tag"))
        }
    };
    Ok(match form {
        ImageForm::Tag => ImageVerb::Tag {
            tag: tag_of(field(0))?,
            moves: value(&FieldId::Force) == "true",
        },
        ImageForm::Untag { .. } => ImageVerb::Untag {
            tag: tag_of(field(0))?,
        },
        ImageForm::Copy => {
            let to = field(0);
            if to.split('/').count() < 2 || Reference::parse(&format!("r.io/{to}")).is_none() {
                return Err(String::from(
                    "write where to: project/repository, or with :tag",
                ));
            }
            ImageVerb::Copy { to: to.into() }
        }
        ImageForm::CreateRobot { .. } => create_robot(&field)?,
    })
}

fn create_robot(field: &dyn Fn(usize) -> String) -> Result<ImageVerb, String> {
    let days = match field(3).trim() {
        "never" | "-1" => None,
        text => Some(text.parse().map_err(|_not_a_number| {
            format!("`{text}` is not a number of days; write one, or `never`")
        })?),
    };
    let level = field(1);
    let wish = RobotWish {
        name: field(0).into(),
        project: (level != "the system" && !level.is_empty()).then(|| level.into()),
        description: field(4).into(),
        days,
        permissions: Vec::new(),
    };
    if wish.name.is_empty() {
        return Err(String::from("write a name"));
    }
    let wish = wish
        .with_permissions(&field(2))
        .ok_or("permissions are words such as `pull,push,scan:create`")?;
    match wish.problem() {
        Some(problem) => Err(problem),
        None => Ok(ImageVerb::CreateRobot(Box::new(wish))),
    }
}

/// Returns what stands above the dialog of a form.
pub(in crate::app::update) fn title(form: &ImageForm) -> &'static str {
    match form {
        ImageForm::Tag => "Tag",
        ImageForm::Untag { .. } => "Take a tag away",
        ImageForm::Copy => "Copy by digest",
        ImageForm::CreateRobot { .. } => "Create a robot account",
    }
}
