//! Changes: dialogs, confirmations, read-only mode, the ledger and messages.

use crate::cockpit::{Cockpit, app, tree};
use std::time::Duration;
use tiphys::app::msg::Msg;
use tiphys::app::overlays::{FieldId, FieldValue, Focus, Overlay};
use tiphys::app::state::Settings;
use tiphys::domain::application::{ApplicationDetail, AutoSync, Refresh};
use tiphys::domain::intent::{Cascade, Intent, IntentId, Risk, Stage, Switch, Verb};
use tiphys::domain::status::SyncStatus;
use tiphys::engine::protocol::{Request, Topic, Update};

fn one() -> Cockpit {
    let mut cockpit = Cockpit::connected();
    cockpit.list(vec![app("guestbook")]);
    cockpit
}

fn protected() -> Cockpit {
    let mut cockpit = Cockpit::connected_with(Settings {
        protected_contexts: vec!["d*".into()],
        ..Settings::default()
    });
    cockpit.list(vec![app("guestbook")]);
    cockpit
}

fn outcome(cockpit: &mut Cockpit, id: u64, stage: Stage) {
    let at = cockpit.now.platform;
    cockpit.report(Update::Outcome {
        id: IntentId(id),
        at,
        stage,
    });
}

#[test]
fn no_single_key_changes_the_platform() {
    let keys = [
        "s", "shift-z", "ctrl-d", "ctrl-k", "shift-t", "r", "e", "shift-d", "shift-h",
    ];
    for key in keys {
        let mut cockpit = one();
        cockpit.press(key);
        assert!(cockpit.intents().is_empty(), "{key}");
    }
}

#[test]
fn dialog_starts_on_cancel_and_enter_cancels() {
    let mut cockpit = one();
    cockpit.press("s");
    assert_eq!(cockpit.dialog().focus, Focus::Cancel);

    cockpit.press("enter");

    assert!(cockpit.state.overlay.is_none());
    assert!(cockpit.intents().is_empty());
}

#[test]
fn dialog_names_object_cluster_revision_and_what_happens() {
    let mut cockpit = one();
    let mut drifted = app("guestbook");
    drifted.sync = SyncStatus::OutOfSync;
    drifted.out_of_sync = 2;
    cockpit.change(drifted);

    cockpit.press("s");

    let dialog = cockpit.dialog();
    assert_eq!(dialog.title, "Sync");
    let facts = &dialog.facts;
    assert_eq!(facts[0].1, "Application argocd/guestbook");
    assert_eq!(facts[1], ("cluster".to_owned(), "dev".to_owned()));
    assert_eq!(facts[2].1, "main (now 3f2a91c)");
    assert!(
        dialog
            .preview
            .iter()
            .any(|line| line.contains("2 of 4 objects differ"))
    );
}

#[test]
fn confirmed_sync_carries_uid_and_options() {
    let mut cockpit = one();
    cockpit.press("s");
    // Fields in order: revision, prune, dry run …
    cockpit.press("tab tab tab space");
    let first = &cockpit.dialog().fields[1];
    assert_eq!(first.id, FieldId::Prune, "{:?}", cockpit.dialog().focus);

    let mut cockpit = one();
    cockpit.press("s up up");
    for _ in 0..40 {
        if cockpit.dialog().focus == Focus::Field(1) {
            break;
        }
        cockpit.press("up");
    }
    cockpit.press("space");
    assert!(matches!(
        cockpit.dialog().fields[1].value,
        FieldValue::Toggle(true)
    ));
    assert_eq!(cockpit.dialog().risk, Risk::Destroys);
    assert!(
        cockpit
            .dialog()
            .preview
            .iter()
            .any(|line| line.contains("DELETED"))
    );
    for _ in 0..40 {
        if cockpit.dialog().focus == Focus::Confirm {
            break;
        }
        cockpit.press("tab");
    }
    cockpit.press("enter");

    let intents = cockpit.intents();
    assert_eq!(intents.len(), 1);
    assert_eq!(intents[0].uid, Some(app("guestbook").uid));
    assert!(matches!(&intents[0].verb, Verb::Sync(request) if request.prune && !request.force));
}

#[test]
fn sync_needs_typed_confirmation_in_protected_cluster() {
    let mut cockpit = protected();
    cockpit.command("sync argocd/guestbook prune=true");
    assert!(cockpit.dialog().facts[1].1.ends_with("(protected)"));

    cockpit.press("right enter");
    assert!(cockpit.intents().is_empty());
    assert_eq!(cockpit.dialog().focus, Focus::Confirmation);
    assert_eq!(
        cockpit.dialog().problem.as_deref(),
        Some("type `guestbook` to confirm")
    );

    cockpit.type_text("guestbook");
    cockpit.press("enter enter");
    assert_eq!(cockpit.intents().len(), 1);
}

