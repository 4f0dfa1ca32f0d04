//! Pictures of the screens, for people: `cargo test --test it gallery -- --ignored` writes them
//! below the target folder.

use super::screens_desk::Desk;
use super::screens_fixtures::{NARROW, USUAL, WIDE, picture};

#[test]
#[ignore = "writes pictures for people to look at"]
fn gallery() {
    let places = [
        ("applications", "j j"),
        ("application", "enter j j j j j j j"),
        ("diff", "shift-d"),
        ("yaml", "y"),
        ("logs", "enter j j j j j l"),
        ("sync", "s"),
        ("delete", "ctrl-d"),
        ("menu", "m"),
        ("help", "?"),
        ("history", "shift-h j"),
    ];
    for (name, keys) in places {
        for (size_name, size) in [("narrow", NARROW), ("usual", USUAL), ("wide", WIDE)] {
            let mut desk = Desk::connected(size);
            desk.keys(keys);
            picture(&format!("{name}-{size_name}"), &desk.state);
        }
    }
}
