//! Rollouts, metrics and alerts by key: what is asked of the platform, and what is refused.

use crate::cockpit::{Cockpit, app, cluster};
use crate::screens_delivery_data::{aborted, alerts, board, detail, paused, query, rollout};
use std::time::Duration;
use tiphys::app::overlays::{FieldId, FieldValue, Focus};
use tiphys::app::schedule::next_deadline;
use tiphys::app::screens::{ChartsOf, Screen, rollouts};
use tiphys::domain::intent::{IntentId, Risk, Stage, Verb};
use tiphys::domain::rollout::{Rollout, RolloutPhase};
use tiphys::domain::rows::{Delta, Rows};
use tiphys::engine::protocol::{Request, Topic, Update};

/// A Rollout of the connected cluster.
fn here(mut row: Rollout) -> Rollout {
    row.object.cluster = cluster();
    row
}

fn list(cockpit: &mut Cockpit, rows: Vec<Rollout>) {
    let ticket = cockpit.ticket_of(&Topic::Kind(rollouts()));
    cockpit.report(Update::Delta {
        generation: cockpit.state.link.generation,
        ticket,
        delta: Delta {
            kind: rollouts(),
            reset: true,
            rows: Rows::Rollouts(rows),
            removed: Vec::new(),
        },
    });
}

fn tell(cockpit: &mut Cockpit, row: Rollout) {
    let ticket = cockpit.ticket_of(&Topic::Rollout(row.object.clone()));
    let generation = cockpit.state.link.generation;
    cockpit.report(Update::Rollout {
        generation,
        ticket,
        detail: Some(Box::new(detail(row))),
    });
}

/// The screen of a Rollout that is paused in a step.
fn open() -> Cockpit {
    let mut cockpit = Cockpit::connected();
    list(&mut cockpit, vec![here(paused())]);
    cockpit.command("ro");
    cockpit.press("enter");
    tell(&mut cockpit, here(paused()));
    cockpit
}

fn confirm(cockpit: &mut Cockpit, keys: &str) {
    cockpit.press(keys);
    assert_eq!(cockpit.dialog().focus, Focus::Cancel, "{keys}");
    cockpit.press("right enter");
}

#[test]
fn promote_is_asked_for_the_rollout_whose_screen_is_open() {
    let mut cockpit = open();

    confirm(&mut cockpit, ">");

    let intents = cockpit.intents();
    assert_eq!(intents.len(), 1);
    assert_eq!(intents[0].verb, Verb::Promote);
    assert_eq!(intents[0].target, here(paused()).object);
    assert_eq!(intents[0].uid, Some(paused().uid));
}

#[test]
fn second_promotion_is_refused_while_the_first_is_on_its_way() {
    let mut cockpit = open();
    confirm(&mut cockpit, ">");

    cockpit.press(">");
    let problem = cockpit.dialog().problem.clone().unwrap_or_default();
    assert!(
        problem.contains("another one would skip a step"),
        "{problem}"
    );
    cockpit.press("right enter");
    assert!(cockpit.intents().is_empty());

    // It was seen, and the controller has not reacted yet.
    cockpit.press("esc");
    let at = cockpit.now.platform;
    cockpit.report(Update::Outcome {
        id: IntentId(1),
        at,
        stage: Stage::Observed { detail: "".into() },
    });
    let mut unpausing = here(paused());
    unpausing.pauses.clear();
    tell(&mut cockpit, unpausing);
    cockpit.press("> right enter");
    assert!(cockpit.intents().is_empty());
}

#[test]
fn what_was_aborted_is_not_promoted() {
    let mut cockpit = Cockpit::connected();
    let mut row = here(aborted());
    row.pauses = paused().pauses;
    list(&mut cockpit, vec![row.clone()]);
    cockpit.command("ro");
    cockpit.press("enter");
    tell(&mut cockpit, row);

    for key in [">", "shift-t"] {
        cockpit.press(key);
        let problem = cockpit.dialog().problem.clone().unwrap_or_default();
        assert!(
            problem.contains("was aborted; retry it"),
            "{key}: {problem}"
        );
        cockpit.press("right enter");
        assert!(cockpit.intents().is_empty(), "{key}");
        cockpit.press("esc");
    }
}

