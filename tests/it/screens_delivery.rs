//! Rollouts, analyses, metrics and alerts as people see them.

use super::screens_delivery_data::{rollout, rollouts};
use super::screens_desk::{Desk, look};
use super::screens_fixtures::{NARROW, USUAL, WIDE, ago, application, now, shown, styled};
use chrono::TimeDelta;
use tiphys::app::msg::Msg;
use tiphys::domain::rows::{Delta, Rows};
use tiphys::domain::status::Freshness;
use tiphys::engine::protocol::{SourceName, Ticket, Update};
use tiphys::ui::draw_buffer;
use tiphys::ui::export::plain;
use tiphys::ui::theme::{Capability, Theme};

fn freshness(desk: &mut Desk, source: SourceName, freshness: Freshness) {
    let generation = desk.state.link.generation;
    desk.say(Msg::Update(Box::new(Update::Freshness {
        generation,
        source,
        freshness,
    })));
    desk.look();
}

#[test]
fn rollouts_table() {
    look!("rollouts", &[NARROW, USUAL, WIDE], |desk| {
        desk.command("ro").keys("j j");
    });
    let mut desk = Desk::connected(USUAL);
    desk.command("ro");
    insta::assert_snapshot!("rollouts_by_role", styled(&desk.state));
}

#[test]
fn rollouts_of_one_name_are_told_apart_in_a_narrow_window() {
    let mut desk = Desk::connected(NARROW);
    desk.answers = false;
    let namespaces = ["demo-app-prod", "demo-app-staging", "demo-app-qa"];
    let rows = namespaces.map(|namespace| rollout(namespace, "demo-app"));
    desk.state.store.apply(Delta {
        kind: rows[0].object.kind.clone(),
        reset: true,
        rows: Rows::Rollouts(rows.to_vec()),
        removed: Vec::new(),
    });
    desk.command("ro");

    let screen = shown(&desk.state);

    for namespace in namespaces {
        let name = format!("{namespace}/demo-app");
        assert!(screen.contains(&name), "{name} in\n{screen}");
    }
}

#[test]
fn keys_stay_on_screen_beside_long_crumbs() {
    let mut desk = Desk::connected(NARROW);
    desk.command("ro").keys("enter").keys("shift-m");

    let screen = shown(&desk.state);
    let footer = screen.lines().last().unwrap_or_default();

    assert!(footer.starts_with(" … ▸"), "{footer}");
    assert!(footer.contains("longer"), "{footer}");
}

#[test]
fn rollout_paused_in_a_step() {
    look!("rollout", &[NARROW, USUAL, WIDE], |desk| {
        desk.command("ro demo-app-dev/demo-app");
    });
    let mut desk = Desk::connected(USUAL);
    desk.command("ro demo-app-dev/demo-app");
    insta::assert_snapshot!("rollout_by_role", styled(&desk.state));
}

#[test]
fn rollout_blue_green_and_aborted() {
    look!("rollout_blue_green", &[NARROW], |desk| {
        desk.command("ro shop/search");
    });
    look!("rollout_aborted", &[NARROW], |desk| {
        desk.command("ro shop/payments");
    });
}

#[test]
fn analysis_run() {
    look!("analysis", &[NARROW, USUAL, WIDE], |desk| {
        desk.command("ar demo-app-dev/demo-app-58c4f7d6f-7");
    });
}

#[test]
fn metrics_of_a_rollout() {
    look!("metrics", &[NARROW, USUAL, WIDE], |desk| {
        desk.command("ro demo-app-dev/demo-app").keys("shift-m");
    });
}

#[test]
fn metrics_stay_on_screen_while_their_server_is_away() {
    let mut desk = Desk::connected(NARROW);
    desk.command("ro demo-app-dev/demo-app").keys("shift-m");

    let away = Freshness::Stale {
        since: ago(40),
        retry_at: now() + TimeDelta::seconds(5),
        reason: "no answer for 10 s".into(),
    };
    freshness(&mut desk, SourceName::Prometheus, away);

    let screen = shown(&desk.state);
    assert!(
        screen.contains("40s old") && screen.contains("Requests"),
        "{screen}"
    );
    insta::assert_snapshot!("metrics_stale_80x24", screen);
}

