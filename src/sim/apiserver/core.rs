//! What all requests share: the store, the kinds, the clock and where ids come from.

use super::auth::User;
use super::builtin;
use super::error::ApiError;
use super::kinds::{Kind, KindTable, Registry};
use super::logs::PodLogs;
use super::store::{Key, LogLimits, Store, Stored};
use super::tls::{self, Authority, ListenError};
use crate::domain::clock::Clock;
use crate::sim::clock::PlatformClock;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

/// Unique ids and name endings, from a seed so that runs can be repeated.
#[derive(Debug)]
pub(super) struct Ids(AtomicU64);

impl Ids {
    fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    /// `SplitMix64`: each call yields the next number of the sequence.
    pub(super) fn next(&self) -> u64 {
        const STEP: u64 = 0x9E37_79B9_7F4A_7C15;
        let state = self.0.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Makes a version 4 UUID.
    pub(super) fn uid(&self) -> String {
        let (high, low) = (self.next(), self.next());
        format!(
            "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
            high >> 32,
            (high >> 16) & 0xffff,
            high & 0x0fff,
            0x8000 | ((low >> 48) & 0x3fff),
            low & 0xffff_ffff_ffff,
        )
    }

    /// Makes the five letters that `generateName` appends.
    pub(super) fn suffix(&self) -> String {
        const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
        let mut number = self.next();
        (0..5)
            .map(|_| {
                let index = (number % LETTERS.len() as u64) as usize;
                number /= LETTERS.len() as u64;
                LETTERS.get(index).map_or('x', |byte| char::from(*byte))
            })
            .collect()
    }
}

/// Whose a token is, and until when.
type Token = (User, Option<DateTime<Utc>>);

/// The shared parts of the server.
pub(super) struct Core {
    pub(super) store: Store,
    pub(super) registry: Registry,
    pub(super) clock: PlatformClock,
    pub(super) ids: Ids,
    pub(super) version: String,
    logs: RwLock<Option<Arc<dyn PodLogs>>>,
    backends: RwLock<HashMap<(String, String), axum::Router>>,
    tokens: RwLock<HashMap<String, Token>>,
    /// Users by the bytes of their certificates.
    certificates: RwLock<HashMap<Vec<u8>, User>>,
    authority: RwLock<Option<Arc<Authority>>>,
    /// OpenAPI documents by fingerprint, made when first asked for.
    documents: RwLock<HashMap<String, Bytes>>,
}

impl std::fmt::Debug for Core {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Core")
            .field("version", &self.store.version())
            .finish_non_exhaustive()
    }
}

impl Core {
    pub(super) fn new(clock: PlatformClock, version: String, seed: u64, log: LogLimits) -> Self {
        Self {
            store: Store::new(log),
            registry: Registry::new(builtin::kinds()),
            clock,
            ids: Ids::new(seed),
            version,
            logs: RwLock::default(),
            backends: RwLock::default(),
            tokens: RwLock::default(),
            certificates: RwLock::default(),
            authority: RwLock::default(),
            documents: RwLock::default(),
        }
    }

    pub(super) fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    pub(super) fn table(&self) -> Arc<KindTable> {
        self.registry.table()
    }

    /// Returns one object, or the refusal that it is not there.
    pub(super) fn require(&self, kind: &Kind, key: &Key) -> Result<Arc<Stored>, ApiError> {
        self.store
            .shelf(&kind.shelf())
            .get(key)
            .ok_or_else(|| ApiError::not_found(kind, &key.name))
    }

    pub(super) fn set_logs(&self, logs: Arc<dyn PodLogs>) {
        *self.logs.write().unwrap_or_else(PoisonError::into_inner) = Some(logs);
    }

    pub(super) fn logs(&self) -> Option<Arc<dyn PodLogs>> {
        self.logs
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Returns a document that was made before, or makes it.
    pub(super) fn document(&self, fingerprint: &str, make: impl FnOnce() -> String) -> Bytes {
        let made = self
            .documents
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(fingerprint)
            .cloned();
        made.unwrap_or_else(|| {
            let document = Bytes::from(make());
            self.documents
                .write()
                .unwrap_or_else(PoisonError::into_inner)
                .insert(fingerprint.to_owned(), document.clone());
            document
        })
    }

    /// Makes a token by which a user is known, until `expires`.
    pub(super) fn issue_token(&self, user: User, expires: Option<DateTime<Utc>>) -> String {
        let token = tls::secret();
        self.tokens
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(token.clone(), (user, expires));
        token
    }

    pub(super) fn user_of_token(&self, token: &str) -> Option<User> {
        let tokens = self.tokens.read().unwrap_or_else(PoisonError::into_inner);
        let (user, expires) = tokens.get(token)?;
        expires
            .is_none_or(|expires| self.now() < expires)
            .then(|| user.clone())
    }

    /// Returns the signer of certificates, making it when first asked for.
    pub(super) fn authority(&self) -> Result<Arc<Authority>, ListenError> {
        let mut slot = self
            .authority
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(authority) = &*slot {
            return Ok(Arc::clone(authority));
        }
        let authority = Arc::new(Authority::new()?);
        *slot = Some(Arc::clone(&authority));
        Ok(authority)
    }

    pub(super) fn know_certificate(&self, certificate: Vec<u8>, user: User) {
        self.certificates
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(certificate, user);
    }

    pub(super) fn user_of_certificate(&self, certificate: &[u8]) -> Option<User> {
        self.certificates
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(certificate)
            .cloned()
    }

    pub(super) fn add_backend(&self, namespace: &str, service: &str, router: axum::Router) {
        self.backends
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert((namespace.to_owned(), service.to_owned()), router);
    }

    pub(super) fn backend(&self, namespace: &str, service: &str) -> Option<axum::Router> {
        self.backends
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&(namespace.to_owned(), service.to_owned()))
            .cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_uuids_and_repeat_with_the_seed() {
        let (one, same) = (Ids::new(7), Ids::new(7));

        let uid = one.uid();

        assert_eq!(uid, same.uid());
        assert_eq!(uid.len(), 36);
        assert_eq!(uid.chars().nth(14), Some('4'));
        assert_ne!(uid, one.uid());
        assert_eq!(one.suffix().len(), 5);
    }
}
