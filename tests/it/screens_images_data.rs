//! Images, projects, robot accounts and vulnerabilities in plain data, for looking at screens.

use super::screens_fixtures::{ago, connection, object};
use std::sync::Arc;
use tiphys::domain::finding::{Finding, Severity as Matter};
use tiphys::domain::image::{
    Accessory, Affected, ArtifactDetail, ArtifactRow, Component, CveRow, Digest, Flavour,
    HistoryStep, ImageState, Permission, Place, Platform, ProjectRow, Reference, RegistryHealth,
    RegistryRow, Report, ReportState, RobotRow, Scan, Severity, VulnSummary, Vulnerability,
    cves_kind, images_kind, projects_kind, registries_kind, registry_object, robots_kind,
};
use tiphys::domain::image_update::{
    Candidate, Decision, Strategy, UpdateRow, Verdict, update_object, updates_kind,
};
use tiphys::domain::kind::ARGO;
use tiphys::domain::object::{Cluster, GroupKind, Text, Uid};

const HOST: &str = "registry.tiphys.local";

fn cluster() -> Cluster {
    connection().cluster
}

#[allow(clippy::expect_used, reason = "the digests of this file are digests")]
fn digest(letter: char) -> Digest {
    let hex: String = std::iter::repeat_n(letter, 64).collect();
    Digest::parse(&format!("sha256:{hex}")).expect("a digest")
}

fn place(namespace: &str, name: &str, pod: &str, states: Vec<ImageState>) -> Place {
    Place {
        pod: object(("", "Pod"), namespace, pod),
        container: "app".into(),
        image: format!("{HOST}/shop/{name}:1").into(),
        workload: object((ARGO, "Rollout"), namespace, name),
        application: Some(object(
            (ARGO, "Application"),
            "argocd",
            &format!("{name}-prod"),
        )),
        states,
        trouble: "".into(),
    }
}

fn found(counts: [u32; 6], severity: Severity) -> Scan {
    let total = counts.iter().sum();
    Scan::Done(VulnSummary {
        report: "r1".into(),
        severity,
        total,
        fixable: total / 2,
        counts,
        ended: Some(ago(7_200)),
        scanner: "Trivy v0.60.0".into(),
    })
}

fn row(repository: &str, tags: &[&str], letter: char, age: i64) -> ArtifactRow {
    let reference = Reference {
        host: HOST.into(),
        repository: repository.into(),
        tag: None,
        digest: Some(digest(letter)),
    };
    let mut row = ArtifactRow::unknown(&cluster(), &reference);
    row.uid = Uid(digest(letter).text().clone());
    row.tags = tags.iter().map(|tag| Text::from(*tag)).collect();
    row.size = Some(48_234_496);
    row.pushed = Some(ago(age));
    row.pulled = Some(ago(age / 2));
    row.signed = Some(true);
    row.platforms = vec!["linux/amd64".into(), "linux/arm64/v8".into()];
    row
}

fn running() -> ArtifactRow {
    let behind = ImageState::Behind(2);
    let mut row = row("shop/demo-app", &["2.2.0"], 'a', 777_600);
    row.newest = "2.4.0".into();
    row.scan = found([1, 3, 7, 12, 0, 0], Severity::Critical);
    row.places = vec![
        place(
            "shop-prod",
            "demo-app",
            "demo-app-7d9f-a1",
            vec![behind.clone()],
        ),
        place(
            "shop-prod",
            "demo-app",
            "demo-app-7d9f-b2",
            vec![behind.clone()],
        ),
    ];
    row.states = vec![
        behind,
        ImageState::Vulnerable {
            severity: Severity::Critical,
            fixable: 11,
        },
    ];
    row
}

fn moved() -> ArtifactRow {
    let mut row = row("shop/checkout", &[], 'b', 90_000);
    row.signed = Some(false);
    row.scan = Scan::Never;
    row.newest = "main".into();
    let states = vec![ImageState::MovedTag, ImageState::Behind(1)];
    row.places = vec![place(
        "shop-dev",
        "checkout",
        "checkout-58c4-x",
        states.clone(),
    )];
    row.states = states;
    row.states
        .extend([ImageState::NotScanned, ImageState::Unsigned]);
    row
}

fn unknown() -> ArtifactRow {
    let reference = Reference {
        host: "ghcr.io".into(),
        repository: "acme/sidecar".into(),
        tag: Some("v3".into()),
        digest: None,
    };
    let mut row = ArtifactRow::unknown(&cluster(), &reference);
    row.places = vec![place(
        "shop-prod",
        "proxy",
        "proxy-0",
        vec![ImageState::Unknown],
    )];
    row.states = vec![ImageState::Unknown];
    let finding = Finding::new(Matter::Info, "`ghcr.io` is not asked");
    row.findings = vec![finding.with_hint("name it in the configuration: `[[registry]]`")];
    row
}

