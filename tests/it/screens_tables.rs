//! Tables as people see them, in three sizes, with every state once.

use super::screens_fixtures::{
    NARROW, USUAL, WIDE, ago, application, applications, connected, dark, move_to, on_table, shown,
    styled, text, with_applications,
};
use tiphys::app::state::State;
use tiphys::domain::finding::{Finding, Severity};
use tiphys::domain::kind::ARGO;
use tiphys::domain::object::GroupKind;
use tiphys::domain::status::Freshness;
use tiphys::engine::protocol::SourceName;
use tiphys::ui::draw_buffer;
use tiphys::ui::export::plain;
use tiphys::ui::theme::{Capability, Theme};

fn server(state: &mut State, freshness: Freshness) {
    state.link.freshness = vec![(SourceName::Kubernetes, freshness)];
}

fn applications_are(state: &mut State, freshness: Freshness) {
    let kind = SourceName::Kind(GroupKind::new(ARGO, "Application"));
    state.link.freshness = vec![(SourceName::Kubernetes, Freshness::Live), (kind, freshness)];
}

#[test]
fn applications_in_three_sizes() {
    for size in [NARROW, USUAL, WIDE] {
        let state = with_applications(size, applications());
        insta::assert_snapshot!(format!("applications_{}x{}", size.0, size.1), shown(&state));
    }
}

#[test]
fn a_context_that_is_read_only_says_so_in_any_size() {
    for size in [NARROW, USUAL] {
        let mut state = with_applications(size, applications());
        state.settings.read_only_contexts = vec!["kind-*".into()];
        let screen = shown(&state);
        let header = screen.lines().next().unwrap_or_default();
        assert!(header.contains("read-only"), "{header}");
    }
}

#[test]
fn applications_by_role() {
    let mut state = with_applications(USUAL, applications());
    move_to(&mut state, 2);
    insta::assert_snapshot!(styled(&state));
}

#[test]
fn applications_in_ascii() {
    let state = with_applications(NARROW, applications());
    let capability = Capability {
        ascii: true,
        ..Capability::default()
    };
    let theme = Theme::named("mono", capability).expect("the theme is built in");

    let screen = plain(&draw_buffer(&state, &theme, state.size));

    assert!(screen.is_ascii(), "{screen}");
    insta::assert_snapshot!(screen);
}

#[test]
fn two_applications_with_one_name_stay_distinct() {
    let apps = vec![
        application("argocd", "guestbook"),
        application("team-a", "guestbook"),
    ];
    for size in [NARROW, WIDE] {
        let screen = shown(&with_applications(size, apps.clone()));
        assert!(screen.contains("argocd"), "{screen}");
        assert!(screen.contains("team-a"), "{screen}");
    }
}

#[test]
fn text_from_a_server_never_reaches_the_terminal_as_it_is() {
    let mut app = application("argocd", "evil\u{1b}[2J\u{202e}name\u{9b}31m\u{200b}");
    app.project = text("a\tb\nc\u{7}");
    app.sources[0].target_revision = text("\u{1b}]0;title\u{7}");
    app.health_message = text("x\u{1b}[31m").into();
    app.health = tiphys::domain::status::Health::Degraded;
    for size in [NARROW, USUAL, WIDE] {
        let screen = shown(&with_applications(size, vec![app.clone()]));
        let bad = |c: char| {
            (c.is_control() && c != '\n') || matches!(c, '\u{202e}' | '\u{200b}' | '\u{9b}')
        };
        assert!(!screen.contains(bad), "{screen:?}");
        assert!(screen.contains("evil␛[2J"), "{screen}");
    }
}

#[test]
fn ten_thousand_rows_show_a_window_and_a_thumb() {
    let apps = (0..10_000)
        .map(|n| application("argocd", &format!("app-{n:05}")))
        .collect();
    let mut state = with_applications(NARROW, apps);
    move_to(&mut state, 5_000);
    insta::assert_snapshot!(shown(&state));
}

#[test]
fn no_applications() {
    insta::assert_snapshot!(shown(&with_applications(NARROW, Vec::new())));
}

#[test]
fn filter_that_hides_all() {
    let mut state = with_applications(NARROW, applications());
    let store = std::mem::take(&mut state.store);
    on_table(&mut state, |view| {
        let filter = tiphys::app::filter::Filter::parse("nothing-like-this");
        view.set_filter(filter, &store, ago(0));
    });
    state.store = store;
    insta::assert_snapshot!(shown(&state));
}

#[test]
fn loading_applications() {
    let mut state = connected(NARROW);
    applications_are(&mut state, Freshness::Loading { rows: 1_500 });
    insta::assert_snapshot!(shown(&state));
}

#[test]
fn forbidden_applications() {
    let mut state = connected(NARROW);
    let reason = "cannot list applications.argoproj.io: forbidden for user `dev-oncall` (needs `list applications.argoproj.io`)";
    applications_are(
        &mut state,
        Freshness::Forbidden {
            reason: text(reason),
        },
    );
    insta::assert_snapshot!(shown(&state));
}

#[test]
fn cluster_without_argo_cd() {
    let mut state = connected(NARROW);
    let reason =
        "the API server does not know `applications.argoproj.io`; Argo CD is not installed";
    applications_are(
        &mut state,
        Freshness::Absent {
            reason: text(reason),
        },
    );
    insta::assert_snapshot!(shown(&state));
}

#[test]
fn disconnected_before_anything_arrived() {
    let mut state = connected(NARROW);
    server(&mut state, stale());
    insta::assert_snapshot!(shown(&state));
}

#[test]
fn disconnected_keeps_the_rows_and_says_since_when() {
    let mut state = with_applications(USUAL, applications());
    server(&mut state, stale());
    insta::assert_snapshot!(shown(&state));
}

fn stale() -> Freshness {
    Freshness::Stale {
        since: ago(41),
        retry_at: ago(-5),
        reason: text("cannot reach `https://127.0.0.1:6443`: connection refused"),
    }
}

#[test]
fn expired_credentials() {
    let mut state = connected(NARROW);
    server(
        &mut state,
        Freshness::NeedsCredentials {
            reason: text("the server no longer accepts the credentials of `admin`"),
        },
    );
    insta::assert_snapshot!(shown(&state));
}

#[test]
fn no_kubeconfig_offers_the_demo() {
    let mut state = connected(NARROW);
    state.link.connection = None;
    state.link.freshness.clear();
    let finding = Finding::new(
        Severity::Error,
        "cannot read a kubeconfig: `/home/oncall/.kube/config` does not exist",
    );
    state.link.nothing = Some(finding.with_hint("name one with --kubeconfig or KUBECONFIG"));
    insta::assert_snapshot!(shown(&state));
}

#[test]
fn small_window_says_so() {
    let mut state = with_applications(NARROW, applications());
    state.size = (30, 8);
    insta::assert_snapshot!(shown(&state));
    state.size = (40, 10);
    insta::assert_snapshot!(shown(&state));
}

#[test]
fn every_size_can_be_drawn() {
    let state = with_applications(NARROW, applications());
    for columns in (1..130).step_by(3) {
        for rows in 1..45 {
            draw_buffer(&state, &dark(), (columns, rows));
        }
    }
}
