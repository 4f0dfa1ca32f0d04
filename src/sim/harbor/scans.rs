//! The newest scan of every image, and which of them are still going on.
//!
//! Images whose packages are the same share one list of findings, so that a hundred thousand of
//! them cost little more than their names.

use super::scan::{Finding, Scan, ScanKind, findings};
use super::shape::CveShape;
use crate::sim::registry::image::Package;
use chrono::{DateTime, Utc};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// Names a scan: repository, digest, kind.
pub(super) type ScanKey = (String, String, ScanKind);

#[derive(Debug, Default)]
struct OfImage {
    vulnerabilities: Option<Scan>,
    contents: Option<Box<Scan>>,
}

impl OfImage {
    fn get(&self, kind: ScanKind) -> Option<&Scan> {
        match kind {
            ScanKind::Vulnerabilities => self.vulnerabilities.as_ref(),
            ScanKind::Sbom => self.contents.as_deref(),
        }
    }

    fn get_mut(&mut self, kind: ScanKind) -> Option<&mut Scan> {
        match kind {
            ScanKind::Vulnerabilities => self.vulnerabilities.as_mut(),
            ScanKind::Sbom => self.contents.as_deref_mut(),
        }
    }
}

/// All scans.
#[derive(Debug, Default)]
pub(super) struct Scans {
    /// By repository and digest.
    images: BTreeMap<String, BTreeMap<String, OfImage>>,
    /// Those that are not over, by when they go on.
    going: BTreeSet<(DateTime<Utc>, ScanKey)>,
}

impl Scans {
    pub(super) fn get(&self, (name, digest): (&str, &str), kind: ScanKind) -> Option<&Scan> {
        self.images.get(name)?.get(digest)?.get(kind)
    }

    /// Books a scan as going on, unless it is over.
    fn book(&mut self, key: ScanKey) {
        if let Some(scan) = self.get((&key.0, &key.1), key.2)
            && !scan.status.is_final()
        {
            self.going.insert((scan.due, key));
        }
    }

    /// Takes a scan out of those that go on.
    fn unbook(&mut self, key: &ScanKey) {
        if let Some(due) = self.get((&key.0, &key.1), key.2).map(|scan| scan.due) {
            self.going.remove(&(due, key.clone()));
        }
    }

    pub(super) fn insert(&mut self, key: ScanKey, scan: Scan) {
        self.unbook(&key);
        let image = self.images.entry(key.0.clone()).or_default();
        let image = image.entry(key.1.clone()).or_default();
        match key.2 {
            ScanKind::Vulnerabilities => image.vulnerabilities = Some(scan),
            ScanKind::Sbom => image.contents = Some(Box::new(scan)),
        }
        self.book(key);
    }

    /// Changes a scan that there is.
    pub(super) fn change(&mut self, key: &ScanKey, change: impl FnOnce(&mut Scan)) {
        self.unbook(key);
        let (name, digest, kind) = key;
        let image = self
            .images
            .get_mut(name)
            .and_then(|all| all.get_mut(digest));
        if let Some(scan) = image.and_then(|image| image.get_mut(*kind)) {
            change(scan);
        }
        self.book(key.clone());
    }

    /// Forgets the scans of an image.
    pub(super) fn remove(&mut self, (name, digest): (&str, &str)) {
        for kind in [ScanKind::Vulnerabilities, ScanKind::Sbom] {
            self.unbook(&(name.to_owned(), digest.to_owned(), kind));
        }
        if let Some(images) = self.images.get_mut(name) {
            images.remove(digest);
        }
    }

    /// Forgets the scans of a repository.
    pub(super) fn remove_repository(&mut self, name: &str) {
        self.images.remove(name);
        self.going.retain(|(_, (of, _, _))| of != name);
    }

    /// Returns the scans of a kind, each with repository and digest.
    pub(super) fn of_kind(
        &self,
        kind: ScanKind,
    ) -> impl Iterator<Item = (&String, &String, &Scan)> {
        let all = self.images.iter();
        all.flat_map(move |(name, images)| {
            let own = images.iter();
            own.filter_map(move |(digest, image)| Some((name, digest, image.get(kind)?)))
        })
    }