fn images() -> Vec<RegistryRow> {
    let mut calm = row("shop/guestbook", &["1.0.0", "stable"], 'c', 172_800);
    calm.scan = found([0, 0, 0, 2, 0, 0], Severity::Low);
    calm.places = vec![place(
        "shop-prod",
        "guestbook",
        "guestbook-1",
        vec![ImageState::Newest],
    )];
    calm.states = vec![ImageState::Newest];
    let mut scanning = row("shop/reports", &["1.7.0"], 'd', 600);
    scanning.scan = Scan::Running { percent: 40 };
    scanning.pulled = None;
    [running(), moved(), unknown(), calm, scanning]
        .into_iter()
        .map(|row| RegistryRow::Image(Box::new(row)))
        .collect()
}

fn projects() -> Vec<RegistryRow> {
    let project = |id: i64, name: &str, used: u64, quota: Option<u64>| ProjectRow {
        object: registry_object(&cluster(), projects_kind(), HOST, name),
        uid: Uid(id.to_string().into()),
        registry: HOST.into(),
        id,
        public: name == "library",
        repositories: used / 100_000_000,
        owner: "admin".into(),
        created: Some(ago(2_592_000)),
        used: Some(used),
        quota,
        scans_pushes: name == "shop",
        prevents: (name == "shop").then_some(Severity::Critical),
        makes_sboms: false,
        needs_signature: name == "shop",
        findings: Vec::new(),
    };
    let gib = 1_073_741_824;
    [
        project(1, "library", 312_000_000, None),
        project(2, "shop", 9 * gib, Some(10 * gib)),
        project(3, "tools", 2 * gib, Some(20 * gib)),
    ]
    .into_iter()
    .map(|row| RegistryRow::Project(Box::new(row)))
    .collect()
}

fn robots() -> Vec<RegistryRow> {
    let robot = |id: i64, name: &str, project: Option<&str>, days: Option<i64>| {
        let scope: Text = project.unwrap_or("*").into();
        let may = ["pull", "push"].map(|action| Permission {
            scope: scope.clone(),
            resource: "repository".into(),
            action: action.into(),
        });
        RobotRow {
            object: registry_object(&cluster(), robots_kind(), HOST, name),
            uid: Uid(id.to_string().into()),
            registry: HOST.into(),
            id,
            project: project.map(Text::from),
            description: "for the pipelines".into(),
            disabled: name.ends_with("old"),
            expires: days.map(|days| ago(-days * 86_400)),
            created: Some(ago(5_184_000)),
            permissions: may.to_vec(),
            as_of: ago(0),
            own: false,
            findings: Vec::new(),
        }
    };
    [
        robot(1, "robot$cockpit", None, None),
        robot(2, "robot$shop+ci-push", Some("shop"), Some(21)),
        robot(3, "robot$shop+kubelet-pull", Some("shop"), Some(-1)),
        robot(4, "robot$tools+old", Some("tools"), Some(3)),
    ]
    .into_iter()
    .map(|row| RegistryRow::Robot(Box::new(row)))
    .collect()
}

fn cves() -> Vec<RegistryRow> {
    let cve = |id: &str, severity: Severity, package: &str, fix: &str| CveRow {
        object: registry_object(&cluster(), cves_kind(), "", id),
        uid: Uid(id.into()),
        severity,
        score: Some(if severity == Severity::Critical {
            98
        } else {
            71
        }),
        packages: vec![Affected {
            package: package.into(),
            version: "3.0.1".into(),
            fix: fix.into(),
        }],
        images: vec![(running().object, running().title().into())],
        places: running().places.into_iter().map(Arc::new).collect(),
        description: "a buffer is read past its end".into(),
        links: Vec::new(),
    };
    [
        cve("CVE-2026-1001", Severity::Critical, "openssl", "3.0.9"),
        cve("CVE-2026-1002", Severity::High, "zlib", ""),
    ]
    .into_iter()
    .map(|row| RegistryRow::Cve(Box::new(row)))
    .collect()
}

fn registries() -> Vec<RegistryRow> {
    let registry = |host: &str, flavour: Flavour| RegistryHealth {
        object: registry_object(&cluster(), registries_kind(), "", host),
        uid: Uid(host.into()),
        flavour,
        address: "".into(),
        version: "".into(),
        account: "".into(),
        account_from: "".into(),
        healthy: None,
        components: Vec::new(),
        read_only: false,
        storage: None,
        repositories: 1,
        findings: Vec::new(),
    };
    let mut own = registry(HOST, Flavour::Harbor);
    own.address = "service harbor/harbor-core:80".into();
    own.version = "v2.14.0".into();
    own.account = "robot$cockpit".into();
    own.healthy = Some(false);
    own.repositories = 9;
    own.components = vec![Component {
        name: "trivy".into(),
        healthy: false,
        error: "connection refused".into(),
    }];
    [own, registry("ghcr.io", Flavour::Unasked)]
        .into_iter()
        .map(|row| RegistryRow::Registry(Box::new(row)))
        .collect()
}

