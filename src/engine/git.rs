//! Commits to manifest repositories: an image is set where Argo CD reads it, so that it lasts.
//!
//! One commit is fetched without its past, files are changed line by line, and what is new is pushed
//! on top of it. A branch that somebody else moved meanwhile is looked at anew, once; nobody's commit
//! is ever written over.

mod edit;
mod server;
mod snapshot;
mod source;
mod wire;

pub(super) use server::finding;
pub(super) use source::{Wish, narrowed, whole};

use crate::api::convert::application::ApplicationReader;
use crate::domain::application::Application;
use crate::domain::image::{CommitPlan, ImagePlan, NoCommit, short_commit};
use crate::domain::object::{ObjectRef, Text, Uid};
use crate::domain::rollout::Keeper;
use crate::engine::facts::text;
use crate::engine::rollout::keeper::keeper_of;
use crate::engine::session::Session;
use edit::{Edit, edit};
use serde_json::Value;
use server::Repository;
use snapshot::{NewCommit, Snapshot, Words};
use source::managed_by;
use std::sync::Arc;
use wire::{NotPushed, Refs, Service};

/// A commit that can be made at once.
#[derive(Debug)]
pub(super) struct Ready {
    pub(super) plan: CommitPlan,
    /// As it was when the plan was made.
    pub(super) application: Value,
    repository: Repository,
    refs: Refs,
    /// Full name, such as `refs/heads/main`.
    branch: String,
    snapshot: Arc<Snapshot>,
    edit: Edit,
}

/// Answers how an image can be set on an object.
pub(super) async fn plan(
    session: &Session,
    object: &ObjectRef,
    (container, image): (&Text, &Text),
) -> Result<ImagePlan, crate::domain::finding::Finding> {
    let live = session.object_or_finding(object).await?;
    let image = whole(&live, container, image).map_err(|why| {
        let doing = format!("cannot set the image of `{}`", object.path());
        finding(&doing, &why)
    })?;
    let container = narrowed(&live, container, &image);
    let wish = Wish {
        object,
        live: &live,
        container,
        image: &image,
    };
    let ready = prepare(session, &wish).await;
    let keeper = keeper(session, object, &live).await;
    let uid = text(&live, &["metadata", "uid"]);
    Ok(ImagePlan {
        object: object.clone(),
        uid: (!uid.is_empty()).then(|| Uid(uid.into())),
        container: container.into(),
        image: image.into(),
        commit: ready.map(|ready| ready.plan),
        keeper,
    })
}

/// Returns the Application that keeps an object as git has it.
pub(super) async fn keeper(session: &Session, object: &ObjectRef, live: &Value) -> Option<Keeper> {
    let (_, value) = managed_by(session, object, live).await?;
    Some(keeper_of(&read(session, &value)))
}

fn read(session: &Session, application: &Value) -> Application {
    let mut reader = ApplicationReader::new(session.cluster.clone());
    reader.row(&application.to_string())
}

/// Reads the repository and works out what a commit would change. Nothing is written.
pub(super) async fn prepare(session: &Session, wish: &Wish<'_>) -> Result<Ready, NoCommit> {
    let managed = managed_by(session, wish.object, wish.live).await;
    let (app, application) = managed.ok_or_else(|| NoCommit {
        unmanaged: true,
        ..NoCommit::new("no Application manages it", "set it by the patch")
    })?;
    let source = source::source_of(&application)?;
    let wanted = source::wanted(session, wish, &application, &source).await?;
    let namespace = match text(&application, &["status", "controllerNamespace"]) {
        "" => session.options.argocd_namespace.as_str(),
        namespace => namespace,
    };
    let repository = server::find(session, &source.url, namespace).await?;
    let fetched = repository.refs(session, Service::Fetch).await?;
    let branch = branch_of(&fetched, &source.revision)?;
    let head = fetched.by_name.get(&branch).cloned().unwrap_or_default();
    // Whether the account may push is known before anybody is asked to confirm.
    let refs = repository.refs(session, Service::Push).await?;
    let pack = repository.fetch(session, &fetched, &head).await?;
    let at = head.clone();
    let work = tokio::task::spawn_blocking(move || {
        let unreadable = |why| {
            NoCommit::new(
                format!("the commit cannot be read: {why}"),
                "try again in a moment",
            )
        };
        let snapshot = Snapshot::unpack(&at, &pack).map_err(unreadable)?;
        let opened = snapshot.open().map_err(unreadable)?;
        let edit = edit(&opened, &wanted)?;
        Ok((snapshot, edit))
    });
    let (snapshot, edit) = work.await.unwrap_or_else(|error| Err(broken(&error)))?;
    let short = branch.strip_prefix("refs/heads/").unwrap_or(&branch);
    Ok(Ready {
        plan: CommitPlan {
            application: app,
            repository: repository.shown.as_str().into(),
            branch: short.into(),
            head: head.into(),
            account: repository.account().into(),
            changes: edit.changes.clone(),
            auto_sync: read(session, &application).auto_sync.on,
        },
        application,
        repository,
        refs,
        branch,
        snapshot: Arc::new(snapshot),
        edit,
    })
}

