//! Setting an image by a commit in the manifest repository.
//!
//! The commit is accepted when the git server has taken it, and observed when Argo CD shows the
//! revision: synced where auto-sync is on, compared where a person syncs.

use super::observe::Expectation;
use super::{Accepted, Errand, text};
use crate::api::convert::application_kind;
use crate::domain::finding::Finding;
use crate::domain::image::{NoCommit, short_commit};
use crate::engine::git::{self, Committed, Wish};
use crate::engine::resource::Resource;
use crate::engine::transport::{Call, MERGE_PATCH};
use http::Method;
use serde_json::{Value, json};

impl Errand {
    /// Commits an image; by a patch instead where git has nothing to do with the object and
    /// `or_patch` allows it.
    pub(super) async fn commit_image(
        &self,
        (container, image): (&str, &str),
        or_patch: bool,
    ) -> Result<Accepted, Finding> {
        let live = self.target().await?;
        let image = git::whole(&live, container, image);
        let image = &*image.map_err(|why| self.no_commit(&why))?;
        let container = git::narrowed(&live, container, image);
        let wish = Wish {
            object: &self.intent.target,
            live: &live,
            container,
            image,
        };
        let ready = match git::prepare(&self.session, &wish).await {
            Ok(ready) => ready,
            Err(why) if or_patch => return self.patch_instead(&live, &why, &wish).await,
            Err(why) => return Err(self.no_commit(&why)),
        };
        if self.dry_run {
            let plan = &ready.plan;
            return Ok(Accepted::dry(format!(
                "`{}` would push a commit to `{}` of `{}`: {}; nothing was changed",
                plan.account,
                plan.branch,
                plan.repository,
                plan.words()
            )));
        }
        let before = revision(&ready.application);
        let committed = git::commit(&self.session, &wish, ready).await;
        let committed = committed.map_err(|why| self.no_commit(&why))?;
        Ok(self.committed(&committed, before).await)
    }

    pub(super) fn no_commit(&self, why: &NoCommit) -> Finding {
        git::finding(&self.cannot(), why)
    }

    /// Refuses with what would help, by either route.
    fn or_by_patch(&self, why: &NoCommit, patch: &str) -> Finding {
        let mut finding = self.no_commit(why);
        finding.hint = Some(format!("{}; {patch}", why.hint).into());
        finding
    }

    /// A patch that would be put back is not sent without being asked for by name.
    async fn patch_instead(
        &self,
        live: &Value,
        why: &NoCommit,
        wish: &Wish<'_>,
    ) -> Result<Accepted, Finding> {
        let keeper = git::keeper(&self.session, wish.object, live).await;
        if wish.object.kind == application_kind() {
            let patch = "with `route=patch` the Application overrides the image itself";
            return Err(self.or_by_patch(why, patch));
        }
        if let Some(keeper) = keeper.filter(|keeper| keeper.self_heal) {
            let app = keeper.application.path();
            let patch = format!(
                "self-heal of `{app}` would set a patch back; `route=patch` does it all the same"
            );
            return Err(self.or_by_patch(why, &patch));
        }
        let mut accepted = self.set_image(wish.container, wish.image).await?;
        if !why.unmanaged {
            accepted.detail = format!("{} (no commit: {})", accepted.detail, why.reason);
        }
        Ok(accepted)
    }

    /// Tells Argo CD of the commit and says what to wait for.
    async fn committed(&self, committed: &Committed, before: String) -> Accepted {
        let application = committed.plan.application.clone();
        let mut detail = git::done(committed);
        if let Some(resource) = Resource::known(&application.kind) {
            let path = format!("{}?fieldManager=tiphys", resource.object(&application));
            let body = json!({ "metadata": { "annotations": {
                "argocd.argoproj.io/refresh": "normal" } } });
            let call = Call::new(Method::PATCH, path).body(MERGE_PATCH, &body);
            // Without that right Argo CD finds the commit by itself, a little later.
            if self.session.send(call).await.is_err() {
                detail = format!("{detail}; Argo CD finds it when it looks again");
            }
        }
        let expects = Expectation::Commit {
            id: committed.id.clone(),
            head: committed.plan.head.to_string(),
            before,
            auto_sync: committed.plan.auto_sync,
        };
        Accepted {
            of: Some(application),
            ..Accepted::waiting(detail, expects)
        }
    }
}