#[test]
fn keys_lead_to_their_intents() {
    let cases = [
        ("shift-a", Verb::Abort),
        ("r", Verb::RestartRollout),
        ("shift-t", Verb::Resume),
        ("u", Verb::Undo { revision: Some(6) }),
    ];
    for (keys, verb) in cases {
        let mut cockpit = open();
        cockpit.press(keys);
        assert!(cockpit.intents().is_empty(), "{keys} asks first");
        let steps = cockpit.dialog().fields.len() + 4;
        for _ in 0..steps {
            if cockpit.dialog().focus != Focus::Confirm {
                cockpit.press("tab");
            }
        }
        cockpit.press("enter");
        let verbs: Vec<Verb> = cockpit.intents().into_iter().map(|one| one.verb).collect();
        assert_eq!(verbs, [verb], "{keys}");
    }
}

#[test]
fn set_image_starts_from_the_present_one() {
    let mut cockpit = open();
    cockpit.press("i");
    let field = cockpit
        .dialog()
        .fields
        .iter()
        .find(|one| one.id == FieldId::Image);
    let Some(FieldValue::Text(input)) = field.map(|field| &field.value) else {
        panic!("there is a field for the image");
    };
    assert!(input.value().ends_with("demo-app:2.5.0"));
    let problem = cockpit.dialog().problem.clone().unwrap_or_default();
    assert!(problem.contains("runs this image already"), "{problem}");

    cockpit.press("backspace");
    cockpit.type_text("1");
    cockpit.press("tab tab enter");

    let image = "registry.example.com/shop/demo-app:2.5.1";
    let asked = cockpit.asked();
    let [Request::Fetch { ticket, what }] = asked.as_slice() else {
        panic!("git is asked first");
    };
    let (ticket, answer) = (*ticket, crate::screens_answers::answer(what));
    cockpit.report(Update::Fetched { ticket, answer });
    cockpit.press("up right tab tab enter");

    let [intent] = cockpit.intents().try_into().expect("one intent");
    let container = "app".into();
    assert_eq!(
        intent.verb,
        Verb::SetImage {
            container,
            image: image.into()
        }
    );
}

#[test]
fn dialog_says_what_comes_next_and_that_self_heal_reverts_it() {
    let mut cockpit = open();
    cockpit.press(">");
    let preview = cockpit.dialog().preview.join(" ");
    assert!(
        preview.contains("analysis success-rate, latency-p95"),
        "{preview}"
    );
    assert!(
        !preview.contains("self-heal"),
        "a promotion changes no spec: {preview}"
    );

    cockpit.press("esc u");
    let preview = cockpit.dialog().preview.join(" ");
    assert!(
        preview.contains("self-heal of `argocd/demo-app-dev` will revert it"),
        "{preview}"
    );
}

#[test]
fn what_makes_no_sense_now_is_refused_in_the_dialog() {
    let mut cockpit = Cockpit::connected();
    list(&mut cockpit, vec![here(rollout("shop", "calm"))]);
    cockpit.command("ro");
    for keys in [">", "shift-a", "shift-t"] {
        cockpit.press(keys);
        assert!(cockpit.dialog().problem.is_some(), "{keys}");
        cockpit.press("right enter");
        assert!(cockpit.intents().is_empty(), "{keys}");
        cockpit.press("esc");
    }
}

#[test]
fn marked_rollouts_are_promoted_together_except_those_that_wait_for_nothing() {
    let mut cockpit = Cockpit::connected();
    let mut second = here(paused());
    second.object.name = "other".into();
    list(
        &mut cockpit,
        vec![here(paused()), second, here(rollout("shop", "calm"))],
    );
    cockpit.command("ro");
    cockpit.press("space space space >");
    assert_eq!(cockpit.dialog().targets.len(), 3);

    cockpit.press("right enter");

    assert_eq!(cockpit.intents().len(), 2);
}

#[test]
fn promote_on_an_application_means_its_rollout() {
    let mut cockpit = Cockpit::connected();
    let mut own = app("demo-app-dev");
    own.rollouts = vec![here(paused()).object];
    cockpit.list(vec![own]);
    list(&mut cockpit, vec![here(paused())]);

    confirm(&mut cockpit, ">");

    assert_eq!(cockpit.intents()[0].target, here(paused()).object);
}

