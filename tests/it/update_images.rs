//! Images, registries and robot accounts by key: what is asked, what is refused, what is forgotten.

use crate::cockpit::{Cockpit, cluster};
use crate::screens_answers::answer;
use crate::screens_images_data::rows_of;
use tiphys::app::effect::Effect;
use tiphys::app::overlays::Overlay;
use tiphys::app::screens::Screen;
use tiphys::domain::image::{
    ArtifactRow, ImageVerb, NoCommit, Reference, RegistryRow, images_kind, repository_of,
    robots_kind,
};
use tiphys::domain::intent::{IntentId, Verb};
use tiphys::domain::object::GroupKind;
use tiphys::domain::rows::{Delta, Rows};
use tiphys::domain::servers::Secret;
use tiphys::engine::protocol::{Answer, Request, Topic, Update};

/// The fixtures' rows as those of the connected cluster.
fn here(mut row: RegistryRow) -> RegistryRow {
    match &mut row {
        RegistryRow::Image(row) => {
            row.object.cluster = cluster();
            for place in &mut row.places {
                place.workload.cluster = cluster();
                if let Some(app) = &mut place.application {
                    app.cluster = cluster();
                }
            }
        }
        RegistryRow::Project(row) => row.object.cluster = cluster(),
        RegistryRow::Robot(row) => row.object.cluster = cluster(),
        RegistryRow::Cve(row) => row.object.cluster = cluster(),
        RegistryRow::Registry(row) => row.object.cluster = cluster(),
        RegistryRow::Update(row) => row.object.cluster = cluster(),
    }
    row
}

fn open(command: &str, kind: &GroupKind) -> Cockpit {
    let mut cockpit = Cockpit::connected();
    cockpit.command(command);
    let ticket = cockpit.ticket_of(&Topic::Kind(kind.clone()));
    let rows = rows_of(kind).expect("rows").into_iter().map(here);
    cockpit.report(Update::Delta {
        generation: cockpit.state.link.generation,
        ticket,
        delta: Delta {
            kind: kind.clone(),
            reset: true,
            rows: Rows::Registry(rows.collect()),
            removed: Vec::new(),
        },
    });
    cockpit
}

/// Answers what was fetched last.
fn answered(cockpit: &mut Cockpit) {
    let requests = cockpit.asked().into_iter();
    let mut fetches = requests.filter_map(|request| match request {
        Request::Fetch { ticket, what } => Some((*ticket, answer(what))),
        Request::Connect { .. }
        | Request::Subscribe { .. }
        | Request::Unsubscribe { .. }
        | Request::More { .. }
        | Request::Act { .. }
        | Request::Reload
        | Request::RetryNow => None,
    });
    let (ticket, answer) = fetches.next_back().expect("something was fetched");
    drop(fetches);
    cockpit.report(Update::Fetched { ticket, answer });
}

#[test]
fn an_image_is_committed_with_the_lines_that_change() {
    let mut cockpit = open("images", &images_kind());

    cockpit.press("j j u");
    answered(&mut cockpit);
    let dialog = cockpit.dialog();
    let change = dialog.changes.first().expect("a file");
    assert_eq!(&*change.path, "overlays/dev/kustomization.yaml");
    let preview = dialog.preview.join(" ");
    assert!(
        preview.contains("`cockpit` pushes a commit to `main`"),
        "{preview}"
    );
    assert!(
        preview.contains("Auto-sync of `argocd/demo-app-dev`"),
        "{preview}"
    );
    cockpit.press("right enter");

    let Verb::Image(ImageVerb::Commit {
        image, or_patch, ..
    }) = asked(&cockpit)
    else {
        panic!("{:?}", asked(&cockpit));
    };
    assert_eq!(&*image, "registry.tiphys.local/shop/demo-app:2.4.0");
    assert!(!or_patch, "what was shown is what is asked");
}

#[test]
fn without_a_commit_the_dialog_says_why_and_offers_the_patch() {
    let mut cockpit = open("images", &images_kind());
    cockpit.press("j j i");
    let ticket = cockpit.last_fetch();
    let Some(Request::Fetch { what, .. }) = cockpit.asked().last().copied() else {
        panic!("something is fetched");
    };
    let Ok(Answer::ImagePlans(mut plans)) = answer(what) else {
        panic!("plans");
    };
    for plan in &mut plans {
        plan.commit = Err(NoCommit::new(
            "its source is a Helm chart",
            "commit it to its values",
        ));
    }
    let answer = Ok(Answer::ImagePlans(plans));
    cockpit.report(Update::Fetched { ticket, answer });

    let preview = cockpit.dialog().preview.join(" ");
    assert!(
        preview.contains("No commit is possible: its source is a Helm chart."),
        "{preview}"
    );
    assert!(
        preview.contains("For a commit: commit it to its values."),
        "{preview}"
    );
    assert!(
        preview.contains("self-heal of `argocd/demo-app-dev` will revert it"),
        "{preview}"
    );
    assert!(
        cockpit.dialog().fields.is_empty(),
        "there is one route only"
    );
    cockpit.press("right enter");
    assert!(matches!(asked(&cockpit), Verb::SetImage { .. }));
}

