//! Runs, schedules and events by key: what is asked of the platform, and what is refused.

use crate::cockpit::{Cockpit, cluster};
use crate::screens_runs_data::{crons, failed, flow, template, waiting, workflow_detail};
use std::time::Duration;
use tiphys::app::commands::Command;
use tiphys::app::overlays::{Focus, Overlay};
use tiphys::app::schedule::next_deadline;
use tiphys::app::screens::{RunView, Screen};
use tiphys::domain::intent::Verb;
use tiphys::domain::kind::ARGO;
use tiphys::domain::object::{GroupKind, ObjectRef};
use tiphys::domain::pipeline::cron::cron_kind;
use tiphys::domain::pipeline::{CancelWay, Phase, RunDetail, RunVerb, System, TEKTON, runs_kind};
use tiphys::domain::rows::{Column, Delta, ObjectRow, Rows};
use tiphys::engine::protocol::{Answer, Request, Topic, Update};

fn here(mut detail: RunDetail) -> RunDetail {
    detail.row.object.cluster = cluster();
    for node in &mut detail.nodes {
        if let Some(pod) = &mut node.pod {
            pod.cluster = cluster();
        }
    }
    detail
}

fn list(cockpit: &mut Cockpit, kind: &GroupKind, rows: Rows) {
    let ticket = cockpit.ticket_of(&Topic::Kind(kind.clone()));
    cockpit.report(Update::Delta {
        generation: cockpit.state.link.generation,
        ticket,
        delta: Delta {
            kind: kind.clone(),
            reset: true,
            rows,
            removed: Vec::new(),
        },
    });
}

fn tell(cockpit: &mut Cockpit, detail: RunDetail) {
    let ticket = cockpit.ticket_of(&Topic::Run(detail.row.object.clone()));
    let generation = cockpit.state.link.generation;
    cockpit.report(Update::Run {
        generation,
        ticket,
        detail: Some(Box::new(detail)),
    });
}

/// The screen of a run that was chosen in the table.
fn open(detail: RunDetail) -> Cockpit {
    let mut cockpit = Cockpit::connected();
    cockpit.command("pipelines");
    let rows = Rows::Runs(vec![detail.row.clone()]);
    list(&mut cockpit, &runs_kind(), rows);
    cockpit.press("enter");
    tell(&mut cockpit, detail);
    cockpit
}

fn confirm(cockpit: &mut Cockpit, keys: &str) -> RunVerb {
    cockpit.press(keys);
    assert_eq!(cockpit.dialog().focus, Focus::Cancel, "{keys}");
    cockpit.press("right enter");
    let intents = cockpit.intents();
    match intents.last().map(|intent| intent.verb.clone()) {
        Some(Verb::Run(verb)) => verb,
        other => panic!("no intent on a run but {other:?}"),
    }
}

fn screen(cockpit: &Cockpit) -> &tiphys::app::screens::RunScreen {
    let Screen::Run(screen) = cockpit.state.screen() else {
        panic!("no run but {}", cockpit.state.screen().crumb());
    };
    screen
}

fn subscriptions(cockpit: &Cockpit) -> Vec<String> {
    let mut logs = Vec::new();
    for effect in &cockpit.effects {
        if let tiphys::app::effect::Effect::Engine(Request::Subscribe {
            topic: Topic::Logs { object, options },
            ..
        }) = effect
        {
            let container = options.container.as_deref().unwrap_or("all");
            logs.push(format!("{} {container}", object.name));
        }
    }
    logs
}

#[test]
fn a_run_opens_at_the_step_that_failed_with_its_log() {
    let cockpit = open(here(workflow_detail(&failed())));

    let current = screen(&cockpit).current().expect("a node");
    assert_eq!(&*current.label, "unit(1)");
    assert_eq!(subscriptions(&cockpit), ["w.unit(1) main"]);
}

#[test]
fn the_log_follows_the_cursor_when_it_has_rested() {
    let mut cockpit = open(here(workflow_detail(&failed())));

    cockpit.press("k k k");
    let current = screen(&cockpit).current().expect("a node");
    assert_eq!(&*current.label, "race");
    assert!(subscriptions(&cockpit).is_empty(), "it is still moving");
    assert!(next_deadline(&cockpit.state).real.is_some());
    cockpit.pass(Duration::from_millis(200));

    assert_eq!(subscriptions(&cockpit), ["w.race main"]);
    let unsubscribed = cockpit.effects.iter().any(|effect| {
        matches!(
            effect,
            tiphys::app::effect::Effect::Engine(Request::Unsubscribe { .. })
        )
    });
    assert!(unsubscribed, "one log at a time");
}