#[test]
fn full_promotion_needs_the_name_in_a_protected_context() {
    let mut cockpit = open();
    cockpit.state.settings.protected_contexts = vec!["dev".into()];
    cockpit.command("promote-full");
    assert_eq!(cockpit.dialog().risk, Risk::Destroys);
    let must = cockpit
        .dialog()
        .confirmation
        .as_ref()
        .map(|one| one.must_type.clone());
    assert_eq!(must.as_deref(), Some("demo-app"));
}

#[test]
fn pause_counts_down_each_second_and_calm_rollouts_wake_nobody() {
    let mut cockpit = open();
    cockpit.now.platform = crate::screens_fixtures::now();
    cockpit.press("j");
    let deadline = next_deadline(&cockpit.state).platform.expect("a countdown");
    let wait = deadline - cockpit.now.platform;
    assert!(wait.num_milliseconds() <= 1_001, "{wait}");

    cockpit.state.dirty = false;
    cockpit.pass(Duration::from_secs(1));
    assert!(cockpit.state.dirty);

    // The same report again changes nothing.
    cockpit.state.dirty = false;
    tell(&mut cockpit, here(paused()));
    assert!(!cockpit.state.dirty);
}

#[test]
fn events_are_read_again_when_the_rollout_goes_on() {
    let mut cockpit = open();
    tell(&mut cockpit, here(paused()));
    assert!(cockpit.asked().is_empty());

    let mut next = here(paused());
    next.phase = RolloutPhase::Progressing;
    tell(&mut cockpit, next);

    assert!(matches!(cockpit.asked()[0], Request::Fetch { .. }));
}

#[test]
fn rollouts_table_shares_the_subscription_of_the_connection() {
    let mut cockpit = Cockpit::connected();
    list(
        &mut cockpit,
        vec![here(paused()), here(rollout("shop", "calm"))],
    );
    cockpit.command("ro");
    assert_eq!(cockpit.names(), ["calm", "demo-app"]);
    assert!(cockpit.asked().is_empty());

    cockpit.press("q");
    assert!(
        cockpit.asked().is_empty(),
        "Applications still tell of them"
    );

    cockpit.command("ro /phase:paused");
    assert_eq!(cockpit.names(), ["demo-app"]);
}

#[test]
fn longer_span_asks_anew_and_lets_the_old_question_go() {
    let mut cockpit = open();
    cockpit.press("shift-m");
    let [Request::Subscribe { ticket, topic }] = cockpit.asked()[..] else {
        panic!("one subscription: {:?}", cockpit.asked());
    };
    let (ticket, topic) = (*ticket, topic.clone());
    let Topic::Board { object, wish } = topic else {
        panic!("charts of an object: {topic:?}");
    };
    assert_eq!(object, here(paused()).object);
    cockpit.report(Update::Board {
        generation: cockpit.state.link.generation,
        ticket,
        board: Box::new(board()),
    });

    cockpit.press("z");

    let asked = cockpit.asked();
    assert_eq!(asked[0], &Request::Unsubscribe { ticket });
    let Request::Subscribe {
        topic: Topic::Board { wish: longer, .. },
        ..
    } = asked[1]
    else {
        panic!("asked anew: {asked:?}");
    };
    assert!(longer.length_seconds > wish.length_seconds);
}

#[test]
fn query_keeps_its_last_answer_beside_a_later_error() {
    let mut cockpit = Cockpit::connected();
    cockpit.command("query rate(up[1m])");
    let [
        Request::Subscribe {
            ticket,
            topic: Topic::Query { expr, .. },
        },
    ] = cockpit.asked()[..]
    else {
        panic!("{:?}", cockpit.asked());
    };
    assert_eq!(&**expr, "rate(up[1m])");
    let ticket = *ticket;
    let generation = cockpit.state.link.generation;
    for answer in [query("up"), query("(((")] {
        cockpit.report(Update::Query {
            generation,
            ticket,
            answer,
        });
    }

    let Screen::Charts(screen) = cockpit.state.screen() else {
        panic!("charts are shown");
    };
    assert_eq!(screen.what, ChartsOf::Query("rate(up[1m])".into()));
    assert_eq!(screen.shown()[0].lines.len(), 2);
    assert!(screen.shown()[0].problem.is_some());
    cockpit.press("q");
    assert_eq!(cockpit.asked(), [&Request::Unsubscribe { ticket }]);
}