/// Returns the revision that an Application was compared with, of its only source or its first.
pub(super) fn revision(application: &Value) -> String {
    let own = text(application, &["status", "sync", "revision"]);
    if !own.is_empty() {
        return own.to_owned();
    }
    let several = crate::engine::facts::items(application, &["status", "sync", "revisions"]);
    let first = several.first().and_then(Value::as_str);
    first.unwrap_or_default().to_owned()
}

/// Says what an Application shows of a commit; nothing yet, what is seen, or what went wrong.
pub(super) fn look(
    application: &Value,
    (id, head, before): (&str, &str, &str),
    auto_sync: bool,
) -> Option<Result<String, String>> {
    let now = revision(application);
    let several = crate::engine::facts::items(application, &["status", "sync", "revisions"]);
    let has = now == id || several.iter().any(|one| one.as_str() == Some(id));
    let later = !has && !now.is_empty() && now != before && now != head;
    if !has && !later {
        return None;
    }
    let status = text(application, &["status", "sync", "status"]);
    let name = text(application, &["metadata", "name"]);
    if later {
        let (now, id) = (short_commit(&now), short_commit(id));
        return Some(Ok(format!("`{name}` is at {now}, which came after {id}")));
    }
    let id = short_commit(id);
    if status == "Synced" {
        return Some(Ok(format!("`{name}` is Synced to {id}")));
    }
    if !auto_sync {
        return Some(Ok(format!(
            "`{name}` is {status} with {id}: sync it to roll it out"
        )));
    }
    let state = ["status", "operationState"];
    let of = |field: &str| text(application, &[state[0], state[1], field]);
    let synced = text(
        application,
        &["status", "operationState", "syncResult", "revision"],
    );
    let failed = matches!(of("phase"), "Failed" | "Error") && short_commit(synced) == id;
    failed.then(|| {
        Err(format!(
            "the sync to {id} ended as {}: {}",
            of("phase"),
            of("message")
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app(revision: &str, status: &str) -> Value {
        json!({"metadata": {"name": "web"}, "status": {"sync": {"revision": revision, "status": status}}})
    }

    #[test]
    fn a_commit_is_seen_when_the_application_shows_it() {
        let look = |app: &Value, auto| look(app, ("new0000", "head000", "old0000"), auto);
        assert_eq!(look(&app("old0000", "Synced"), true), None);
        assert_eq!(look(&app("head000", "OutOfSync"), true), None);
        assert_eq!(look(&app("new0000", "OutOfSync"), true), None);
        let synced = look(&app("new0000", "Synced"), true);
        assert_eq!(synced, Some(Ok(String::from("`web` is Synced to new0000"))));
        let by_hand = look(&app("new0000", "OutOfSync"), false);
        let sentence = "`web` is OutOfSync with new0000: sync it to roll it out";
        assert_eq!(by_hand, Some(Ok(sentence.to_owned())));
        let later = look(&app("more000", "OutOfSync"), true);
        assert_eq!(
            later,
            Some(Ok(String::from(
                "`web` is at more000, which came after new0000"
            )))
        );
        let mut failed = app("new0000", "OutOfSync");
        failed["status"]["operationState"] = json!({"phase": "Failed", "message": "no quota",
            "syncResult": {"revision": "new0000"}});
        assert_eq!(
            look(&failed, true),
            Some(Err(String::from(
                "the sync to new0000 ended as Failed: no quota"
            )))
        );
    }
}
