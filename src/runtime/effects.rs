//! What the state asks for: the engine, the clipboard, files, the editor, the shell.

use super::Cockpit;
use crate::app::effect::Effect;
use crate::app::msg::Msg;
use crate::domain::intent::{Intent, Verb};
use crate::domain::object::{ObjectRef, Text, Uid};
use crate::engine::EngineHandle;
use crate::engine::protocol::Request;
use crate::term;
use color_eyre::eyre::{Result, WrapErr as _};
use futures::StreamExt as _;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use tokio::sync::mpsc::error::TrySendError;

/// What follows from an effect.
pub(super) enum Outcome {
    Message(Msg),
    Nothing,
}

impl Cockpit {
    pub(super) async fn run_effect(&mut self, effect: Effect) -> Result<Outcome> {
        Ok(match effect {
            Effect::Engine(request) => hand_over(self.engine.as_ref(), request),
            Effect::Copy { text, what } => {
                let copied = term::copy(&text).map(|()| what);
                Outcome::Message(Msg::Copied(copied.map_err(|error| sentence(&error))))
            }
            Effect::Save { name, text } => {
                let saved = save(&self.options.save_folder, &name, &text);
                Outcome::Message(Msg::Saved(saved))
            }
            Effect::Edit { object, uid, text } => self.edit(object, uid, &text).await?,
            Effect::Suspend => {
                self.away(stop_ourselves).await?;
                Outcome::Nothing
            }
            Effect::Repaint => {
                self.painter.forget();
                self.state.dirty = true;
                Outcome::Nothing
            }
            Effect::Quit => Outcome::Nothing,
        })
    }

    async fn edit(&mut self, object: ObjectRef, uid: Option<Uid>, text: &str) -> Result<Outcome> {
        let path = match write_manifest(&object, text) {
            Ok(path) => path,
            Err(error) => {
                let problem = format!("cannot write a file for the editor: {error}");
                return Ok(Outcome::Message(Msg::Edited(Err(problem.into()))));
            }
        };
        let editor = self.options.editor.clone();
        let file = path.clone();
        let ran = self.away(|| run_editor(editor, file)).await?;
        let edited = ran.and_then(|()| std::fs::read_to_string(&path));
        // The file may hold secrets: it goes in any case.
        let _removed = std::fs::remove_file(&path).is_ok();
        let answer = match edited {
            Ok(edited) if edited == text || edited.trim().is_empty() => Ok(None),
            Ok(edited) => Ok(Some(Box::new(Intent {
                target: object,
                uid,
                verb: Verb::Replace {
                    manifest: edited.into(),
                },
            }))),
            Err(error) => {
                let problem = format!("cannot edit with `{}`: {error}", self.options.editor);
                Err(Text::from(problem))
            }
        };
        Ok(Outcome::Message(Msg::Edited(answer)))
    }

    /// Leaves the terminal to somebody else for a while.
    async fn away<F, T>(&mut self, what: impl FnOnce() -> F) -> Result<T>
    where
        F: Future<Output = T>,
    {
        // Two readers of one terminal would steal each other's keys.
        self.inputs = None;
        self.session.pause().wrap_err("cannot leave the terminal")?;
        let answer = what().await;
        self.session.resume().wrap_err("cannot take the terminal")?;
        self.inputs = Some(term::inputs().boxed());
        let size = crossterm::terminal::size().wrap_err("cannot tell the terminal's size")?;
        self.state.size = size;
        self.painter.resize(size);
        self.state.dirty = true;
        Ok(answer)
    }
}

/// Hands a request over without ever waiting.
pub(super) fn hand_over(engine: Option<&EngineHandle>, request: Request) -> Outcome {
    let Some(engine) = engine else {
        return Outcome::Nothing;
    };
    match engine.requests.try_send(request) {
        Ok(()) => Outcome::Nothing,
        Err(TrySendError::Full(request)) => Outcome::Message(Msg::Refused(Box::new(request))),
        Err(TrySendError::Closed(_)) => Outcome::Message(Msg::EngineGone),
    }
}

fn sentence(error: &io::Error) -> Text {
    format!("cannot copy: {error}").into()
}

/// Writes a new file; a name that is taken gets a number.
fn save(folder: &Path, name: &str, text: &str) -> Result<Text, Text> {
    let write = || -> io::Result<PathBuf> {
        std::fs::create_dir_all(folder)?;
        let name = file_name(name);
        let (stem, end) = name.rsplit_once('.').unwrap_or((&name, "txt"));
        for number in 0..10_000 {
            let file = match number {
                0 => format!("{stem}.{end}"),
                number => format!("{stem}-{number}.{end}"),
            };
            let path = folder.join(file);
            match private_file(&path) {
                Ok(mut file) => {
                    file.write_all(text.as_bytes())?;
                    return Ok(path);
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::other("too many files of that name"))
    };
    match write() {
        Ok(path) => Ok(path.display().to_string().into()),
        Err(error) => Err(format!("cannot save into `{}`: {error}", folder.display()).into()),
    }
}

/// Leaves only what is harmless in a file name.
fn file_name(name: &str) -> String {
    let harmless = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let name: String = name
        .chars()
        .map(|c| if harmless(c) { c } else { '-' })
        .collect();
    name.trim_start_matches('.').to_owned()
}

#[cfg(unix)]
fn private_file(path: &Path) -> io::Result<std::fs::File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}

#[cfg(not(unix))]
fn private_file(path: &Path) -> io::Result<std::fs::File> {
    std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)
}

fn write_manifest(object: &ObjectRef, text: &str) -> io::Result<PathBuf> {
    for number in 0..1_000 {
        let name = format!(
            "tiphys-{}-{number}-{}-{}.yaml",
            std::process::id(),
            object.kind.kind,
            object.name
        );
        let path = std::env::temp_dir().join(file_name(&name));
        match private_file(&path) {
            Ok(mut file) => {
                file.write_all(text.as_bytes())?;
                return Ok(path);
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::other("too many files of that name"))
}

async fn run_editor(editor: String, file: PathBuf) -> io::Result<()> {
    let mut words = editor.split_whitespace();
    let program = words.next().unwrap_or("vi");
    let status = tokio::process::Command::new(program)
        .args(words)
        .arg(file)
        .status()
        .await?;
    if status.success() {
        Ok(())
    } else {
        Err(io::Error::other(format!("it ended with {status}")))
    }
}

/// Stops the process as the shell's job control does; returns when it goes on.
async fn stop_ourselves() {
    let own = std::process::id().to_string();
    let stopped = tokio::process::Command::new("kill")
        .args(["-TSTP", &own])
        .status()
        .await;
    if let Err(error) = stopped {
        tracing::warn!(%error, "cannot stop: no `kill` command");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn saved_file_never_replaces_another() {
        let folder = tempfile::tempdir().expect("a folder");

        let first = save(folder.path(), "pods/../x.txt", "one").expect("saved");
        let second = save(folder.path(), "pods/../x.txt", "two").expect("saved");

        assert_ne!(first, second);
        assert!(first.ends_with("pods-..-x.txt"), "{first}");
        let kept = std::fs::read_to_string(&*first).expect("a text");
        assert_eq!(kept, "one");
    }
}