#[test]
fn silence_takes_the_alert_and_needs_a_comment() {
    let mut cockpit = Cockpit::connected();
    cockpit.command("alerts");
    let ticket = cockpit.ticket_of(&Topic::Alerts);
    cockpit.report(Update::Alerts {
        generation: cockpit.state.link.generation,
        ticket,
        board: Box::new(alerts()),
    });
    cockpit.press("s");
    let problem = cockpit.dialog().problem.clone().unwrap_or_default();
    assert!(problem.contains("comment"), "{problem}");

    cockpit.type_text("looking into it");
    cockpit.press("enter enter");

    let [intent] = cockpit.intents().try_into().expect("one intent");
    let Verb::Silence(request) = intent.verb else {
        panic!("a silence: {:?}", intent.verb);
    };
    assert_eq!(request.length_seconds, 7_200);
    assert_eq!(&*request.comment, "looking into it");
    let words: Vec<String> = request
        .matchers
        .iter()
        .map(tiphys::domain::alert::Matcher::words)
        .collect();
    assert!(
        words.contains(&"alertname=\"HighErrorRate\"".to_owned()),
        "{words:?}"
    );
}

#[test]
fn enter_on_an_alert_draws_what_its_rule_asks() {
    let mut cockpit = Cockpit::connected();
    cockpit.command("alerts");
    let ticket = cockpit.ticket_of(&Topic::Alerts);
    let mut board = alerts();
    board.alerts[0].expression = "errors > 5".into();
    cockpit.report(Update::Alerts {
        generation: cockpit.state.link.generation,
        ticket,
        board: Box::new(board),
    });

    cockpit.press("j enter");
    assert!(
        cockpit.toasts().concat().contains("nobody says"),
        "{:?}",
        cockpit.toasts()
    );

    cockpit.press("k enter");
    let Screen::Charts(screen) = cockpit.state.screen() else {
        panic!("charts are shown");
    };
    assert_eq!(screen.what, ChartsOf::Query("errors > 5".into()));
}

#[test]
fn silence_under_the_cursor_can_be_ended() {
    let mut cockpit = Cockpit::connected();
    cockpit.command("alerts");
    let ticket = cockpit.ticket_of(&Topic::Alerts);
    cockpit.report(Update::Alerts {
        generation: cockpit.state.link.generation,
        ticket,
        board: Box::new(alerts()),
    });

    cockpit.press("shift-g");
    confirm(&mut cockpit, "ctrl-d");

    let intent = &cockpit.intents()[0];
    assert_eq!(
        (&*intent.target.name, &intent.verb),
        ("7c1e", &Verb::ExpireSilence)
    );
}

#[test]
fn analysis_is_opened_and_terminated_from_the_tree() {
    let mut cockpit = open();
    // Revision, ReplicaSet, Pod, AnalysisRun.
    cockpit.press("g j j j ctrl-k right enter");
    let intent = &cockpit.intents()[0];
    assert_eq!(intent.verb, Verb::TerminateAnalysis);
    assert_eq!(&*intent.target.name, "demo-app-58c4f7d6f-7");

    cockpit.press("enter");
    assert_eq!(cockpit.screen_word(), "analysis");
}

#[test]
fn folds_follow_the_revision_when_a_new_one_comes() {
    let mut cockpit = open();
    let rows = |cockpit: &Cockpit| {
        let Screen::Rollout(screen) = cockpit.state.screen() else {
            panic!("{}", cockpit.screen_word());
        };
        screen.rows().len()
    };
    let before = rows(&cockpit);
    cockpit.press("g space");
    let folded = rows(&cockpit);
    assert!(folded < before);

    let mut moved = here(paused());
    moved.message = "news".into();
    tell(&mut cockpit, moved);

    assert_eq!(rows(&cockpit), folded);
}
