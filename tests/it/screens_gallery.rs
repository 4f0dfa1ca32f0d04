//! Pictures of the screens, for people: `cargo test --test it gallery -- --ignored` writes them
//! below the target folder.

use super::screens_fixtures::{
    NARROW, USUAL, WIDE, applications, move_to, picture, with_applications,
};

#[test]
#[ignore = "writes pictures for people to look at"]
fn gallery() {
    for (name, size) in [("narrow", NARROW), ("usual", USUAL), ("wide", WIDE)] {
        let mut state = with_applications(size, applications());
        move_to(&mut state, 2);
        picture(&format!("applications-{name}"), &state);
    }
}
