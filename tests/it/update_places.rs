//! Going places: screens, history, namespaces, contexts, the prompt.

#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "a test expects one screen and stops at any other"
)]

use crate::cockpit::{Cockpit, app, tree};
use tiphys::app::effect::Effect;
use tiphys::app::screens::{Loaded, Screen};
use tiphys::domain::finding::{Finding, Severity};
use tiphys::engine::protocol::{
    Answer, ContextInfo, Fetch, Generation, LogLine, Request, Scope, Topic, Update,
};

fn one() -> Cockpit {
    let mut cockpit = Cockpit::connected();
    cockpit.list(vec![app("guestbook")]);
    cockpit
}

fn context(name: &str) -> ContextInfo {
    ContextInfo {
        name: name.into(),
        cluster: name.into(),
        server: "https://x.example".into(),
        user: "oncall".into(),
        namespace: "default".into(),
        current: false,
    }
}

#[test]
fn start_connects_and_watches_applications() {
    let mut cockpit = Cockpit::connected();
    cockpit.state.link.generation = Generation(0);

    cockpit.send(tiphys::app::msg::Msg::Start);

    let asked = cockpit.asked();
    assert!(matches!(
        asked[0],
        Request::Connect {
            generation: Generation(1),
            ..
        }
    ));
    assert!(asked.iter().any(|request| matches!(
        request,
        Request::Subscribe { topic: Topic::Kind(kind), .. } if &*kind.kind == "Application"
    )));
}

#[test]
fn without_a_platform_nothing_is_asked() {
    let mut cockpit = Cockpit::connected();
    cockpit.state.link.nothing = Some(Finding::new(Severity::Error, "there is no kubeconfig"));

    cockpit.send(tiphys::app::msg::Msg::Start);

    assert!(cockpit.effects.is_empty());
}

#[test]
fn q_goes_back_and_never_quits() {
    let mut cockpit = one();
    cockpit.press("enter");
    assert_eq!(cockpit.screen_word(), "guestbook");

    cockpit.press("q");
    assert_eq!(cockpit.screen_word(), "applications");
    cockpit.press("q q q");

    assert!(!cockpit.state.quitting);
    assert!(cockpit.effects.is_empty());
}

#[test]
fn quit_is_ctrl_c_or_a_word() {
    let mut cockpit = one();
    cockpit.command("q");
    assert_eq!(cockpit.effects, [Effect::Quit]);

    let mut cockpit = one();
    cockpit.press("ctrl-c");
    assert!(cockpit.state.quitting);
}

#[test]
fn closing_a_screen_ends_its_subscription() {
    let mut cockpit = one();
    cockpit.press("enter");
    let ticket = cockpit.ticket_of(&Topic::Application(app("guestbook").object));

    cockpit.press("q");

    assert_eq!(cockpit.asked(), [&Request::Unsubscribe { ticket }]);
}

#[test]
fn answer_for_a_closed_screen_is_ignored() {
    let mut cockpit = one();
    cockpit.press("y");
    let ticket = cockpit.last_fetch();
    cockpit.press("q");

    cockpit.report(Update::Fetched {
        ticket,
        answer: Ok(Answer::Text {
            title: "x".into(),
            lines: vec!["a: 1".into()],
        }),
    });

    assert_eq!(cockpit.screen_word(), "applications");
}

#[test]
fn refused_fetch_is_told_on_its_screen() {
    let mut cockpit = one();
    cockpit.press("d");
    let ticket = cockpit.last_fetch();

    let finding = Finding::new(Severity::Error, "cannot read `guestbook`: forbidden");
    cockpit.report(Update::Fetched {
        ticket,
        answer: Err(finding.clone()),
    });

    let Screen::Text(screen) = cockpit.state.screen() else {
        panic!("describe is shown");
    };
    assert_eq!(screen.content, Loaded::Failed(finding));
}

