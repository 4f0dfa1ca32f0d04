//! A container registry: the OCI distribution API over one store in memory.
//!
//! What may be done, and what is told of it, is decided by [`Rules`]: a registry alone lets
//! everybody in; Harbor ([`crate::sim::harbor`]) checks robots, quotas and policies over the same store.
//! All times are platform time.

pub mod api;
pub mod error;
pub mod image;
pub mod manifest;
pub mod store;
pub mod tar;
pub mod text;
mod usage;

use crate::domain::clock::Clock as _;
use crate::sim::clock::PlatformClock;
use chrono::{DateTime, Utc};
use error::OciError;
use http::HeaderMap;
use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use store::Store;

/// What a client wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish<'a> {
    /// Find out whether it is let in at all.
    Ping,
    /// List all repositories.
    Catalog,
    Pull(&'a str),
    Push(&'a str),
    Delete(&'a str),
}

/// What a client has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    Pulled,
    Pushed,
    Deleted,
}

/// Something that was done to an artifact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happening {
    pub deed: Deed,
    pub repository: String,
    pub digest: String,
    /// The tag, or the digest where none was used.
    pub reference: String,
    pub by: String,
}

/// Who is let in, and what a registry is told to refuse.
pub trait Rules: Debug + Send + Sync + 'static {
    /// Lets a client in and returns its name.
    fn admit(&self, headers: &HeaderMap, wish: Wish<'_>) -> Result<String, OciError>;

    /// Refuses to give an artifact out.
    fn before_pull(&self, _repository: &str, _digest: &str, _by: &str) -> Result<(), OciError> {
        Ok(())
    }

    /// Refuses content: a reference (empty for blobs) and how many bytes come.
    fn before_push(
        &self,
        _repository: &str,
        _reference: &str,
        _bytes: u64,
    ) -> Result<(), OciError> {
        Ok(())
    }

    /// Refuses to remove what a tag or digest names.
    fn before_delete(&self, _repository: &str, _reference: &str) -> Result<(), OciError> {
        Ok(())
    }

    /// Is told of what was done.
    fn happened(&self, _happening: &Happening) {}
}

/// Everybody may do everything.
#[derive(Clone, Copy, Debug, Default)]
pub struct Open;

impl Rules for Open {
    fn admit(&self, _headers: &HeaderMap, _wish: Wish<'_>) -> Result<String, OciError> {
        Ok("anonymous".to_owned())
    }
}

/// What a registry can do; older ones lack some of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Abilities {
    /// `GET /v2/_catalog`.
    pub catalog: bool,
    /// The referrers API of distribution 1.1.
    pub referrers: bool,
    /// Manifests and tags can be deleted.
    pub deleting: bool,
    /// Blobs can be mounted from another repository.
    pub mounting: bool,
}

impl Default for Abilities {
    fn default() -> Self {
        Self {
            catalog: true,
            referrers: true,
            deleting: true,
            mounting: true,
        }
    }
}

/// An upload that has begun.
#[derive(Debug, Default)]
struct Upload {
    repository: String,
    bytes: Vec<u8>,
}

#[derive(Debug)]
struct Shared {
    store: RwLock<Store>,
    uploads: RwLock<HashMap<String, Upload>>,
    clock: PlatformClock,
}

/// The contents of a registry. Clones share them.
#[derive(Clone, Debug)]
pub struct Registry(Arc<Shared>);

impl Registry {
    /// Makes an empty registry.
    pub fn new(clock: PlatformClock) -> Self {
        Self(Arc::new(Shared {
            store: RwLock::default(),
            uploads: RwLock::default(),
            clock,
        }))
    }

    /// Reads the contents.
    pub fn read(&self) -> RwLockReadGuard<'_, Store> {
        self.0.store.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the contents.
    pub fn write(&self) -> RwLockWriteGuard<'_, Store> {
        self.0.store.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the platform's present time.
    pub fn now(&self) -> DateTime<Utc> {
        self.0.clock.now()
    }

    fn uploads(&self) -> RwLockWriteGuard<'_, HashMap<String, Upload>> {
        let uploads = self.0.uploads.write();
        uploads.unwrap_or_else(PoisonError::into_inner)
    }
}
