//! Runs of pipelines, schedules and events as people see them.

use super::screens_desk::{Desk, look};
use super::screens_fixtures::{NARROW, USUAL, WIDE, shown, styled};

#[test]
fn runs_table() {
    look!("runs", &[NARROW, USUAL, WIDE], |desk| {
        desk.command("pipelines").keys("j");
    });
    let mut desk = Desk::connected(USUAL);
    desk.command("pipelines");
    insta::assert_snapshot!("runs_by_role", styled(&desk.state));
}

#[test]
fn run_with_a_failed_step() {
    look!("run_failed", &[NARROW, USUAL, WIDE], |desk| {
        desk.command("open wf/argo/ci-x7k2p");
    });
    let mut desk = Desk::connected(USUAL);
    desk.command("open wf/argo/ci-x7k2p");
    insta::assert_snapshot!("run_failed_by_role", styled(&desk.state));
}

#[test]
fn run_as_a_graph() {
    look!("run_graph", &[NARROW, USUAL, WIDE], |desk| {
        desk.command("open wf/argo/ci-x7k2p").keys("v");
    });
    look!("run_graph_large", &[USUAL], |desk| {
        desk.command("open wf/argo/fan-out")
            .keys("v right down down");
    });
}

#[test]
fn run_that_waits_for_a_person() {
    look!("run_waiting", &[NARROW, USUAL], |desk| {
        desk.command("open wf/argo/ci-b5m9q");
    });
    look!("run_resume_dialog", &[USUAL], |desk| {
        desk.command("open wf/argo/ci-b5m9q").keys(">");
    });
}

#[test]
fn run_of_tekton_and_one_whose_nodes_are_elsewhere() {
    look!("run_tekton", &[NARROW, USUAL], |desk| {
        desk.command("open pr/ci/ci-run-9xk2w").keys("x");
    });
    look!("run_offloaded", &[USUAL], |desk| {
        desk.command("open wf/argo/offloaded");
    });
}

#[test]
fn run_of_two_thousand_nodes_scrolls() {
    look!("run_large", &[USUAL], |desk| {
        desk.command("open wf/argo/fan-out").keys("G k k");
    });
}

#[test]
fn schedules() {
    look!("crons", &[NARROW, USUAL], |desk| {
        desk.command("crons");
    });
}

#[test]
fn events_and_webhooks() {
    look!("flow", &[NARROW, USUAL, WIDE], |desk| {
        desk.command("event-flow").keys("j j j");
    });
    look!("flow_webhook", &[USUAL], |desk| {
        desk.command("flow").keys("G k");
    });
}

#[test]
fn submit_dialog_asks_for_parameters() {
    look!("submit", &[NARROW, USUAL], |desk| {
        desk.command("wftmpl").keys("s");
    });
}
