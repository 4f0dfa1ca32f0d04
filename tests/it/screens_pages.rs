//! Every screen and overlay as people see it, reached with keys.

use super::screens_desk::{Desk, look};
use super::screens_fixtures::{NARROW, USUAL, WIDE, shown, styled, text};
use tiphys::domain::intent::Stage;

#[test]
fn application_tree() {
    look!("application", &[NARROW, USUAL, WIDE], |desk| {
        desk.keys("enter j j j j j j j");
    });
    let mut desk = Desk::connected(USUAL);
    desk.keys("enter j j j j j j j");
    insta::assert_snapshot!("application_by_role", styled(&desk.state));
}

#[test]
fn diff_unified_and_side_by_side() {
    look!("diff", &[NARROW, WIDE], |desk| {
        desk.keys("shift-d");
    });
    let mut desk = Desk::connected(NARROW);
    desk.keys("shift-d");
    insta::assert_snapshot!("diff_by_role", styled(&desk.state));
}

#[test]
fn history() {
    look!("history", &[NARROW, USUAL], |desk| {
        desk.keys("shift-h j");
    });
}

#[test]
fn yaml_with_a_search() {
    look!("yaml", &[NARROW], |desk| {
        desk.keys("y /").types("checkout").keys("enter n");
    });
    let mut desk = Desk::connected(NARROW);
    desk.keys("y /").types("checkout").keys("enter n");
    insta::assert_snapshot!("yaml_by_role", styled(&desk.state));
}

#[test]
fn describe() {
    look!("describe", &[NARROW], |desk| {
        desk.keys("d");
    });
}

#[test]
fn why() {
    look!("why", &[NARROW], |desk| {
        desk.keys("w");
    });
}

#[test]
fn events() {
    look!("events", &[NARROW, USUAL], |desk| {
        desk.keys("shift-e j j");
    });
}

#[test]
fn logs() {
    look!("logs", &[NARROW, USUAL], |desk| {
        desk.keys("enter j j j j j l");
    });
}

#[test]
fn events_of_the_cluster_say_what_happened_to_what() {
    look!("events_table", &[NARROW, USUAL], |desk| {
        desk.command("ev");
    });
}

#[test]
fn pods() {
    look!("pods", &[NARROW, USUAL], |desk| {
        desk.command("pods");
        desk.keys("j j space");
    });
}

#[test]
fn contexts() {
    look!("contexts", &[NARROW, USUAL], |desk| {
        desk.command("ctx");
        desk.keys("j");
    });
}

#[test]
fn namespaces() {
    look!("namespaces", &[NARROW], |desk| {
        desk.command("ns");
    });
}

#[test]
fn help() {
    look!("help", &[NARROW, USUAL], |desk| {
        desk.keys("?");
    });
    look!("kinds", &[NARROW], |desk| {
        desk.keys("ctrl-a");
    });
}

#[test]
fn menu() {
    look!("menu", &[NARROW, USUAL], |desk| {
        desk.keys("m");
    });
}

#[test]
fn palette() {
    look!("palette", &[NARROW], |desk| {
        desk.keys("ctrl-p").types("sy");
    });
}

#[test]
fn command_prompt_completes() {
    look!("prompt", &[NARROW], |desk| {
        desk.keys(":").types("dep");
    });
}

#[test]
fn filter_prompt_filters_while_typing() {
    look!("filtering", &[NARROW], |desk| {
        desk.keys("/").types("prod");
    });
}

#[test]
fn sync_dialog() {
    look!("sync_dialog", &[NARROW, USUAL], |desk| {
        desk.keys("s");
    });
    let mut desk = Desk::connected(NARROW);
    desk.keys("s");
    insta::assert_snapshot!("sync_dialog_by_role", styled(&desk.state));
}

#[test]
fn switches_dialog() {
    look!("switches_dialog", &[NARROW], |desk| {
        desk.keys("shift-t");
    });
}

#[test]
fn delete_dialog_is_loud() {
    look!("delete_dialog", &[NARROW], |desk| {
        desk.keys("ctrl-d");
    });
}

#[test]
fn rollback_dialog() {
    look!("rollback_dialog", &[NARROW], |desk| {
        desk.keys("shift-h j r");
    });
}

#[test]
fn bulk_dialog_counts_its_targets() {
    look!("bulk_dialog", &[NARROW], |desk| {
        desk.keys("space j space j space j space j space j space s");
    });
}

#[test]
fn ledger_and_toasts() {
    look!("ledger", &[NARROW, USUAL], |desk| {
        desk.keys("shift-r").all_intents(&Stage::Accepted {
            detail: text("patched"),
        });
        desk.all_intents(&Stage::Observed {
            detail: text("compared again at 3f2a91c"),
        });
        desk.keys("j shift-r").all_intents(&Stage::Failed {
            sentence: text("cannot refresh `argocd/checkout-staging`: forbidden for user `oncall`"),
            hint: Some(text("ask for `patch applications.argoproj.io`")),
        });
        desk.command("ledger");
    });
}

#[test]
fn waiting_for_an_answer() {
    let mut desk = Desk::connected(NARROW);
    desk.answers = false;
    desk.keys("enter");
    insta::assert_snapshot!("waiting_application", shown(&desk.state));
    desk.keys("q shift-d");
    insta::assert_snapshot!("waiting_diff", shown(&desk.state));
    desk.keys("q l");
    insta::assert_snapshot!("waiting_logs", shown(&desk.state));
}