#[test]
fn text_is_searched_and_escape_clears_the_search_first() {
    let mut cockpit = one();
    cockpit.press("y");
    let ticket = cockpit.last_fetch();
    let lines = (0..100).map(|n| format!("line {n}").into()).collect();
    cockpit.report(Update::Fetched {
        ticket,
        answer: Ok(Answer::Text {
            title: "x".into(),
            lines,
        }),
    });

    cockpit.press("/");
    cockpit.type_text("line 9");
    cockpit.press("enter n");
    let Screen::Text(screen) = cockpit.state.screen() else {
        panic!("YAML is shown");
    };
    assert_eq!(screen.search.found.len(), 11);
    assert_eq!(screen.search.current, 1);
    assert!(screen.top <= 90 && screen.top > 70, "{}", screen.top);

    cockpit.press("esc");
    assert_eq!(cockpit.screen_word(), "yaml");
    cockpit.press("esc");
    assert_eq!(cockpit.screen_word(), "applications");
}

#[test]
fn history_walks_back_and_forward() {
    let mut cockpit = one();
    cockpit.command("pods");
    cockpit.command("svc");
    assert_eq!(cockpit.screen_word(), "services");

    cockpit.press("[");
    assert_eq!(cockpit.screen_word(), "pods");
    cockpit.press("[");
    assert_eq!(cockpit.screen_word(), "applications");
    cockpit.press("]");
    assert_eq!(cockpit.screen_word(), "pods");
    cockpit.press("-");
    assert_eq!(cockpit.screen_word(), "applications");
    cockpit.press("-");
    assert_eq!(cockpit.screen_word(), "pods");
}

#[test]
fn kind_with_namespace_filter_and_context_is_one_line() {
    let mut cockpit = one();
    cockpit.state.contexts = vec![context("dev"), context("prod")];

    cockpit.command("deploy shop /web @prod");

    assert_eq!(cockpit.screen_word(), "deployments");
    assert_eq!(cockpit.state.link.context.as_deref(), Some("prod"));
    assert_eq!(cockpit.state.link.scope, Scope::Namespace("shop".into()));
    assert_eq!(cockpit.table().view.filter.text(), "web");
}

#[test]
fn unknown_word_names_the_nearest_and_keeps_the_prompt() {
    let mut cockpit = one();

    cockpit.command("deploymnets");

    let problem = cockpit.prompt().problem.clone();
    assert_eq!(
        problem.as_deref(),
        Some("`deploymnets` is neither a kind nor a command; did you mean `deployments`?")
    );
}

#[test]
fn enter_takes_the_word_that_is_offered_when_it_only_shows() {
    let mut cockpit = one();

    cockpit.command("rollo");
    assert_eq!(cockpit.screen_word(), "rollouts");

    // An intent is never guessed.
    cockpit.command("termin");
    assert!(cockpit.prompt().problem.is_some());
}

#[test]
fn unknown_context_is_refused_before_anything_is_lost() {
    let mut cockpit = one();
    cockpit.state.contexts = vec![context("dev"), context("prod")];

    cockpit.command("ctx prdo");

    let problem = cockpit.prompt().problem.clone().unwrap_or_default();
    assert!(problem.ends_with("did you mean `prod`?"), "{problem}");
    assert_eq!(
        cockpit
            .state
            .store
            .table(&crate::cockpit::application_kind())
            .map(tiphys::store::Table::len),
        Some(1)
    );
}

#[test]
fn prompt_completes_with_tab_and_shows_the_rest_in_grey() {
    let mut cockpit = one();
    cockpit.press(":");

    cockpit.type_text("deploymen");
    assert_eq!(cockpit.prompt().ghost, "ts");
    cockpit.press("tab");
    assert_eq!(cockpit.prompt().input.value(), "deployments");
}

#[test]
fn prompt_completes_names_of_applications_for_an_intent() {
    let mut cockpit = one();
    cockpit.press(":");

    cockpit.type_text("sync arg");

    assert_eq!(cockpit.prompt().ghost, "ocd/guestbook");
}