#[test]
fn undoable_change_needs_no_typed_confirmation() {
    let mut cockpit = protected();
    cockpit.command("sync argocd/guestbook");

    cockpit.press("right enter");

    assert_eq!(cockpit.intents().len(), 1);
}

#[test]
fn bulk_intent_counts_and_names_the_first() {
    let mut cockpit = Cockpit::connected();
    cockpit.list(vec![app("a"), app("b"), app("c"), app("d")]);
    cockpit.press("space G ctrl-space ctrl-d");

    let facts = cockpit.dialog().facts[0].1.clone();
    assert_eq!(facts, "4: argocd/a, argocd/b, argocd/c and 1 more");

    cockpit.press("right enter");
    let intents = cockpit.intents();
    assert_eq!(intents.len(), 4);
    assert_eq!(
        intents[0].verb,
        Verb::DeleteApplication(Cascade::Foreground)
    );
    assert_eq!(cockpit.table().view.marked(), 0);
}

#[test]
fn read_only_mode_refuses_with_a_sentence() {
    let mut cockpit = Cockpit::connected_with(Settings {
        read_only: true,
        ..Settings::default()
    });
    cockpit.list(vec![app("guestbook")]);

    cockpit.press("s");
    assert!(cockpit.state.overlay.is_none());
    assert_eq!(
        cockpit.toasts(),
        ["`sync` is refused: `dev` is read-only here"]
    );
    cockpit.press("shift-r");
    assert!(cockpit.intents().is_empty());
    cockpit.command("sync argocd/guestbook");
    assert!(cockpit.prompt().problem.is_some());
}

#[test]
fn refresh_changes_nothing_and_needs_no_dialog() {
    let mut cockpit = one();

    cockpit.press("shift-r");

    assert_eq!(cockpit.intents()[0].verb, Verb::Refresh(Refresh::Normal));
    assert_eq!(cockpit.state.ledger.entries().len(), 1);
}

#[test]
fn outcome_after_dialog_closed_still_reaches_the_ledger() {
    let mut cockpit = one();
    cockpit.command("sync argocd/guestbook");
    cockpit.press("right enter");
    cockpit.press("s esc");

    outcome(&mut cockpit, 1, Stage::Accepted { detail: "".into() });
    outcome(
        &mut cockpit,
        1,
        Stage::Observed {
            detail: "Synced".into(),
        },
    );

    let entry = &cockpit.state.ledger.entries()[0];
    assert_eq!(entry.stages.len(), 3);
    assert!(matches!(entry.stage(), Stage::Observed { .. }));
    assert!(entry.is_over());
}

#[test]
fn ledger_moves_forward_only() {
    let mut cockpit = one();
    cockpit.press("shift-r");

    outcome(&mut cockpit, 1, Stage::Observed { detail: "".into() });
    outcome(
        &mut cockpit,
        1,
        Stage::Accepted {
            detail: "late".into(),
        },
    );

    assert_eq!(cockpit.state.ledger.entries()[0].stages.len(), 2);
    assert_eq!(cockpit.state.ledger.pending(), 0);
}

#[test]
fn nothing_is_shown_before_the_watch_says_so() {
    let mut cockpit = one();
    let mut drifted = app("guestbook");
    drifted.sync = SyncStatus::OutOfSync;
    cockpit.change(drifted);
    cockpit.command("sync argocd/guestbook");
    cockpit.press("right enter");

    outcome(&mut cockpit, 1, Stage::Accepted { detail: "".into() });

    let row = cockpit.table().view.current(&cockpit.state.store);
    let sync = row.and_then(|row| row.application()).map(|app| app.sync);
    assert_eq!(sync, Some(SyncStatus::OutOfSync));
}

#[test]
fn failed_intent_tells_why_and_what_to_try() {
    let mut cockpit = one();
    cockpit.press("shift-r");

    outcome(
        &mut cockpit,
        1,
        Stage::Failed {
            sentence: "cannot refresh `argocd/guestbook`: forbidden".into(),
            hint: Some("ask for `patch applications`".into()),
        },
    );

    let toast = cockpit.state.toasts.shown().last().expect("a message");
    assert_eq!(toast.hint.as_deref(), Some("ask for `patch applications`"));
}