#[test]
fn retry_is_asked_for_the_run_and_stop_is_refused_when_it_is_over() {
    let mut cockpit = open(here(workflow_detail(&failed())));

    assert_eq!(confirm(&mut cockpit, "shift-r"), RunVerb::Retry);
    assert_eq!(&*cockpit.intents()[0].target.name, "ci-x7k2p");
    cockpit.press("shift-a");

    let problem = cockpit.dialog().problem.clone().expect("a problem");
    assert!(problem.contains("is over already"), "{problem}");
}

#[test]
fn the_step_that_waits_is_resumed_with_the_value_that_was_typed() {
    let mut cockpit = open(here(workflow_detail(&waiting())));

    cockpit.press(">");
    assert_eq!(cockpit.dialog().fields.len(), 1);
    // Cancel, Confirm, then the field.
    cockpit.press("down down");
    for _ in 0.."staging".len() {
        cockpit.press("backspace");
    }
    cockpit.type_text("prod");
    while cockpit.dialog().focus != Focus::Confirm {
        cockpit.press("tab");
    }
    cockpit.press("enter");

    let Verb::Run(RunVerb::Resume { node, parameters }) = &cockpit.intents()[0].verb else {
        panic!("{:?}", cockpit.intents());
    };
    assert_eq!(node.as_deref(), Some("w[1].approve"));
    assert_eq!(parameters, &[("environment".into(), "prod".into())]);
}

#[test]
fn a_run_of_tekton_is_cancelled_in_one_of_three_ways() {
    let mut detail = here(workflow_detail(&waiting()));
    detail.row.system = System::Tekton;
    detail.row.object.kind = GroupKind::new(TEKTON, "PipelineRun");
    let mut cockpit = open(detail);

    let verb = confirm(&mut cockpit, "shift-x");

    assert_eq!(verb, RunVerb::Cancel(CancelWay::RunFinally));
}

#[test]
fn the_graph_keeps_the_node_and_moves_by_columns() {
    let mut cockpit = open(here(workflow_detail(&failed())));

    cockpit.press("v left");

    assert_eq!(screen(&cockpit).view, RunView::Graph);
    let current = screen(&cockpit).current().expect("a node");
    assert_eq!(&*current.label, "clone");
    cockpit.press("v");
    let current = screen(&cockpit).current().expect("a node");
    assert_eq!(&*current.label, "clone", "the tree shows the same node");
}

#[test]
fn a_schedule_is_triggered_and_suspended() {
    let mut cockpit = Cockpit::connected();
    cockpit.command("crons");
    let mut rows = crons();
    rows.truncate(1);
    rows[0].object.cluster = cluster();
    list(&mut cockpit, &cron_kind(), Rows::CronRuns(rows));

    assert_eq!(confirm(&mut cockpit, "s"), RunVerb::TriggerCron);
    let suspended = confirm(&mut cockpit, "shift-t");
    assert_eq!(suspended, RunVerb::SuspendCron { on: true });
}

#[test]
fn a_template_asks_for_what_has_no_value() {
    let kind = GroupKind::new(ARGO, "WorkflowTemplate");
    let object = ObjectRef {
        cluster: cluster(),
        kind: kind.clone(),
        namespace: Some("argo".into()),
        name: "ci".into(),
    };
    let mut cockpit = Cockpit::connected();
    cockpit.command("wftmpl");
    let row = ObjectRow {
        object: object.clone(),
        uid: tiphys::domain::object::Uid("uid-template".into()),
        cells: Vec::new(),
        verdict: None,
        labels: Vec::new(),
        created: None,
        deleting: false,
    };
    let columns: Option<Vec<Column>> = Some(Vec::new());
    let rows = Rows::Objects {
        columns,
        rows: vec![row],
    };
    list(&mut cockpit, &kind, rows);
    cockpit.press("s");
    let ticket = cockpit.last_fetch();
    let mut answer = template(&object);
    answer.object = object;
    cockpit.report(Update::Fetched {
        ticket,
        answer: Ok(Answer::Template(Box::new(answer))),
    });

    let problem = cockpit.dialog().problem.clone().expect("a problem");
    assert!(problem.contains("`revision` needs a value"), "{problem}");
    cockpit.press("down down");
    cockpit.type_text("main");
    while cockpit.dialog().focus != Focus::Confirm {
        cockpit.press("tab");
    }
    cockpit.press("enter");

    let Verb::Run(RunVerb::Submit { parameters, .. }) = &cockpit.intents()[0].verb else {
        panic!("{:?}", cockpit.intents());
    };
    let given = [("revision".into(), "main".into())];
    assert_eq!(
        parameters, &given,
        "what the template says need not be said again"
    );
}