#[test]
fn prompt_remembers_lines() {
    let mut cockpit = one();
    cockpit.command("pods");
    cockpit.command("svc");

    cockpit.press(": up");
    assert_eq!(cockpit.prompt().input.value(), "svc");
    cockpit.press("up");
    assert_eq!(cockpit.prompt().input.value(), "pods");
    cockpit.press("down");
    assert_eq!(cockpit.prompt().input.value(), "svc");
}

#[test]
fn namespace_keys_choose_and_zero_is_all() {
    let mut cockpit = one();
    cockpit.state.link.favourites = vec!["shop".into()];

    cockpit.press("1");
    assert_eq!(cockpit.state.link.scope, Scope::Namespace("shop".into()));
    assert!(cockpit.names().is_empty(), "rows of another scope are gone");
    cockpit.press("0");

    assert_eq!(cockpit.state.link.scope, Scope::All);
    assert_eq!(cockpit.state.link.generation, Generation(3));
}

#[test]
fn context_switch_drops_rows_and_subscribes_anew() {
    let mut cockpit = one();
    cockpit.state.contexts = vec![context("dev"), context("prod")];

    cockpit.command("ctx prod");

    assert!(cockpit.names().is_empty());
    assert!(cockpit.state.link.connection.is_none());
    let asked = cockpit.asked();
    assert!(matches!(
        asked[0],
        Request::Connect { context: Some(name), .. } if &**name == "prod"
    ));
    assert!(matches!(asked[1], Request::Subscribe { .. }));
}

#[test]
fn half_typed_sequence_shows_how_it_goes_on() {
    let mut cockpit = one();
    cockpit.state.keymap = tiphys::app::keymap::Keymap::preset("vim").expect("a preset");

    cockpit.press("g");
    let next: Vec<String> = cockpit
        .state
        .pending
        .continuations
        .iter()
        .map(|(key, _)| key.to_string())
        .collect();
    assert!(
        next.contains(&"g".to_owned()) && next.contains(&"w".to_owned()),
        "{next:?}"
    );

    cockpit.press("g");
    assert!(cockpit.state.pending.keys.is_empty());
}

#[test]
fn half_typed_sequence_is_forgotten_after_a_while() {
    let mut cockpit = one();
    cockpit.state.keymap = tiphys::app::keymap::Keymap::preset("vim").expect("a preset");
    cockpit.press("g");

    cockpit.pass(std::time::Duration::from_secs(4));

    assert!(cockpit.state.pending.keys.is_empty());
}

#[test]
fn folds_and_cursor_of_the_tree_follow_the_object() {
    let mut cockpit = one();
    cockpit.open_tree(&app("guestbook"), tree());
    assert_eq!(
        cockpit.tree_rows(),
        ["guestbook", "web", "web-1", "web-1-a", "settings"]
    );
    cockpit.press("j j space");
    assert_eq!(
        cockpit.tree_rows(),
        ["guestbook", "web", "web-1", "settings"]
    );

    let mut grown = tree();
    grown
        .nodes
        .insert(0, crate::cockpit::node("", "Service", "aaa", None, None));
    for node in grown.nodes.iter_mut().skip(1) {
        node.parent = node.parent.map(|parent| parent + 1);
    }
    let ticket = cockpit.ticket_of(&Topic::Application(app("guestbook").object));
    cockpit.report(Update::Tree {
        generation: cockpit.state.link.generation,
        ticket,
        tree: Box::new(grown),
    });

    assert_eq!(
        cockpit.tree_rows(),
        ["guestbook", "aaa", "web", "web-1", "settings"]
    );
    assert_eq!(cockpit.tree_cursor(), "web-1");
}

#[test]
fn all_of_the_tree_folds_and_unfolds() {
    let mut cockpit = one();
    cockpit.open_tree(&app("guestbook"), tree());

    cockpit.press("x");
    assert_eq!(cockpit.tree_rows(), ["guestbook", "web", "settings"]);
    cockpit.press("x");
    assert_eq!(cockpit.tree_rows().len(), 5);
}