#[test]
fn message_goes_away_after_six_seconds() {
    let mut cockpit = one();
    cockpit.press("shift-r");
    assert!(!cockpit.toasts().is_empty());

    cockpit.pass(Duration::from_millis(5_900));
    assert!(!cockpit.toasts().is_empty());
    cockpit.pass(Duration::from_millis(200));

    assert!(cockpit.toasts().is_empty());
}

#[test]
fn sync_in_the_tree_is_of_the_managed_object_above_the_cursor() {
    let mut cockpit = one();
    cockpit.open_tree(&app("guestbook"), tree());
    // The Pod itself is not managed; its Deployment is.
    cockpit.press("j j j s");

    let dialog = cockpit.dialog();
    assert_eq!(dialog.targets[0].object.path(), "argocd/guestbook");
    assert_eq!(dialog.resources.len(), 1);
    assert_eq!(&*dialog.resources[0].name, "web");
}

#[test]
fn delete_in_the_tree_is_of_the_one_object() {
    let mut cockpit = one();
    cockpit.open_tree(&app("guestbook"), tree());
    cockpit.press("j j j ctrl-d right enter");

    let intents = cockpit.intents();
    assert_eq!(&*intents[0].target.name, "web-1-a");
    assert!(matches!(intents[0].verb, Verb::Delete { .. }));
}

#[test]
fn restart_is_for_workloads_only() {
    let mut cockpit = one();
    cockpit.open_tree(&app("guestbook"), tree());

    cockpit.press("r");
    assert!(cockpit.state.overlay.is_none());
    cockpit.press("j r right enter");

    assert_eq!(cockpit.intents()[0].verb, Verb::Restart);
}

#[test]
fn switches_send_only_what_was_changed() {
    let mut cockpit = one();
    let mut auto = app("guestbook");
    auto.auto_sync = AutoSync {
        present: true,
        on: true,
        prune: false,
        self_heal: true,
        allow_empty: false,
    };
    cockpit.change(auto);
    cockpit.press("shift-t");
    assert_eq!(
        cockpit.dialog().problem.as_deref(),
        Some("nothing would change")
    );

    // Up from Cancel: prune, then self-heal.
    cockpit.press("up up space");
    cockpit.press("tab tab tab enter");

    let intents = cockpit.intents();
    assert_eq!(intents.len(), 1);
    assert_eq!(
        intents[0].verb,
        Verb::Switch {
            switch: Switch::SelfHeal,
            on: false
        }
    );
}

#[test]
fn switches_of_several_stay_apart_where_nothing_is_chosen() {
    let mut cockpit = Cockpit::connected();
    let mut healing = app("guestbook");
    healing.auto_sync = AutoSync {
        present: true,
        on: true,
        prune: false,
        self_heal: true,
        allow_empty: false,
    };
    let mut plain = app("shop");
    plain.auto_sync = AutoSync {
        self_heal: false,
        ..healing.auto_sync
    };
    cockpit.list(vec![healing.clone(), plain.clone()]);
    cockpit.press("space j space shift-t");
    let labels: Vec<String> = cockpit
        .dialog()
        .fields
        .iter()
        .map(|field| match &field.value {
            FieldValue::Choice { chosen, options } => {
                format!("{}: {}", field.label, options[*chosen])
            }
            FieldValue::Toggle(on) => format!("{}: {on}", field.label),
            FieldValue::Text(_) => String::new(),
        })
        .collect();
    assert_eq!(
        labels,
        ["Auto-sync: true", "Self-heal: as it is", "Prune: false"]
    );

    // Up from Cancel: prune alone is switched on.
    cockpit.press("up space tab tab enter");

    let mut switched: Vec<(String, Verb)> = cockpit
        .intents()
        .into_iter()
        .map(|intent| (intent.target.name.to_string(), intent.verb))
        .collect();
    switched.sort_by(|a, b| a.0.cmp(&b.0));
    let prune = Verb::Switch {
        switch: Switch::Prune,
        on: true,
    };
    let wanted = [
        (String::from("guestbook"), prune.clone()),
        (String::from("shop"), prune),
    ];
    assert_eq!(switched, wanted);
}