fn broken(error: &tokio::task::JoinError) -> NoCommit {
    NoCommit::new(
        format!("the work on the commit broke off: {error}"),
        "try again",
    )
}

/// Returns the branch that an Application follows; a tag or a commit would not move.
fn branch_of(refs: &Refs, revision: &str) -> Result<String, NoCommit> {
    if matches!(revision, "" | "HEAD") {
        return refs.head().map(str::to_owned).ok_or_else(|| {
            NoCommit::new("its repository has no branch yet", "push a first commit")
        });
    }
    let names = [format!("refs/heads/{revision}"), revision.to_owned()];
    let known = |name: &String| name.starts_with("refs/heads/") && refs.by_name.contains_key(name);
    names.into_iter().find(known).ok_or_else(|| {
        let reason = format!("it follows `{revision}`, which is no branch and stays where it is");
        NoCommit::new(
            reason,
            "change its target revision, or let it follow a branch",
        )
    })
}

/// A commit that the server has taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Committed {
    pub(super) id: String,
    pub(super) plan: CommitPlan,
}

/// Makes the commit and pushes it; once more on top of what somebody else pushed meanwhile.
pub(super) async fn commit(
    session: &Session,
    wish: &Wish<'_>,
    ready: Ready,
) -> Result<Committed, NoCommit> {
    match push(session, wish, &ready).await? {
        Ok(id) => Ok(Committed {
            id,
            plan: ready.plan,
        }),
        Err(NotPushed::Refused(why)) => Err(refused(&ready, &why)),
        Err(NotPushed::Moved) => {
            let again = prepare(session, wish).await?;
            match push(session, wish, &again).await? {
                Ok(id) => Ok(Committed {
                    id,
                    plan: again.plan,
                }),
                Err(NotPushed::Refused(why)) => Err(refused(&again, &why)),
                Err(NotPushed::Moved) => {
                    let branch = &again.plan.branch;
                    let reason =
                        format!("others keep pushing to `{branch}`; nothing of theirs was changed");
                    Err(NoCommit::new(reason, "try again in a moment"))
                }
            }
        }
    }
}

fn refused(ready: &Ready, why: &str) -> NoCommit {
    let reason = format!("`{}`: {why}", ready.plan.repository);
    let hint = "is the branch protected, or does a hook check commits? Nothing was changed";
    NoCommit::new(reason, hint)
}

async fn push(
    session: &Session,
    wish: &Wish<'_>,
    ready: &Ready,
) -> Result<Result<String, NotPushed>, NoCommit> {
    let words = words(session, wish, ready);
    let (snapshot, files) = (Arc::clone(&ready.snapshot), ready.edit.files.clone());
    let made = tokio::task::spawn_blocking(move || snapshot.open()?.commit(&files, &words));
    let made = made.await.map_err(|error| broken(&error))?;
    let NewCommit { id, pack } = made
        .map_err(|why| NoCommit::new(format!("the commit cannot be made: {why}"), "try again"))?;
    let commits = (&*ready.plan.head, id.as_str());
    let pushed = ready
        .repository
        .push(session, &ready.refs, (commits, &ready.branch, &pack));
    match pushed.await {
        Ok(Ok(())) => Ok(Ok(id)),
        Ok(Err(why)) => Ok(Err(why)),
        // No answer does not mean that it was not taken.
        Err(trouble) => match ready.repository.refs(session, Service::Fetch).await {
            Ok(now) if now.by_name.get(&ready.branch) == Some(&id) => Ok(Ok(id)),
            Ok(_) | Err(_) => Err(trouble),
        },
    }
}

/// Says who commits, and what for.
fn words(session: &Session, wish: &Wish<'_>, ready: &Ready) -> Words {
    let named = session.options.username.as_deref();
    let user = named.unwrap_or(&session.context.user);
    let plain = |text: &str| -> String {
        let legal = text
            .chars()
            .filter(|one| !matches!(one, '<' | '>') && !one.is_control());
        legal.collect::<String>().trim().to_owned()
    };
    let user = match plain(user) {
        user if user.is_empty() => String::from("tiphys"),
        user => user,
    };
    let configured = ready.repository.author.as_deref().and_then(|author| {
        let (name, rest) = author.split_once('<')?;
        Some((plain(name), plain(rest)))
    });
    let (name, email) = configured.unwrap_or_else(|| {
        let letters = user.chars().map(|one| {
            if one.is_ascii_alphanumeric() {
                one
            } else {
                '-'
            }
        });
        let email = format!("{}@localhost", letters.collect::<String>().to_lowercase());
        (user.clone(), email)
    });
    let app = &ready.plan.application.name;
    let message = format!(
        "Set the image of {app} to {}\n\nAsked for by {user} with tiphys, for {}.\n",
        wish.image, wish.object
    );
    Words {
        name,
        email,
        message,
        at: session.now(),
    }
}

/// Returns what a commit did, in words.
pub(super) fn done(committed: &Committed) -> String {
    let plan = &committed.plan;
    let files: Vec<String> = plan
        .changes
        .iter()
        .map(|one| format!("`{}`", one.path))
        .collect();
    format!(
        "commit {} on `{}` of `{}` changes {}",
        short_commit(&committed.id),
        plan.branch,
        plan.repository,
        files.join(", ")
    )
}
