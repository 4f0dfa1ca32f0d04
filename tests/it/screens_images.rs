//! Images, registries and vulnerabilities as people see them.

use super::screens_desk::{Desk, look};
use super::screens_fixtures::{NARROW, USUAL, WIDE, shown, styled};
use tiphys::app::screens::Screen;

#[test]
fn images_table() {
    look!("images", &[NARROW, USUAL, WIDE], |desk| {
        desk.command("images");
    });
    let mut desk = Desk::connected(USUAL);
    desk.command("images");
    insta::assert_snapshot!("images_by_role", styled(&desk.state));
}

#[test]
fn one_image_with_its_vulnerabilities() {
    look!("image", &[NARROW, USUAL, WIDE], |desk| {
        desk.command("images").keys("j enter");
    });
    let mut desk = Desk::connected(USUAL);
    desk.command("images").keys("j enter");
    insta::assert_snapshot!("image_by_role", styled(&desk.state));
    look!("image_filtered", &[USUAL], |desk| {
        desk.command("images")
            .keys("j enter /")
            .types("fixable")
            .keys("enter");
    });
}

#[test]
fn projects_robots_cves_and_registries() {
    for table in ["projects", "robots", "security", "registries"] {
        look!(table, &[NARROW, USUAL], |desk| {
            desk.command(table);
        });
    }
}

#[test]
fn images_that_are_followed_say_why_they_stay() {
    look!("image_updates", &[NARROW, USUAL, WIDE], |desk| {
        desk.command("image-updates");
    });
    let mut desk = Desk::connected(USUAL);
    desk.command("updates");
    insta::assert_snapshot!("image_updates_by_role", styled(&desk.state));
}

#[test]
fn enter_on_a_followed_image_opens_its_application() {
    let mut desk = Desk::connected(USUAL);
    desk.command("image-updates").keys("enter");

    let screen = desk.state.screen();
    assert!(
        matches!(screen, Screen::Application(screen) if &*screen.object.name == "newsletter-dev"),
        "{}",
        shown(&desk.state)
    );
}

#[test]
fn dialogs_on_images_name_what_happens() {
    look!("image_tag_dialog", &[USUAL], |desk| {
        desk.command("images").keys("j t").types("2.2.1");
    });
    look!("image_delete_dialog", &[USUAL], |desk| {
        desk.command("images").keys("j ctrl-d");
    });
    look!("image_commit_dialog", &[NARROW, USUAL], |desk| {
        desk.command("images").keys("j u");
    });
    look!("image_patch_dialog", &[NARROW], |desk| {
        desk.command("images").keys("j i up right");
    });
    look!("robot_create_dialog", &[USUAL], |desk| {
        desk.command("robots").keys("a").types("ci-scan");
    });
}