fn update(
    stage: &str,
    (current, candidate): (&str, &str),
    (verdict, why): (Verdict, &str),
) -> UpdateRow {
    let application = object(
        (ARGO, "Application"),
        "argocd",
        &format!("newsletter-{stage}"),
    );
    let kind = ("argocd-image-updater.argoproj.io", "ImageUpdater");
    UpdateRow {
        object: update_object(&cluster(), &application, "newsletter"),
        uid: Uid(stage.into()),
        updater: Some(object(kind, "argocd", "newsletter")),
        application,
        alias: "newsletter".into(),
        image: format!("{HOST}/shop/newsletter").into(),
        strategy: Strategy::Semver,
        constraint: "~1.4".into(),
        current: current.into(),
        decision: Some(Decision {
            verdict,
            candidate: (!candidate.is_empty()).then(|| Candidate {
                tag: candidate.into(),
                digest: None,
            }),
            why: why.into(),
        }),
        trouble: "".into(),
        write_back: "git main kustomization".into(),
        checked: Some(ago(40)),
        updated: None,
        findings: Vec::new(),
    }
}

fn updates() -> Vec<RegistryRow> {
    let stays = "1.5.0 is newer but not allowed by ~1.4";
    let goes =
        "1.4.2 is the newest version that ~1.4 allows; 1.5.0 is newer but not allowed by ~1.4";
    let none = "no tag matches regexp:^release-";
    let mut dev = update("dev", ("1.4.2", "1.4.2"), (Verdict::UpToDate, stays));
    dev.updated = Some((ago(900), "1.4.0 → 1.4.2".into()));
    let mut next = update("next", ("stable", ""), (Verdict::UpToDate, ""));
    next.strategy = Strategy::Digest;
    next.constraint = "stable".into();
    next.write_back = "argocd".into();
    next.decision = None;
    next.trouble =
        "cannot list tags of `shop/newsletter`: `registry.tiphys.local` does not log `robot$cockpit` in"
            .into();
    [
        dev,
        update("prod", ("1.4.0", "1.4.2"), (Verdict::Update, goes)),
        update("test", ("1.4.0", ""), (Verdict::NoCandidate, none)),
        next,
    ]
    .into_iter()
    .map(|row| RegistryRow::Update(Box::new(row)))
    .collect()
}

type Rows = fn() -> Vec<RegistryRow>;

pub(crate) fn rows_of(kind: &GroupKind) -> Option<Vec<RegistryRow>> {
    let kinds: [(GroupKind, Rows); 6] = [
        (images_kind(), images),
        (projects_kind(), projects),
        (robots_kind(), robots),
        (cves_kind(), cves),
        (registries_kind(), registries),
        (updates_kind(), updates),
    ];
    let found = kinds.into_iter().find(|(known, _)| known == kind);
    found.map(|(_, rows)| rows())
}

fn vulnerability(id: &str, severity: Severity, package: &str, fix: &str) -> Vulnerability {
    Vulnerability {
        id: id.into(),
        severity,
        package: package.into(),
        version: "3.0.1".into(),
        fix: fix.into(),
        score: Some(7.5),
        description: "a buffer is read past its end".into(),
        links: Vec::new(),
    }
}

pub(crate) fn detail() -> ArtifactDetail {
    let mut detail = ArtifactDetail::of(running());
    detail.platforms = vec![Platform {
        name: "linux/amd64".into(),
        digest: digest('e'),
        size: None,
    }];
    let step = |by: &str, size: Option<u64>| HistoryStep {
        created: Some(ago(900_000)),
        created_by: by.into(),
        comment: "".into(),
        empty: size.is_none(),
        size,
    };
    detail.history = vec![
        step("/bin/sh -c #(nop) ADD file:1f in /", Some(29_000_000)),
        step("/bin/sh -c #(nop)  ENV PORT=8080", None),
        step("COPY target/release/demo-app /usr/bin/", Some(18_000_000)),
    ];
    detail.labels = vec![
        (
            "org.opencontainers.image.revision".into(),
            "3f2a91c0aa11bb22cc33dd44ee55ff6677889900".into(),
        ),
        (
            "org.opencontainers.image.source".into(),
            "https://git.tiphys.local/shop/demo-app".into(),
        ),
    ];
    detail.accessories = vec![Accessory {
        kind: "signature.cosign".into(),
        digest: digest('f').text().clone(),
        size: Some(1_200),
        created: Some(ago(777_000)),
    }];
    detail.report = ReportState::Ready(Box::new(Report {
        generated: Some(ago(7_200)),
        scanner: "Trivy v0.60.0".into(),
        vulnerabilities: vec![
            vulnerability("CVE-2026-1001", Severity::Critical, "openssl", "3.0.9"),
            vulnerability("CVE-2026-1002", Severity::High, "zlib", ""),
            vulnerability("CVE-2026-1003", Severity::Low, "busybox", "1.37.1"),
        ],
        cut: false,
    }));
    detail.mended = Some((
        "2.4.0".into(),
        vec![("CVE-2026-1001".into(), "openssl".into())],
    ));
    let mut newer = row("shop/demo-app", &["2.4.0", "latest"], '1', 3_600);
    newer.scan = found([0, 1, 2, 0, 0, 0], Severity::High);
    detail.siblings = vec![newer, row("shop/demo-app", &["2.3.0"], '2', 90_000)];
    detail.of_siblings = Some(3);
    detail
}