#[test]
fn log_follows_its_end_until_one_scrolls_up() {
    let mut cockpit = one();
    cockpit.press("l");
    let Screen::Logs(screen) = cockpit.state.screen() else {
        panic!("logs are shown");
    };
    let ticket = screen.ticket.expect("a subscription");
    let lines = |from: usize| {
        (from..from + 50)
            .map(|n| LogLine {
                origin: "".into(),
                at: None,
                text: format!("line {n}").into(),
            })
            .collect()
    };
    let push = |cockpit: &mut Cockpit, from| {
        cockpit.report(Update::Logs {
            ticket,
            lines: lines(from),
            ended: None,
        });
        match cockpit.state.screen() {
            Screen::Logs(screen) => screen.top,
            _ => panic!("logs are shown"),
        }
    };

    assert_eq!(push(&mut cockpit, 0), 40);
    cockpit.press("k");
    assert_eq!(
        push(&mut cockpit, 50),
        39,
        "a paused view stays where it is"
    );
    cockpit.press("G");
    assert_eq!(push(&mut cockpit, 100), 140);
}

#[test]
fn log_range_asks_the_server_again() {
    let mut cockpit = one();
    cockpit.press("l");

    cockpit.press("3");

    assert!(matches!(cockpit.asked()[0], Request::Unsubscribe { .. }));
    assert!(matches!(
        cockpit.asked()[1],
        Request::Subscribe { topic: Topic::Logs { options, .. }, .. }
            if options.since_seconds == Some(300)
    ));
}

#[test]
fn edit_fetches_with_secrets_and_opens_the_editor() {
    let mut cockpit = one();
    cockpit.press("e");
    assert!(matches!(
        cockpit.asked()[0],
        Request::Fetch {
            what: Fetch::Yaml {
                reveal_secrets: true,
                ..
            },
            ..
        }
    ));
    let ticket = cockpit.last_fetch();

    cockpit.report(Update::Fetched {
        ticket,
        answer: Ok(Answer::Text {
            title: "x".into(),
            lines: vec!["kind: Application".into()],
        }),
    });

    assert!(matches!(
        &cockpit.effects[..],
        [Effect::Edit { text, .. }] if text == "kind: Application\n"
    ));
}

#[test]
fn copy_takes_the_names_of_all_marked() {
    let mut cockpit = Cockpit::connected();
    cockpit.list(vec![app("a"), app("b"), app("c")]);

    cockpit.press("space space c");

    assert!(matches!(
        &cockpit.effects[..],
        [Effect::Copy { text, .. }] if text == "a\nb"
    ));
}

#[test]
fn help_lists_the_keys_of_the_screen_below() {
    let mut cockpit = one();

    cockpit.press("?");

    let Screen::Help(screen) = cockpit.state.screen() else {
        panic!("help is shown");
    };
    let sync = screen.rows.iter().find(|row| row.word == "sync");
    assert_eq!(sync.map(|row| row.keys.as_str()), Some("s  shift-z"));
    // `s` scales in other tables, and not here.
    let scale = screen.rows.iter().find(|row| row.word == "scale");
    assert_eq!(scale.map(|row| row.keys.as_str()), Some(""));
    // What is particular to the screen stands before what holds everywhere.
    let place = |group: &str| screen.rows.iter().position(|row| &*row.group == group);
    assert!(
        place("Applications") < place("General"),
        "{:?}",
        screen.rows
    );
}

#[test]
fn object_is_opened_by_its_name_after_the_colon() {
    let mut cockpit = one();

    cockpit.command("app argocd/guestbook");
    assert_eq!(cockpit.screen_word(), "guestbook");
    cockpit.command("yaml deploy/shop/web");
    assert_eq!(cockpit.screen_word(), "yaml");
}