    /// Returns the scans that are not over, those first that go on first.
    pub(super) fn going(&self) -> impl Iterator<Item = (&ScanKey, &Scan)> {
        self.going.iter().filter_map(|(_, key)| {
            let scan = self.get((&key.0, &key.1), key.2)?;
            Some((key, scan))
        })
    }

    /// Returns the scans that go on by now.
    pub(super) fn due_by(&self, now: DateTime<Utc>) -> Vec<ScanKey> {
        let due = self.going.iter().take_while(|(due, _)| *due <= now);
        due.map(|(_, key)| key.clone()).collect()
    }

    /// When the next scan goes on.
    pub(super) fn due(&self) -> Option<DateTime<Utc>> {
        self.going.first().map(|(due, _)| *due)
    }
}

/// The vulnerabilities that scans know of.
#[derive(Debug, Default)]
pub(super) struct Database {
    cves: Vec<CveShape>,
    /// What was found in a list of packages.
    found: HashMap<Vec<Package>, Arc<[Finding]>>,
}

impl Database {
    /// Learns of vulnerabilities; what is known of one of them already is replaced.
    pub(super) fn learn(&mut self, cves: &[CveShape]) {
        for cve in cves {
            let is_same = |known: &CveShape| known.id == cve.id && known.package == cve.package;
            self.cves.retain(|known| !is_same(known));
            self.cves.push(cve.clone());
        }
        self.found.clear();
    }

    /// Returns what is wrong with installed packages, the worst first.
    pub(super) fn findings(&mut self, packages: &[Package]) -> Arc<[Finding]> {
        if let Some(known) = self.found.get(packages) {
            return Arc::clone(known);
        }
        let found: Arc<[Finding]> = findings(packages, &self.cves).into();
        self.found.insert(packages.to_vec(), Arc::clone(&found));
        found
    }
}

#[cfg(test)]
mod tests {
    use super::super::model::Status;
    use super::*;
    use chrono::TimeDelta;

    fn scan(status: Status, due: i64) -> Scan {
        let at = DateTime::UNIX_EPOCH + TimeDelta::seconds(due);
        Scan {
            report_id: String::new(),
            status,
            start: at,
            end: None,
            due: at,
            by: String::new(),
            findings: Arc::default(),
            sbom: String::new(),
            scan_all: None,
        }
    }

    fn key(digest: &str) -> ScanKey {
        let name = "shop/web".to_owned();
        (name, digest.to_owned(), ScanKind::Vulnerabilities)
    }

    #[test]
    fn only_what_is_not_over_is_looked_through_for_work() {
        let mut scans = Scans::default();
        scans.insert(key("a"), scan(Status::Success, 1));
        scans.insert(key("b"), scan(Status::Pending, 9));
        scans.insert(key("c"), scan(Status::Running, 5));

        assert_eq!(scans.going().count(), 2);
        assert_eq!(scans.due().map(|at| at.timestamp()), Some(5));
        scans.change(&key("c"), |scan| scan.status = Status::Success);
        assert_eq!(scans.due().map(|at| at.timestamp()), Some(9));
        scans.remove(("shop/web", "b"));
        assert_eq!(scans.due(), None);
        assert_eq!(scans.of_kind(ScanKind::Vulnerabilities).count(), 2);
        scans.remove_repository("shop/web");
        assert!(
            scans
                .get(("shop/web", "a"), ScanKind::Vulnerabilities)
                .is_none()
        );
    }

    #[test]
    fn images_with_the_same_packages_share_what_was_found() {
        let cve = CveShape {
            id: "CVE-1".to_owned(),
            package: "musl".to_owned(),
            ..CveShape::default()
        };
        let packages: Vec<Package> = Package::read("musl 1.2").into_iter().collect();
        let mut database = Database::default();
        database.learn(std::slice::from_ref(&cve));

        let (one, other) = (database.findings(&packages), database.findings(&packages));

        assert!(Arc::ptr_eq(&one, &other) && one.len() == 1);
        database.learn(&[cve]);
        assert_eq!(database.findings(&packages).len(), 1);
    }
}
