//! A registry of many artifacts is asked for what somebody looks at, and for nothing else.

use super::{running, serve_harbor};
use crate::engine_bed::{Bed, Engine};
use chrono::{DateTime, TimeDelta};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::{Arc, RwLock};
use tiphys::domain::image::{
    ArtifactRow, ImageState, RegistryRow, cves_kind, images_kind, repository_kind,
};
use tiphys::domain::object::{GroupKind, ObjectRef, Text};
use tiphys::domain::rows::Rows;
use tiphys::domain::status::Freshness;
use tiphys::engine::protocol::{Request, SourceName, Ticket, Topic, Update};
use tiphys::sim::clock::PlatformClock;
use tiphys::sim::harbor::shape::{CveShape, RegistryShape};
use tiphys::sim::harbor::{Harbor, HarborOptions, SeedImage};
use tiphys::sim::rng::Seed;

const HOST: &str = "r.test";
const IMAGES: usize = 500;

/// The paths below the API that were asked for.
type Asked = Arc<RwLock<Vec<String>>>;

/// Counts what was asked that has all these parts in its path.
fn count(asked: &Asked, parts: &[&str]) -> usize {
    let asked = asked.read().expect("a list");
    let has = |path: &&String| parts.iter().all(|part| path.contains(part));
    asked.iter().filter(has).count()
}

/// A Harbor with repositories `shop/web-0`… of so many images, the oldest first.
fn harbor(repositories: usize, images: usize) -> Harbor {
    let names = (0..repositories).flat_map(|repository| {
        (0..images).map(move |image| format!("{HOST}/shop/web-{repository}:1.0.{image}"))
    });
    let cve = CveShape {
        id: String::from("CVE-2023-42363"),
        severity: String::from("high"),
        package: String::from("busybox"),
        ..CveShape::default()
    };
    Harbor::new(HarborOptions {
        clock: PlatformClock::stepped(DateTime::UNIX_EPOCH + TimeDelta::days(20_000)),
        seed: Seed(1),
        host: HOST.to_owned(),
        shape: RegistryShape {
            cves: vec![cve],
            ..RegistryShape::default()
        },
        images: names
            .map(|reference| SeedImage {
                reference,
                ..SeedImage::default()
            })
            .collect(),
    })
}

async fn serve(bed: &Bed, harbor: &Harbor) -> Asked {
    let asked = Asked::default();
    let book = Arc::clone(&asked);
    let router = harbor.router(false).layer(axum::middleware::from_fn(
        move |request: axum::extract::Request, next: axum::middleware::Next| {
            let path = request.uri().to_string();
            book.write().expect("a list").push(path);
            next.run(request)
        },
    ));
    let secret = harbor.robot_secret("robot$cockpit").expect("a robot");
    serve_harbor(bed, router, &secret).await;
    asked
}

/// Runs what a tag names.
async fn runs(bed: &Bed, harbor: &Harbor, (pod, repository, tag): (&str, &str, &str)) {
    let digest = {
        let store = harbor.registry().read();
        let repository = store.repository(repository).expect("a repository");
        let artifact = repository.artifact(tag).expect("an artifact");
        artifact.manifest.digest.clone()
    };
    let image = format!("{HOST}/{repository}:{tag}");
    let id = format!("{HOST}/{repository}@{digest}");
    running(bed, json!({"name": pod}), (&image, &id)).await;
}

/// What has come of a table so far.
struct Watched {
    ticket: Ticket,
    rows: BTreeMap<ObjectRef, RegistryRow>,
    total: Option<usize>,
    live: bool,
}

impl Watched {
    fn new(engine: &mut Engine, kind: GroupKind) -> Self {
        Self {
            ticket: engine.subscribe(Topic::Kind(kind)),
            rows: BTreeMap::new(),
            total: None,
            live: false,
        }
    }

    /// Takes updates in until the table is as wanted.
    async fn until(&mut self, engine: &mut Engine, what: &str, wanted: impl Fn(&Self) -> bool) {
        engine
            .until(what, |update| {
                match update {
                    Update::Delta { ticket, delta, .. } if *ticket == self.ticket => {
                        let Rows::Registry(rows) = &delta.rows else {
                            return None;
                        };
                        for (object, _) in &delta.removed {
                            self.rows.remove(object);
                        }
                        let rows = rows.iter().map(|row| (row.object().clone(), row.clone()));
                        self.rows.extend(rows);
                    }
                    Update::Extent { ticket, total, .. } if *ticket == self.ticket => {
                        self.total = *total;
                    }
                    Update::Freshness {
                        source: SourceName::Kind(_),
                        freshness,
                        ..
                    } => self.live = *freshness == Freshness::Live,
                    _ => {}
                }
                wanted(self).then_some(())
            })
            .await;
    }