#[test]
fn an_intent_in_words_takes_the_route_it_names() {
    let line = "set-image deploy/shop-prod/api image=r.io/shop/api:2";
    let mut cockpit = open("images", &images_kind());
    cockpit.command(line);
    assert!(cockpit.state.overlay.is_none(), "git is asked first");
    answered(&mut cockpit);
    assert_eq!(cockpit.dialog().changes.len(), 1);
    cockpit.press("esc");

    cockpit.command(&format!("{line} route=patch"));
    cockpit.press("right enter");
    assert!(matches!(asked(&cockpit), Verb::SetImage { .. }));

    cockpit.command("set-image app/argocd/api image=r.io/shop/api:2 route=patch");
    cockpit.press("right enter");
    assert!(matches!(
        asked(&cockpit),
        Verb::Image(ImageVerb::Override { .. })
    ));
}

fn asked(cockpit: &Cockpit) -> Verb {
    let intents = cockpit.intents();
    intents.last().expect("an intent").verb.clone()
}

#[test]
fn a_scan_is_asked_behind_a_dialog() {
    let mut cockpit = open("images", &images_kind());

    cockpit.press("s");
    assert!(
        cockpit.intents().is_empty(),
        "no single key changes anything"
    );
    cockpit.press("right enter");

    assert_eq!(asked(&cockpit), Verb::Image(ImageVerb::Scan));
}

#[test]
fn the_newest_image_is_set_on_the_rollouts_that_run_it() {
    let mut cockpit = open("images", &images_kind());

    // The third row is two versions behind.
    cockpit.press("j j i");
    assert!(cockpit.intents().is_empty(), "git is asked first");
    answered(&mut cockpit);
    cockpit.press("up");
    cockpit.press("right");
    cockpit.press("tab tab enter");

    let intents = cockpit.intents();
    let [intent] = intents.as_slice() else {
        panic!("one Rollout runs it, not {}", intents.len());
    };
    assert_eq!(intent.target.path(), "shop-prod/demo-app");
    let Verb::SetImage { image, .. } = &intent.verb else {
        panic!("{:?}", intent.verb);
    };
    assert_eq!(&**image, "registry.tiphys.local/shop/demo-app:2.4.0");
}

#[test]
fn a_tag_has_to_be_one() {
    let mut cockpit = open("images", &images_kind());

    cockpit.press("j j t");
    cockpit.type_text("not a tag");
    let problem = cockpit.dialog().problem.clone().unwrap_or_default();

    assert!(problem.contains("cannot be a tag"), "{problem}");
}

#[test]
fn the_secret_is_shown_until_it_is_closed_and_copied_on_request() {
    let mut cockpit = open("robots", &robots_kind());

    cockpit.report(Update::Secret {
        id: IntentId(7),
        account: "robot$shop+ci".into(),
        secret: Secret::new("Once0nly"),
    });
    assert!(matches!(cockpit.state.overlay, Some(Overlay::Secret(_))));
    assert!(!format!("{:?}", cockpit.state).contains("Once0nly"));
    cockpit.press("c");
    let copied = cockpit.effects.iter().any(
        |effect| matches!(effect, Effect::Copy { text, what } if text == "Once0nly" && !what.contains("Once0nly")),
    );
    assert!(copied);
    cockpit.press("esc");

    assert!(cockpit.state.overlay.is_none(), "it is forgotten");
}

/// Opens a repository of which so many of five hundred artifacts have come.
fn repository(rows: usize) -> Cockpit {
    let mut cockpit = open("images", &images_kind());
    cockpit.press("o");
    let kind = cockpit.table().view.kind.clone();
    let name = repository_of(&kind).expect("a repository").to_owned();
    let ticket = cockpit.ticket_of(&Topic::Kind(kind.clone()));
    let artifact = |number: usize| {
        let image = Reference::parse(&format!("{name}:1.{number:03}")).expect("an image");
        let row = ArtifactRow::unknown(&cluster(), &image);
        RegistryRow::Image(Box::new(row))
    };
    cockpit.report(Update::Delta {
        generation: cockpit.state.link.generation,
        ticket,
        delta: Delta {
            kind,
            reset: true,
            rows: Rows::Registry((0..rows).map(artifact).collect()),
            removed: Vec::new(),
        },
    });
    cockpit.report(Update::Extent {
        generation: cockpit.state.link.generation,
        ticket,
        total: Some(500),
    });
    cockpit
}

fn wished(cockpit: &Cockpit) -> Vec<usize> {
    let mut wished = Vec::new();
    for request in cockpit.all_asked() {
        if let Request::More { rows, .. } = request {
            wished.push(*rows);
        }
    }
    wished
}

#[test]
fn further_artifacts_are_asked_for_near_the_end_of_those_that_are_there() {
    let mut cockpit = repository(100);
    cockpit.press("j j");
    assert!(wished(&cockpit).is_empty(), "the first page is enough");

    cockpit.press("G");
    cockpit.press("k");
    assert_eq!(wished(&cockpit), [200], "asked for once");
}

#[test]
fn a_filter_goes_over_all_artifacts() {
    let mut cockpit = repository(100);

    cockpit.press("/ 7");
    cockpit.press("7");

    assert_eq!(wished(&cockpit), [500]);
}

#[test]
fn what_a_pod_runs_is_found_from_any_table() {
    let mut cockpit = open("images", &images_kind());

    cockpit.press("enter");
    assert!(matches!(cockpit.state.screen(), Screen::Image(_)));
    cockpit.press("q o");

    assert_eq!(
        cockpit.state.screen().crumb(),
        "ghcr.io/acme/sidecar",
        "the repository's own table"
    );
}
