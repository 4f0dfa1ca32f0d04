//! What a Harbor holds when it starts: projects, robots, images with a past, scans that are done.

use super::ROBOT_PREFIX;
use super::model::{
    Execution, Grant, ImmutableRule, Label, Project, Retention, Robot, Status, Vendor,
};
use super::replication;
use super::scan::{Finding, Scan, ScanKind};
use super::shape::{ArtifactShape, ProjectShape, RegistryShape, RobotShape};
use super::state::{Bench, Schedule};
use crate::domain::globs;
use crate::sim::registry::image::{self, ImageShape, Package};
use crate::sim::registry::manifest::digest_of;
use crate::sim::rng::Seed;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// An image that is there from the start.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SeedImage {
    /// `registry.tiphys.local/shop/demo-app:2.4.1`
    pub reference: String,
    /// The commit that it was built from, and the repository that holds it.
    pub revision: Option<String>,
    pub source: Option<String>,
    /// When it was pushed; without it that follows from its place in the list.
    pub pushed: Option<DateTime<Utc>>,
}

/// How long ago everything was set up.
const AGE_DAYS: i64 = 60;
/// Between two images of a repository that say nothing of their age.
const BETWEEN_DAYS: i64 = 5;

/// What is installed in images that do not say it, older ones first.
const BASES: [&[&str]; 3] = [
    &[
        "alpine-baselayout 3.4.3-r1",
        "busybox 1.36.1-r2",
        "musl 1.2.4-r1",
        "libcrypto3 3.1.2-r0",
        "libssl3 3.1.2-r0",
        "zlib 1.2.13-r1",
        "ca-certificates 20230506-r0",
        "libcurl 8.2.1-r0",
    ],
    &[
        "alpine-baselayout 3.4.3-r2",
        "busybox 1.36.1-r15",
        "musl 1.2.4-r2",
        "libcrypto3 3.1.4-r5",
        "libssl3 3.1.4-r5",
        "zlib 1.3.1-r0",
        "ca-certificates 20240226-r0",
        "libcurl 8.5.0-r0",
    ],
    &[
        "alpine-baselayout 3.6.5-r0",
        "busybox 1.36.1-r29",
        "musl 1.2.5-r0",
        "libcrypto3 3.3.2-r0",
        "libssl3 3.3.2-r0",
        "zlib 1.3.1-r1",
        "ca-certificates 20240705-r0",
        "libcurl 8.9.1-r2",
    ],
];

/// What the cockpit's robot may do: read everything, scan, tag, copy.
const COCKPIT: &str = "project:read repository:list repository:read repository:pull \
    repository:push artifact:list artifact:read artifact:create artifact:delete tag:list \
    tag:create tag:delete accessory:list artifact-addition:read scan:read scan:create scan:stop \
    sbom:read sbom:create sbom:stop label:list label:read artifact-label:create \
    artifact-label:delete immutable-tag:list tag-retention:list tag-retention:read \
    notification-policy:list notification-policy:read quota:read log:list robot:list robot:read \
    robot:create robot:update robot:delete metadata:list metadata:read member:list scanner:read";
const COCKPIT_SYSTEM: &str = "project:list quota:list quota:read security-hub:list \
    security-hub:read garbage-collection:list garbage-collection:read replication:list \
    replication:read replication-policy:list replication-policy:read registry:list registry:read \
    scan-all:read scan-all:create scan-all:stop audit-log:list jobservice-monitor:list \
    catalog:read label:list label:read robot:list robot:read robot:create robot:update \
    robot:delete system-volumes:read scanner:list";

/// Fills an empty Harbor.
pub(super) fn fill(bench: &mut Bench<'_>, seed: Seed, shape: &RegistryShape, images: &[SeedImage]) {
    let secret = |what: &str| format!("{}Aa1", seed.stream(&["harbor", what]).hex(29));
    bench.state.admin_secret = secret("admin");
    bench.state.token_key = secret("token key");
    bench.state.database.learn(&shape.cves);
    projects(bench, shape, images);
    robots(bench, shape, &secret);
    let since = bench.now - TimeDelta::days(AGE_DAYS);
    for (name, color) in [("production", "#1D5100"), ("do-not-use", "#C92100")] {
        let id = bench.state.next_id();
        let label = Label {
            id,
            name: name.to_owned(),
            description: String::new(),
            color: color.to_owned(),
            project: None,
            created: since,
            updated: since,
        };
        bench.state.labels.insert(id, label);
    }
    let mut layers = image::Layers::default();
    for planned in plan(bench.now, bench.host, shape, images) {
        push(bench, &planned, &mut layers);
    }
    if !images.is_empty() {
        past_work(bench);
    }
}

