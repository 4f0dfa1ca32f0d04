//! Keymap files: presets, overriding, and every mistake at once.

use tiphys::app::commands::{COMMANDS, Command};
use tiphys::app::key::Key;
use tiphys::app::keymap::{KeyScope, Keymap, Meaning, PRESETS, parse};

fn problems(text: &str) -> Vec<String> {
    let problems = parse("mine.toml", text).expect_err("mistakes");
    problems.iter().map(ToString::to_string).collect()
}

fn meaning(keymap: &Keymap, scopes: &[KeyScope], keys: &str) -> Meaning {
    let keys: Vec<Key> = keys
        .split(' ')
        .map(|name| Key::parse(name).expect("a key"))
        .collect();
    keymap.meaning(scopes, &keys)
}

#[test]
fn presets_have_no_mistakes() {
    for (name, text) in PRESETS {
        let read = parse(&format!("{name}.toml"), text);
        assert!(read.is_ok(), "{name}: {:?}", read.err());
    }
}

#[test]
fn unknown_command_in_keymap_names_file_line_and_nearest() {
    let text = "[global]\nhelp = '?'\n\n[applications]\nsinc = 's'\n";

    assert_eq!(
        problems(text),
        ["mine.toml:5: `sinc` is not a command; did you mean `sync`?"]
    );
}

#[test]
fn all_mistakes_are_told_at_once_in_order_of_lines() {
    let text = "\
name = 7
base = 'k9'
[globl]
help = '?'
[global]
quit = 'ctrl-entr'
help = ['f1', 3]
menu = 12
palette = ''
up = 'x'
down = 'x'
";

    let problems = problems(text);

    assert_eq!(
        problems,
        [
            "mine.toml:1: `name` is a text",
            "mine.toml:2: `k9` is not a preset; did you mean `k9s`?",
            "mine.toml:3: `globl` is not a screen; did you mean `global`?",
            "mine.toml:6: `ctrl-entr` is not a key; did you mean `enter`?",
            "mine.toml:7: a key is a text",
            "mine.toml:8: the keys of `menu` are a text or a list of texts",
            "mine.toml:9: a key is missing; `[]` unbinds a command",
            "mine.toml:11: `x` is bound to `up` already, as `x`",
        ]
    );
}

#[test]
fn file_that_is_no_toml_says_where() {
    let problems = problems("[global]\nhelp = \n");

    assert_eq!(problems.len(), 1);
    assert!(problems[0].starts_with("mine.toml:2: "), "{problems:?}");
}

#[test]
fn sequence_that_hides_a_shorter_one_is_a_mistake() {
    let problems = problems("[table]\nmark = 'g'\ndelete = 'g d'\n");

    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].contains("already"), "{problems:?}");
}

#[test]
fn file_overrides_only_what_it_names() {
    let keymap = parse("mine.toml", "[global]\nquit = 'ctrl-q'\n").expect("no mistakes");
    let scopes = [KeyScope::Global];

    assert_eq!(
        meaning(&keymap, &scopes, "ctrl-q"),
        Meaning::Command(Command::Quit)
    );
    assert_eq!(meaning(&keymap, &scopes, "ctrl-c"), Meaning::Nothing);
    assert_eq!(
        meaning(&keymap, &scopes, "?"),
        Meaning::Command(Command::Help)
    );
}

#[test]
fn empty_list_takes_the_key_away() {
    let keymap = parse("mine.toml", "[applications]\nsync = []\n").expect("no mistakes");
    let scopes = [KeyScope::Applications, KeyScope::Table, KeyScope::Global];

    // What the wider scope means comes through.
    assert_eq!(
        meaning(&keymap, &scopes, "s"),
        Meaning::Command(Command::Scale)
    );
}

#[test]
fn narrower_scope_wins() {
    let keymap = Keymap::default();
    let scopes = [KeyScope::Applications, KeyScope::Table, KeyScope::Global];

    assert_eq!(
        meaning(&keymap, &scopes, "s"),
        Meaning::Command(Command::Sync)
    );
    assert_eq!(
        meaning(&keymap, &scopes[1..], "s"),
        Meaning::Command(Command::Scale)
    );
}

#[test]
fn every_command_of_k9s_fingers_is_bound() {
    let keymap = Keymap::default();
    let bound: Vec<Command> = keymap
        .bindings()
        .into_iter()
        .map(|(_, _, command)| command)
        .collect();
    let unbound: Vec<&str> = COMMANDS
        .iter()
        .filter(|info| !bound.contains(&info.command))
        .map(|info| info.id)
        .collect();

    // These are reached by `:` and by the menu only.
    let by_word = [
        "ledger",
        "contexts",
        "namespaces",
        "applications",
        "rollouts",
        "analysisruns",
        "runs",
        "crons",
        "event-flow",
        "alerts",
        "dashboards",
        "query",
        "images",
        "security",
        "image-updates",
        "projects",
        "robots",
        "registries",
        "retry-now",
        "suspend",
        "half-page-down",
        "half-page-up",
        "sort-sync",
        "sort-operation",
        "sync-one",
        "hard-refresh",
        "confirm-deletion",
        "promote-full",
        "resume",
        "stop-scan",
        "scan-all",
    ];
    assert_eq!(unbound, by_word);
}