#[test]
fn a_test_event_goes_to_the_event_under_the_cursor_and_a_webhook_is_replayed() {
    let mut cockpit = Cockpit::connected();
    cockpit.command("event-flow");
    let ticket = cockpit.ticket_of(&Topic::EventFlow);
    let mut all = flow();
    all.sources[0].object.cluster = cluster();
    let generation = cockpit.state.link.generation;
    cockpit.report(Update::EventFlow {
        generation,
        ticket,
        flow: Box::new(all),
    });
    cockpit.press("j s");
    assert!(matches!(cockpit.state.overlay, Some(Overlay::Dialog(_))));
    cockpit.press("esc");
    let at_end = confirm(&mut cockpit, "shift-g r");
    assert_eq!(
        at_end,
        RunVerb::Replay {
            id: "r00040".into()
        }
    );
}

#[test]
fn intents_in_words_reach_runs() {
    let mut cockpit = open(here(workflow_detail(&waiting())));
    cockpit.command("stop wf/argo/ci-b5m9q");
    cockpit.press("right enter");
    assert_eq!(cockpit.intents()[0].verb, Verb::Run(RunVerb::Stop));

    cockpit.command("resume wf/argo/ci-b5m9q node=approve environment=prod");
    cockpit.press("right enter");

    let resume = RunVerb::Resume {
        node: Some("approve".into()),
        parameters: vec![("environment".into(), "prod".into())],
    };
    assert_eq!(cockpit.intents()[0].verb, Verb::Run(resume));
}

/// A run of GitHub Actions that stands where it is said to.
fn of_github(phase: Phase) -> RunDetail {
    let mut detail = here(workflow_detail(&waiting()));
    detail.row.system = System::Actions;
    detail.row.template = None;
    detail.row.phase = phase;
    detail.row.object.kind = System::Actions.kind();
    detail.row.object.namespace = Some("web/flask-app".into());
    detail.row.object.name = "ci-7-1000007".into();
    detail
}

/// The commands that the menu of what is under the cursor offers.
fn menu(cockpit: &mut Cockpit) -> Vec<Command> {
    cockpit.press("m");
    let Some(Overlay::Menu(menu)) = &cockpit.state.overlay else {
        panic!("no menu: {:?}", cockpit.state.overlay);
    };
    let commands = menu.items.iter().map(|item| item.command).collect();
    cockpit.press("esc");
    commands
}

#[test]
fn a_run_of_actions_is_cancelled_and_run_again_in_place() {
    let mut cockpit = open(of_github(Phase::Running));
    let verb = confirm(&mut cockpit, "shift-x");
    assert_eq!(verb, RunVerb::Cancel(CancelWay::Now), "there is one way");
    let offered = menu(&mut cockpit);
    for alien in [
        Command::SuspendRun,
        Command::StopRun,
        Command::Submit,
        Command::Edit,
    ] {
        assert!(!offered.contains(&alien), "{alien:?} in {offered:?}");
    }

    let mut cockpit = open(of_github(Phase::Failed));
    assert_eq!(confirm(&mut cockpit, "shift-r"), RunVerb::Retry);
    cockpit.command("rerun actions/web/flask-app/ci-7-1000007");
    assert!(
        cockpit
            .dialog()
            .preview
            .iter()
            .any(|line| line.contains("new attempt"))
    );
    cockpit.press("right enter");
    let intents = cockpit.intents();
    let rerun = intents.last().expect("an intent");
    assert_eq!(rerun.verb, Verb::Run(RunVerb::Resubmit));
    assert_eq!(rerun.target.path(), "web/flask-app/ci-7-1000007");
}

#[test]
fn menus_of_sources_schedules_and_webhooks_offer_what_applies() {
    let mut cockpit = Cockpit::connected();
    cockpit.command("event-flow");
    let ticket = cockpit.ticket_of(&Topic::EventFlow);
    let mut all = flow();
    all.sources[0].object.cluster = cluster();
    let generation = cockpit.state.link.generation;
    cockpit.report(Update::EventFlow {
        generation,
        ticket,
        flow: Box::new(all),
    });
    let alien = [
        Command::Sync,
        Command::Promote,
        Command::Restart,
        Command::Scale,
        Command::Logs,
        Command::Terminate,
        Command::Resubmit,
        Command::CancelRun,
        Command::ToggleGraph,
    ];

    let of_source = menu(&mut cockpit);
    assert!(of_source.contains(&Command::TestEvent), "{of_source:?}");
    assert!(
        !alien.iter().any(|one| of_source.contains(one)),
        "{of_source:?}"
    );
    cockpit.press("shift-g");
    assert_eq!(menu(&mut cockpit), [Command::Replay]);

    cockpit.command("crons");
    let mut rows = crons();
    rows[0].object.cluster = cluster();
    list(&mut cockpit, &cron_kind(), Rows::CronRuns(rows));
    let of_cron = menu(&mut cockpit);
    for own in [Command::TriggerCron, Command::SwitchCron, Command::Submit] {
        assert!(of_cron.contains(&own), "{own:?} in {of_cron:?}");
    }
    assert!(
        !alien.iter().any(|one| of_cron.contains(one)),
        "{of_cron:?}"
    );
}
