//! How many bytes a change costs on the way to the terminal.

use super::screens_fixtures::{WIDE, application, dark, finished, move_to, with_applications};
use std::cell::Cell;
use std::io::{self, Write};
use std::rc::Rc;
use tiphys::app::state::State;
use tiphys::domain::application::{Application, Phase};
use tiphys::domain::clock::{Clock, SystemClock};
use tiphys::domain::status::{Health, SyncStatus};
use tiphys::term::Painter;
use tiphys::ui::{draw_buffer, draw_on};

#[derive(Clone, Default)]
struct Counter(Rc<Cell<usize>>);

impl Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.set(self.0.get() + bytes.len());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A fleet as one meets it: most are well, some differ, names are of different lengths.
fn fleet() -> Vec<Application> {
    const TEAMS: [&str; 7] = [
        "checkout",
        "search",
        "ledger",
        "mail",
        "inventory",
        "risk",
        "ads",
    ];
    const STAGES: [&str; 3] = ["dev", "staging", "prod"];
    (0..10_000)
        .map(|n: usize| {
            let name = format!("{}-{}-{:04}", TEAMS[n % 7], STAGES[n % 3], n);
            let mut app = application("argocd", &name);
            app.revisions = vec![format!("{:07x}{:033}", n * 7_919, 0).into()];
            if n.is_multiple_of(5) {
                app.sync = SyncStatus::OutOfSync;
                app.out_of_sync = (n % 7) as u32 + 1;
            }
            if n.is_multiple_of(11) {
                app.health = Health::Degraded;
                app.operation = finished(Phase::Failed, n as i64);
            } else if n.is_multiple_of(13) {
                app.health = Health::Progressing;
            } else {
                app.operation = finished(Phase::Succeeded, (n as i64 * 61) % 90_000);
            }
            app
        })
        .collect()
}

struct Screen {
    painter: Painter<Counter>,
    written: Counter,
}

impl Screen {
    fn new(size: (u16, u16)) -> Self {
        let written = Counter::default();
        let painter = Painter::new(written.clone(), size);
        Self { painter, written }
    }

    fn bytes(&mut self, state: &State) -> usize {
        let before = self.written.0.get();
        let painted = self
            .painter
            .paint(|area, buffer| draw_on(state, &dark(), area, buffer));
        painted.expect("a counter takes everything");
        self.written.0.get() - before
    }
}

#[test]
fn moving_the_cursor_and_scrolling_cost_few_bytes() {
    let mut state = with_applications(WIDE, fleet());
    let mut screen = Screen::new(WIDE);
    let first = screen.bytes(&state);
    let mut moves = Vec::new();
    for position in 1..40 {
        move_to(&mut state, position);
        moves.push(screen.bytes(&state));
    }
    move_to(&mut state, 53);
    screen.bytes(&state);
    let mut scrolls = Vec::new();
    for position in 54..74 {
        move_to(&mut state, position);
        scrolls.push(screen.bytes(&state));
    }
    moves.sort_unstable();
    scrolls.sort_unstable();
    println!("first {first}, moves {moves:?}, scrolls {scrolls:?}");
    let before = scrolls.len();
    let mut pages = Vec::new();
    for page in 2..12 {
        move_to(&mut state, page * 53 + 52);
        pages.push(screen.bytes(&state));
    }
    pages.sort_unstable();
    println!("pages {pages:?} after {before} scrolls");
    assert_eq!(screen.bytes(&state), 0, "an idle frame costs bytes");
    assert!(scrolls[scrolls.len() / 2] <= 4_000, "{scrolls:?}");
    assert!(moves[moves.len() / 2] <= 500, "{moves:?}");
}

#[test]
fn a_frame_of_ten_thousand_rows_costs_what_one_of_sixty_costs() {
    let mut few = with_applications(WIDE, fleet().into_iter().take(60).collect());
    let mut many = with_applications(WIDE, fleet());
    move_to(&mut few, 5);
    move_to(&mut many, 5_000);

    let (few, many) = (quickest_frame(&few), quickest_frame(&many));

    println!("{few} µs with 60 rows, {many} µs with 10,000");
    assert!(many < few * 3 + 2_000, "{many} µs against {few} µs");
}

fn quickest_frame(state: &State) -> i64 {
    let theme = dark();
    (0..30)
        .map(|_| {
            let started = SystemClock.now();
            draw_buffer(state, &theme, WIDE);
            let spent = SystemClock.now() - started;
            spent.num_microseconds().unwrap_or(i64::MAX)
        })
        .min()
        .expect("there are frames")
}