#[test]
fn query_with_its_values_and_with_a_mistake() {
    look!("query", &[NARROW, USUAL], |desk| {
        desk.command("query sum by (version) (rate(http_requests_total[1m]))");
    });
    look!("query_mistake", &[NARROW], |desk| {
        desk.command("query sum((((up)");
    });
}

#[test]
fn alerts_and_silences() {
    look!("alerts", &[NARROW, USUAL, WIDE], |desk| {
        desk.command("alerts");
    });
    look!("silence_dialog", &[NARROW], |desk| {
        desk.command("alerts").keys("s");
    });
}

#[test]
fn dashboards_as_a_list_and_as_charts() {
    look!("dashboards", &[NARROW], |desk| {
        desk.command("dashboards");
    });
    look!("dashboard", &[NARROW, USUAL], |desk| {
        desk.command("dashboards").keys("enter");
    });
}

#[test]
fn dialogs_of_rollouts_say_what_happens_next() {
    look!("promote_dialog", &[NARROW], |desk| {
        desk.command("ro demo-app-dev/demo-app").keys(">");
    });
    look!("abort_dialog", &[NARROW], |desk| {
        desk.command("ro demo-app-dev/demo-app").keys("shift-a");
    });
    look!("undo_dialog", &[NARROW], |desk| {
        desk.command("ro demo-app-dev/demo-app").keys("u");
    });
    look!("image_dialog", &[NARROW], |desk| {
        desk.command("ro demo-app-dev/demo-app").keys("i");
    });
}

/// Applications of which some manage a Rollout.
fn with_rollouts(size: (u16, u16)) -> Desk {
    let mut desk = Desk::connected(size);
    let mut apps = Vec::new();
    for row in rollouts() {
        let mut app = application("argocd", &row.object.name);
        app.rollouts = vec![row.object];
        apps.push(app);
    }
    apps.push(application("argocd", "without"));
    let generation = desk.state.link.generation;
    // The Applications are the first subscription of a connection.
    desk.say(Msg::Update(Box::new(Update::Delta {
        generation,
        ticket: Ticket(1),
        delta: Delta {
            kind: tiphys::app::screens::applications(),
            reset: true,
            rows: Rows::Applications(apps),
            removed: Vec::new(),
        },
    })));
    desk.look();
    desk
}

#[test]
fn applications_tell_of_their_rollouts() {
    for size in [NARROW, USUAL] {
        let desk = with_rollouts(size);
        let name = format!("applications_with_rollouts_{}x{}", size.0, size.1);
        insta::assert_snapshot!(name, shown(&desk.state));
    }
}

#[test]
fn charts_and_bars_are_known_in_ascii() {
    let capability = Capability {
        ascii: true,
        ..Capability::default()
    };
    let theme = Theme::named("mono", capability).expect("the theme is built in");
    for (name, keys) in [("rollout", ""), ("metrics", "shift-m")] {
        let mut desk = Desk::connected(NARROW);
        desk.command("ro demo-app-dev/demo-app");
        if !keys.is_empty() {
            desk.keys(keys);
        }
        let screen = plain(&draw_buffer(&desk.state, &theme, desk.state.size));
        assert!(screen.is_ascii(), "{screen}");
        insta::assert_snapshot!(format!("{name}_in_ascii"), screen);
    }
}

#[test]
fn every_size_of_every_screen_can_be_drawn() {
    let lines = [
        "ro",
        "ro demo-app-dev/demo-app",
        "ro shop/search",
        "ar demo-app-dev/demo-app-58c4f7d6f-7",
        "metrics rollout/demo-app-dev/demo-app",
        "query up",
        "query (((",
        "alerts",
        "dashboard shop",
        "dashboards",
    ];
    for line in lines {
        let mut desk = Desk::connected(USUAL);
        desk.command(line);
        for size in [
            (40, 10),
            (41, 12),
            (60, 15),
            (109, 24),
            (133, 30),
            (300, 100),
        ] {
            desk.say(Msg::Resize {
                columns: size.0,
                rows: size.1,
            });
            desk.look();
        }
    }
}
