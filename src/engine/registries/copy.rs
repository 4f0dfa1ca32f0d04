//! Copies within a plain registry: what is in one repository is mounted into the other, so that no
//! layer is carried (distribution specification, "Mounting a blob from another repository").

use super::oci::{Resolved, Want};
use super::registry::{Kind, Registry, Trouble};
use super::route::Asked;
use crate::api::convert::oci::Manifest;
use crate::domain::image::{Digest, Reference};
use crate::engine::session::Session;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use http::Method;

impl Registry {
    /// Lets another repository have an artifact: under a tag, else by its digest.
    pub(in crate::engine) async fn copy(
        &self,
        session: &Session,
        (from, digest): (&str, &Digest),
        to: &Reference,
    ) -> Result<(), Trouble> {
        let read = self.known(session, from, digest).await?;
        let tag = to.tag.as_deref().unwrap_or(digest.text());
        self.copy_parts(session, (from, &to.repository), &read)
            .await?;
        let body = (&*read.media_type, read.bytes);
        self.put_manifest(session, (&to.repository, tag), body)
            .await
            .map_err(|trouble| trouble.doing(&format!("write the manifest to `{}`", to.repository)))
    }

    async fn known(
        &self,
        session: &Session,
        repository: &str,
        digest: &Digest,
    ) -> Result<Resolved, Trouble> {
        let read = self.resolve(session, repository, digest.text()).await?;
        read.ok_or_else(|| {
            let sentence = format!("`{}` has no manifest `{digest}`", self.host);
            let hint = "it may have been deleted a moment ago";
            Trouble::new(Kind::Absent, sentence, hint)
        })
    }

    /// Copies what a manifest refers to; a registry takes no manifest before that is there.
    fn copy_parts<'a>(
        &'a self,
        session: &'a Session,
        (from, to): (&'a str, &'a str),
        read: &'a Resolved,
    ) -> BoxFuture<'a, Result<(), Trouble>> {
        async move {
            match &read.manifest {
                Manifest::Image { config, layers, .. } => {
                    let blobs = std::iter::once(&config.digest);
                    for blob in blobs.chain(layers.iter().map(|layer| &layer.digest)) {
                        self.mount(session, (from, to), blob).await?;
                    }
                }
                Manifest::Index(platforms) => {
                    for platform in platforms {
                        let child = self.known(session, from, &platform.digest).await?;
                        self.copy_parts(session, (from, to), &child).await?;
                        let place = (to, child.digest.text().as_ref());
                        let body = (&*child.media_type, child.bytes.clone());
                        self.put_manifest(session, place, body).await?;
                    }
                }
            }
            Ok(())
        }
        .boxed()
    }

    async fn mount(
        &self,
        session: &Session,
        (from, to): (&str, &str),
        blob: &Digest,
    ) -> Result<(), Trouble> {
        let path = format!("/v2/{to}/blobs/uploads/?mount={blob}&from={from}");
        let asked = Asked::new(Method::POST, path);
        let want = Want::Mount { from };
        let reply = self.v2_good(session, (to, want), asked).await;
        let reply =
            reply.map_err(|trouble| trouble.doing(&format!("share a layer with `{to}`")))?;
        if reply.code == 201 {
            return Ok(());
        }
        // It would rather be sent the bytes, and has begun to wait for them.
        let begun = self.route.path_of(reply.header("location"));
        if !begun.is_empty() {
            let stop = Asked::new(Method::DELETE, begun);
            if let Err(trouble) = self.v2(session, (to, want), stop).await {
                tracing::debug!(%trouble.sentence, "an upload was begun and not ended");
            }
        }
        let sentence = format!(
            "`{}` does not share layers between `{from}` and `{to}`",
            self.host
        );
        let hint = "may the account pull from the one and push to the other? Else copy it with `skopeo copy --all`";
        Err(Trouble::new(Kind::Refused, sentence, hint))
    }
}