fn projects(bench: &mut Bench<'_>, shape: &RegistryShape, images: &[SeedImage]) {
    let mut wanted = shape.projects.clone();
    let mut names: Vec<String> = images
        .iter()
        .filter_map(|image| image.reference.split('/').nth(1).map(str::to_owned))
        .collect();
    names.push("library".to_owned());
    for name in names {
        if !wanted.iter().any(|known| known.name == name) {
            wanted.push(ProjectShape {
                public: name == "library",
                name,
                ..ProjectShape::default()
            });
        }
    }
    for shape in wanted {
        let id = bench.state.next_id();
        let project = project(bench, id, shape);
        bench.state.projects.insert(id, project);
    }
}

fn project(bench: &mut Bench<'_>, id: i64, shape: ProjectShape) -> Project {
    let since = bench.now - TimeDelta::days(AGE_DAYS);
    let mut metadata = BTreeMap::new();
    let mut set = |key: &str, value: String| metadata.insert(key.to_owned(), value);
    set("public", shape.public.to_string());
    set("auto_scan", shape.auto_scan.to_string());
    set("auto_sbom_generation", shape.auto_sbom.to_string());
    set(
        "prevent_vul",
        shape.prevent_vulnerable.is_some().to_string(),
    );
    set(
        "severity",
        shape.prevent_vulnerable.unwrap_or_else(|| "low".to_owned()),
    );
    set("reuse_sys_cve_allowlist", "true".to_owned());
    set("enable_content_trust_cosign", "false".to_owned());
    let retention = shape.keep.map(|keep| {
        let id = bench.state.next_id();
        set("retention_id", id.to_string());
        Retention {
            id,
            keep,
            cron: "0 0 3 * * *".to_owned(),
        }
    });
    let rules = shape.immutable.into_iter().map(|tags| ImmutableRule {
        id: bench.state.next_id(),
        disabled: false,
        repositories: "**".to_owned(),
        tags,
        excludes: false,
    });
    Project {
        id,
        name: shape.name,
        created: since,
        updated: since,
        immutable: rules.collect(),
        metadata,
        quota: shape.quota.map_or(-1, |bytes| bytes as i64),
        quota_updated: since,
        allowlist: Vec::new(),
        allowlist_expires: None,
        retention,
    }
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

fn robots(bench: &mut Bench<'_>, shape: &RegistryShape, secret: &dyn Fn(&str) -> String) {
    let mut wanted = shape.robots.clone();
    let usual = |name: &str, description: &str, may: &str, system: &str| RobotShape {
        name: name.to_owned(),
        description: description.to_owned(),
        may: words(may),
        system: words(system),
        ..RobotShape::default()
    };
    let built_in = [
        usual(
            "kubelet",
            "Pulls for the nodes",
            "repository:pull repository:read",
            "",
        ),
        usual(
            "ci",
            "Pushes what pipelines build",
            "repository:push repository:pull",
            "",
        ),
        usual("cockpit", "Reads for the cockpit", COCKPIT, COCKPIT_SYSTEM),
        usual(
            "updater",
            "Lists tags for Argo CD Image Updater",
            "repository:pull repository:read",
            "",
        ),
    ];
    for one in built_in {
        let known = |other: &&RobotShape| other.name == one.name && other.project.is_none();
        if !wanted.iter().any(|other| known(&other)) {
            wanted.push(one);
        }
    }
    for shape in wanted {
        let id = bench.state.next_id();
        let robot = robot(bench, id, &shape, secret);
        bench.state.robots.insert(id, robot);
    }
}

fn robot(bench: &Bench<'_>, id: i64, shape: &RobotShape, secret: &dyn Fn(&str) -> String) -> Robot {
    let project = shape
        .project
        .as_deref()
        .and_then(|name| bench.state.project(name));
    let name = match project {
        Some(project) => format!("{ROBOT_PREFIX}{}+{}", project.name, shape.name),
        None => format!("{ROBOT_PREFIX}{}", shape.name),
    };
    let pairs = |list: &[String]| -> Vec<(String, String)> {
        let pairs = list.iter().filter_map(|one| one.split_once(':'));
        pairs
            .map(|(of, to)| (of.to_owned(), to.to_owned()))
            .collect()
    };
    let grant = |kind: &str, namespace: &str, list: &[String]| Grant {
        kind: kind.to_owned(),
        namespace: namespace.to_owned(),
        access: pairs(list),
    };
    let places = match project {
        Some(project) => vec![project.name.clone()],
        None if shape.projects.is_empty() => vec!["*".to_owned()],
        None => shape.projects.clone(),
    };
    let mut grants: Vec<Grant> = places
        .iter()
        .filter(|_| !shape.may.is_empty())
        .map(|place| grant("project", place, &shape.may))
        .collect();
    if !shape.system.is_empty() {
        grants.push(grant("system", "/", &shape.system));
    }
    let created = bench.now - TimeDelta::days(shape.age_days.max(0));
    let days = shape.days.unwrap_or(-1);
    let expires_at = if days == -1 {
        -1
    } else {
        (created + TimeDelta::days(days)).timestamp()
    };
    Robot {
        id,
        secret: secret(&name),
        name,
        description: shape.description.clone(),
        project: project.map(|project| project.id),
        duration: days,
        disabled: shape.disabled,
        expires_at,
        grants,
        created,
        updated: created,
    }
}

/// An image with everything that follows from what was declared.
struct Planned {
    repository: String,
    tag: String,
    pushed: DateTime<Utc>,
    shape: ArtifactShape,
    image: ImageShape,
}

/// Settles age and contents of each image, the oldest first.
fn plan(
    now: DateTime<Utc>,
    host: &str,
    shape: &RegistryShape,
    images: &[SeedImage],
) -> Vec<Planned> {
    let mut planned = Vec::new();
    let mut later: BTreeMap<String, i64> = BTreeMap::new();
    for (name, _) in images
        .iter()
        .filter_map(|seed| split(&seed.reference, host))
    {
        *later.entry(name).or_default() += 1;
    }
    for seed in images {
        let Some((repository, tag)) = split(&seed.reference, host) else {
            continue;
        };
        let left = later.entry(repository.clone()).or_default();
        *left -= 1;
        let found = shape
            .artifacts
            .iter()
            .find(|one| globs::matches(&one.image, &seed.reference));
        let own = found.cloned().unwrap_or_default();
        let by_place = TimeDelta::days(1 + BETWEEN_DAYS * *left);
        let age = own.age.as_deref().and_then(age);
        let pushed = match (age, seed.pushed) {
            (Some(age), _) => now - age,
            (None, Some(at)) => at.min(now - TimeDelta::seconds(90)),
            (None, None) => now - by_place,
        };
        planned.push(Planned {
            image: image_shape((&repository, &tag), pushed, &own, (seed, now)),
            repository,
            tag,
            pushed,
            shape: own,
        });
    }
    planned
        .sort_by(|a, b| (a.pushed, &a.repository, &a.tag).cmp(&(b.pushed, &b.repository, &b.tag)));
    planned
}

/// Reads `3d`, `5h`, `40m`.
fn age(text: &str) -> Option<TimeDelta> {
    let unit = text.chars().next_back()?;
    let count: f64 = text.strip_suffix(unit)?.parse().ok()?;
    let seconds = match unit {
        's' => 1.0,
        'm' => 60.0,
        'h' => 3600.0,
        'd' => 86_400.0,
        _ => return None,
    };
    TimeDelta::try_milliseconds((count * seconds * 1000.0) as i64)
}

/// Splits `host/project/name:tag` of an own host.
pub(super) fn split(reference: &str, host: &str) -> Option<(String, String)> {
    let rest = reference.strip_prefix(host)?.strip_prefix('/')?;
    let (name, tag) = rest.rsplit_once(':').unwrap_or((rest, "latest"));
    Some((name.to_owned(), tag.to_owned()))
}

/// Returns the packages of a base image of a certain age.
pub(super) fn base_packages(age: TimeDelta) -> Vec<Package> {
    let generation = match age.num_days() {
        0..=2 => 2,
        3..=13 => 1,
        _ => 0,
    };
    let list = BASES.get(generation).copied().unwrap_or_default();
    list.iter().filter_map(|one| Package::read(one)).collect()
}

fn image_shape(
    (repository, tag): (&str, &str),
    pushed: DateTime<Utc>,
    own: &ArtifactShape,
    (seed, now): (&SeedImage, DateTime<Utc>),
) -> ImageShape {
    let mut image = ImageShape::new(
        format!("{repository}:{tag}"),
        pushed - TimeDelta::seconds(75),
    );
    if !own.platforms.is_empty() {
        image.platforms.clone_from(&own.platforms);
    }
    image.packages = base_packages(now - pushed);
    for package in own.packages.iter().filter_map(|text| Package::read(text)) {
        image.packages.retain(|known| known.name != package.name);
        image.packages.push(package);
    }
    image.packages.sort();
    let mut label = |key: &str, value: &str| {
        image
            .labels
            .insert(format!("org.opencontainers.image.{key}"), value.to_owned());
    };
    label("version", tag);
    label("title", repository.rsplit('/').next().unwrap_or(repository));
    if let Some(source) = own.source.as_ref().or(seed.source.as_ref()) {
        label("source", source);
    }
    if let Some(revision) = own.revision.as_ref().or(seed.revision.as_ref()) {
        label("revision", revision);
    }
    image.labels.extend(own.labels.clone());
    "ci@shop.example".clone_into(&mut image.author);
    image.claimed = own.megabytes.unwrap_or(24) * 1024 * 1024;
    image
}

fn push(bench: &mut Bench<'_>, planned: &Planned, layers: &mut image::Layers) {
    let built = image::image_of(&planned.image, layers);
    let (name, pushed) = (planned.repository.as_str(), planned.pushed);
    if let Err(refusal) = built.push(bench.store, name, &planned.tag, pushed) {
        tracing::warn!(name, ?refusal, "an image of the scenario was not stored");
        return;
    }
    let digest = built.digest().to_owned();
    for tag in &planned.shape.also {
        bench.store.tag(name, tag, &digest, pushed);
    }
    let Some(top) = built.manifests.last() else {
        return;
    };
    let reference = format!("{}/{name}", bench.host);
    if planned.shape.signed {
        let signed = image::signature(&reference, top);
        let stored = signed.push(bench.store, name, "", pushed + TimeDelta::seconds(20));
        tracing::trace!(?stored, name, "signed");
    }
    let images: Vec<_> = built
        .manifests
        .iter()
        .filter(|one| !one.is_index())
        .cloned()
        .collect();
    for manifest in images {
        let key = |kind: ScanKind| (name.to_owned(), manifest.digest.clone(), kind);
        if planned.shape.scanned.unwrap_or(true) {
            let findings = bench.state.database.findings(&planned.image.packages);
            let done = done_scan(&manifest.digest, pushed, findings);
            let key = key(ScanKind::Vulnerabilities);
            bench.state.scans.insert(key, done);
        }
        if planned.shape.sbom {
            let at = pushed + TimeDelta::seconds(50);
            let full = format!("{reference}@{}", manifest.digest);
            let list = image::sbom(&full, &manifest, &planned.image.packages, at);
            if list.push(bench.store, name, "", at).is_ok() {
                let mut done = done_scan(&manifest.digest, pushed, Arc::default());
                list.digest().clone_into(&mut done.sbom);
                bench.state.scans.insert(key(ScanKind::Sbom), done);
            }
        }
    }
    past_pulls(bench, planned, &digest);
    let (now, resource) = (bench.now, format!("{name}:{}", planned.tag));
    let project = bench.state.project_of(name).map(|project| project.id);
    bench.now = pushed;
    bench.note("robot$ci", ("artifact", "create"), resource, project);
    bench.now = now;
}

fn past_pulls(bench: &mut Bench<'_>, planned: &Planned, digest: &str) {
    let pulls = planned.shape.pulls;
    let now = bench.now;
    let Some(repository) = bench.store.repository_mut(&planned.repository) else {
        return;
    };
    // Signatures and lists are pushed after the image, and were not the last update.
    repository.updated = planned.pushed;
    if pulls == 0 {
        return;
    }
    repository.pulls += pulls;
    let last = planned.pushed + (now - planned.pushed) / 2;
    if let Some(artifact) = repository.artifacts.get_mut(digest) {
        artifact.pulled = Some(last);
    }
    if let Some(tag) = repository.tags.get_mut(&planned.tag) {
        tag.pulled = Some(last);
    }
}

fn done_scan(digest: &str, pushed: DateTime<Utc>, findings: Arc<[Finding]>) -> Scan {
    let start = pushed + TimeDelta::seconds(40);
    let mark = digest_of(format!("{digest}{}", findings.len()).as_bytes());
    let hex = |from: usize, to: usize| mark.get(7 + from..7 + to).unwrap_or_default();
    Scan {
        report_id: format!(
            "{}-{}-4{}-9{}-{}",
            hex(0, 8),
            hex(8, 12),
            hex(13, 16),
            hex(17, 20),
            hex(20, 32)
        ),
        status: Status::Success,
        start,
        end: Some(start + TimeDelta::seconds(6)),
        due: start,
        by: "robot$ci".to_owned(),
        findings,
        sbom: String::new(),
        scan_all: None,
    }
}

/// Work of the days before, and when it is done again.
fn past_work(bench: &mut Bench<'_>) {
    let now = bench.now;
    let since = now - TimeDelta::days(AGE_DAYS);
    let schedule = |kind: &str, cron: &str, parameters: Value| Schedule {
        kind: kind.to_owned(),
        cron: cron.to_owned(),
        parameters,
        created: since,
    };
    let gc = json!({"delete_untagged": true, "dry_run": false, "workers": 1});
    bench
        .state
        .schedules
        .insert("SCAN_ALL", schedule("Daily", "0 0 0 * * *", json!({})));
    bench
        .state
        .schedules
        .insert("GARBAGE_COLLECTION", schedule("Weekly", "0 0 0 * * 0", gc));
    let policy = past_replication(bench, since);
    let purged = json!({
        "delete_untagged": true, "dry_run": false, "workers": 1,
        "purged_blobs": 3, "purged_manifests": 1, "freed_space": 4823,
    });
    let past = [
        (Vendor::GarbageCollection, 0, TimeDelta::days(3), purged),
        (Vendor::ScanAll, 0, TimeDelta::hours(7), Value::Null),
        (
            Vendor::Replication,
            policy,
            TimeDelta::hours(30),
            json!({"resources": ["shop/demo-app"]}),
        ),
    ];
    for (vendor, vendor_id, ago, details) in past {
        let id = bench.state.next_id();
        let start = now - ago;
        let end = start + TimeDelta::seconds(9);
        bench.state.executions.insert(
            id,
            Execution {
                id,
                vendor,
                vendor_id,
                trigger: "Schedule",
                status: Status::Success,
                message: String::new(),
                start,
                end: Some(end),
                due: end,
                details,
                log: vec![format!("{} [INFO] done", end.format("%Y-%m-%dT%H:%M:%SZ"))],
            },
        );
    }
}

/// Makes a registry elsewhere and what is copied to it; returns the policy's number.
fn past_replication(bench: &mut Bench<'_>, since: DateTime<Utc>) -> i64 {
    let remote = bench.state.next_id();
    bench.state.registries.insert(
        remote,
        replication::Remote {
            id: remote,
            name: "edge".to_owned(),
            url: "https://registry.edge.shop.example".to_owned(),
            kind: "harbor".to_owned(),
            description: "The registry beside the shops".to_owned(),
            healthy: true,
            created: since,
        },
    );
    let policy = bench.state.next_id();
    bench.state.replications.insert(
        policy,
        replication::Policy {
            id: policy,
            name: "shop-to-edge".to_owned(),
            description: "What runs at the edge".to_owned(),
            names: "shop/**".to_owned(),
            to: remote,
            enabled: true,
            created: since,
            trigger: "manual".to_owned(),
        },
    );
    policy
}