#[test]
fn the_cursor_of_the_history_stays_on_its_entry() {
    let mut cockpit = one();
    let manual = app("guestbook");
    cockpit.press("shift-h");
    let ticket = cockpit.ticket_of(&Topic::Application(manual.object.clone()));
    let generation = cockpit.state.link.generation;
    let mut known = crate::cockpit::detail(&manual);
    let told = |detail: &ApplicationDetail| Update::Application {
        generation,
        ticket,
        detail: Some(Box::new(detail.clone())),
    };
    cockpit.report(told(&known));
    cockpit.press("j");
    let chosen = known.history[1].id;

    // A sync puts its entry before the others.
    let mut newer = known.history[0].clone();
    newer.id += 1;
    known.history.insert(0, newer);
    cockpit.report(told(&known));
    cockpit.press("r right enter");

    assert!(
        matches!(cockpit.intents()[0].verb, Verb::Rollback { history_id, .. } if history_id == chosen),
        "{:?}",
        cockpit.intents()
    );
}

#[test]
fn rollback_is_refused_while_auto_sync_is_on() {
    let mut cockpit = one();
    let mut auto = app("guestbook");
    auto.auto_sync.present = true;
    auto.auto_sync.on = true;
    cockpit.change(auto.clone());
    cockpit.press("shift-h");
    let ticket = cockpit.ticket_of(&Topic::Application(auto.object.clone()));
    cockpit.report(Update::Application {
        generation: cockpit.state.link.generation,
        ticket,
        detail: Some(Box::new(crate::cockpit::detail(&auto))),
    });

    cockpit.press("j r");
    let problem = cockpit.dialog().problem.clone().unwrap_or_default();
    assert!(problem.contains("auto-sync is on"), "{problem}");
    cockpit.press("right enter");
    assert!(cockpit.intents().is_empty());

    let mut manual = auto;
    manual.auto_sync.on = false;
    cockpit.press("esc");
    cockpit.change(manual);
    cockpit.press("r right enter");
    assert!(matches!(
        cockpit.intents()[0].verb,
        Verb::Rollback {
            history_id: 4,
            prune: false,
            ..
        }
    ));
}

#[test]
fn edited_manifest_is_checked_by_the_server_before_anyone_is_asked() {
    let mut cockpit = one();
    let intent = Intent {
        target: app("guestbook").object,
        uid: Some(app("guestbook").uid),
        verb: Verb::Replace {
            manifest: "kind: Application".into(),
        },
    };

    cockpit.send(Msg::Edited(Ok(Some(Box::new(intent)))));
    assert!(matches!(
        cockpit.asked()[0],
        Request::Act { dry_run: true, .. }
    ));
    assert!(cockpit.state.overlay.is_none());
    outcome(&mut cockpit, 1, Stage::Accepted { detail: "".into() });
    assert_eq!(cockpit.dialog().title, "Replace by the edited manifest");
    cockpit.press("right enter");

    assert!(matches!(
        cockpit.asked()[0],
        Request::Act { dry_run: false, .. }
    ));
}

#[test]
fn menu_gives_every_command_its_letter() {
    let mut cockpit = one();
    cockpit.press("m");
    let Some(Overlay::Menu(menu)) = &cockpit.state.overlay else {
        panic!("the menu is open");
    };
    let mut letters: Vec<char> = menu.items.iter().filter_map(|item| item.letter).collect();
    assert_eq!(letters.len(), menu.items.len());
    letters.sort_unstable();
    letters.dedup();
    assert_eq!(letters.len(), menu.items.len());

    cockpit.press("s");
    assert_eq!(cockpit.dialog().title, "Sync");
}

#[test]
fn palette_finds_a_command_by_a_few_letters() {
    let mut cockpit = one();
    cockpit.press("ctrl-p");
    cockpit.type_text("hard ref");
    let Some(Overlay::Palette(palette)) = &cockpit.state.overlay else {
        panic!("the palette is open");
    };
    assert_eq!(
        palette.items[0].title,
        "Hard refresh: render again and compare"
    );

    cockpit.press("enter");

    assert_eq!(cockpit.intents()[0].verb, Verb::Refresh(Refresh::Hard));
}

#[test]
fn pasted_text_is_never_read_as_keys() {
    let mut cockpit = one();
    cockpit.send(Msg::Paste("s\r:q\r".to_owned()));
    assert!(cockpit.state.overlay.is_none());
    assert!(!cockpit.state.quitting);

    cockpit.press(":");
    cockpit.send(Msg::Paste("pods\n".to_owned()));
    assert_eq!(cockpit.prompt().input.value(), "pods");
}

#[test]
fn words_with_a_mistake_are_refused_in_the_prompt() {
    let mut cockpit = one();

    cockpit.command("sync argocd/guestbook prnue=true");

    let problem = cockpit.prompt().problem.clone().unwrap_or_default();
    assert!(problem.contains("did you mean `prune`?"), "{problem}");
}