    fn image(&self, tag: &str) -> Option<&ArtifactRow> {
        self.rows.values().find_map(|row| match row {
            RegistryRow::Image(row) if row.tags.iter().any(|own| &**own == tag) => Some(&**row),
            _ => None,
        })
    }
}

#[tokio::test]
async fn a_repository_of_many_is_read_page_by_page_as_somebody_scrolls() {
    let bed = Bed::over_duplex().await;
    let harbor = harbor(1, IMAGES);
    let asked = serve(&bed, &harbor).await;
    let mut engine = bed.engine().await;
    let pages = |asked: &Asked| count(asked, &["/repositories/web-0/artifacts?page="]);

    let mut table = Watched::new(&mut engine, repository_kind("r.test/shop/web-0"));
    table
        .until(&mut engine, "the first page", |table| table.live)
        .await;

    assert_eq!((table.rows.len(), table.total), (100, Some(IMAGES)));
    assert_eq!(pages(&asked), 1, "one page is enough for one screen");
    assert_eq!(count(&asked, &["/repositories/web-0/artifacts/"]), 0);
    assert!(table.image("1.0.499").is_some(), "the newest come first");
    assert!(table.image("1.0.399").is_none());

    let ticket = table.ticket;
    engine.send(Request::More { ticket, rows: 200 });
    table
        .until(&mut engine, "a page more", |table| table.rows.len() == 200)
        .await;
    assert_eq!(pages(&asked), 2);
    let rows = IMAGES;
    engine.send(Request::More { ticket, rows });
    table
        .until(&mut engine, "all of it", |table| {
            table.live && table.rows.len() == IMAGES
        })
        .await;
    assert_eq!(pages(&asked), IMAGES / 100, "each page is read once");
}

#[tokio::test]
async fn the_table_of_a_repository_says_where_each_version_runs() {
    let bed = Bed::over_duplex().await;
    let harbor = harbor(1, IMAGES);
    let asked = serve(&bed, &harbor).await;
    for (name, tag) in [("a-0", "1.0.499"), ("a-1", "1.0.499"), ("b-0", "1.0.7")] {
        runs(&bed, &harbor, (name, "shop/web-0", tag)).await;
    }
    let mut engine = bed.engine().await;

    let mut table = Watched::new(&mut engine, repository_kind("r.test/shop/web-0"));
    table
        .until(&mut engine, "what runs", |table| {
            table
                .image("1.0.7")
                .is_some_and(|row| !row.places.is_empty())
        })
        .await;

    let newest = table.image("1.0.499").expect("the newest");
    assert_eq!(newest.places.len(), 2);
    assert!(newest.states.contains(&ImageState::Newest));
    let old = table.image("1.0.7").expect("an old one");
    assert_eq!(&*old.newest, "1.0.499");
    assert_eq!(table.rows.len(), 101, "what runs is there before its page");
    assert_eq!(count(&asked, &["/repositories/web-0/artifacts?page="]), 1);
    let looked_up = count(&asked, &["/repositories/web-0/artifacts/"]);
    assert_eq!(looked_up, 1, "only what no page has is asked for alone");
}

#[tokio::test]
async fn what_runs_costs_one_request_for_each_repository() {
    let bed = Bed::over_duplex().await;
    let harbor = harbor(20, 120);
    let asked = serve(&bed, &harbor).await;
    for repository in 0..20 {
        let pod = format!("web-{repository}");
        runs(&bed, &harbor, (&pod, &format!("shop/{pod}"), "1.0.119")).await;
    }
    let mut engine = bed.engine().await;

    let mut table = Watched::new(&mut engine, images_kind());
    table.until(&mut engine, "all", |table| table.live).await;

    assert_eq!(table.rows.len(), 20, "what runs nowhere is no row");
    let runs = |row: &RegistryRow| matches!(row, RegistryRow::Image(row) if row.places.len() == 1);
    assert!(table.rows.values().all(runs));
    assert_eq!(count(&asked, &["/artifacts?page=1"]), 20);
    assert_eq!(count(&asked, &["latest_in_repository=true"]), 1);
    assert_eq!(count(&asked, &["/artifacts/"]), 0);

    let mut table = Watched::new(&mut engine, cves_kind());
    table
        .until(&mut engine, "vulnerabilities", |table| {
            table.live && !table.rows.is_empty()
        })
        .await;
    let Some(RegistryRow::Cve(row)) = table.rows.values().next() else {
        panic!("it is a vulnerability");
    };
    assert_eq!((row.images.len(), row.places.len()), (20, 20));
    let reports = count(&asked, &["/additions/vulnerabilities"]);
    assert_eq!(reports, 20, "each report is read once");
    let first: Vec<&Text> = row.packages.iter().map(|one| &one.package).collect();
    assert_eq!(first.len(), 1);
}
