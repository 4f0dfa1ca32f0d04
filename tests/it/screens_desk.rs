//! A cockpit at a desk: keys go in, requests are answered from plain data, screens come out.

use super::screens_answers::{answer, answer_topic};
use super::screens_fixtures::{connection, now};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use std::time::Duration;
use tiphys::app::effect::Effect;
use tiphys::app::key::Key;
use tiphys::app::keymap::Keymap;
use tiphys::app::msg::Msg;
use tiphys::app::now::Now;
use tiphys::app::state::{Settings, State};
use tiphys::app::update::{settle, update};
use tiphys::domain::intent::{IntentId, Stage};
use tiphys::domain::status::Freshness;
use tiphys::engine::protocol::{Request, SourceName, Topic, Update};
use tiphys::ui::draw_on;

/// Compares the screen that a lead brings a desk to, in several sizes. A macro, because snapshots
/// are named after the module that takes them.
macro_rules! look {
    ($name:expr, $sizes:expr, $lead:expr) => {{
        let lead: &dyn Fn(&mut $crate::screens_desk::Desk) = &$lead;
        for size in $sizes {
            let mut desk = $crate::screens_desk::Desk::connected(*size);
            lead(&mut desk);
            let name = format!("{}_{}x{}", $name, size.0, size.1);
            insta::assert_snapshot!(name, shown(&desk.state));
        }
    }};
}

pub(crate) use look;

pub(crate) struct Desk {
    pub(crate) state: State,
    /// Whether requests are answered at all.
    pub(crate) answers: bool,
    asked: Vec<IntentId>,
}

impl Desk {
    /// A desk that is connected, with the Applications of the fixtures.
    pub(crate) fn connected(size: (u16, u16)) -> Self {
        let mut desk = Self {
            state: State::new(Settings::default(), Keymap::default()),
            answers: true,
            asked: Vec::new(),
        };
        desk.say(Msg::Resize {
            columns: size.0,
            rows: size.1,
        });
        desk.say(Msg::Start);
        desk.look();
        desk
    }

    /// Types keys by their names, separated by blanks.
    pub(crate) fn keys(&mut self, names: &str) -> &mut Self {
        for name in names.split(' ') {
            let key = Key::parse(name).unwrap_or_else(|problem| panic!("{problem}"));
            self.say(Msg::Key(key));
            self.look();
        }
        self
    }

    /// Types text, letter by letter.
    pub(crate) fn types(&mut self, text: &str) -> &mut Self {
        for letter in text.chars() {
            self.say(Msg::Key(Key::char(letter)));
        }
        self.look();
        self
    }

    /// Types a line after `:` and presses Enter.
    pub(crate) fn command(&mut self, line: &str) -> &mut Self {
        self.keys(":").types(line).keys("enter")
    }

    /// Lets every intent that was asked move on.
    pub(crate) fn all_intents(&mut self, stage: &Stage) -> &mut Self {
        for id in self.asked.clone() {
            self.say(Msg::Update(Box::new(Update::Outcome {
                id,
                at: now(),
                stage: stage.clone(),
            })));
        }
        self.look();
        self
    }

    /// Gives a message in, and answers what it asks for.
    pub(crate) fn say(&mut self, msg: Msg) {
        let at = Now {
            platform: now(),
            real: Duration::from_secs(100),
        };
        let mut waiting = vec![msg];
        while !waiting.is_empty() {
            let msg = waiting.remove(0);
            for effect in update(&mut self.state, msg, at) {
                if let Effect::Engine(request) = effect {
                    waiting.extend(self.answers_to(request));
                }
            }
        }
        settle(&mut self.state, at);
    }

    /// Draws, and tells the state what fits, as the runtime does.
    pub(crate) fn look(&mut self) -> Buffer {
        let area = Rect::new(0, 0, self.state.size.0, self.state.size.1);
        let theme = super::screens_fixtures::dark();
        let mut buffer = Buffer::empty(area);
        for _ in 0..2 {
            buffer = Buffer::empty(area);
            let viewports = draw_on(&self.state, &theme, area, &mut buffer);
            self.say(Msg::Viewports(viewports));
        }
        buffer
    }

    fn answers_to(&mut self, request: Request) -> Vec<Msg> {
        let generation = self.state.link.generation;
        let updates = match request {
            Request::Connect { generation, .. } => vec![
                Update::Connection {
                    generation,
                    connection: connection(),
                },
                Update::Freshness {
                    generation,
                    source: SourceName::Kubernetes,
                    freshness: Freshness::Live,
                },
            ],
            Request::Subscribe { ticket, topic } if self.answers => {
                let mut updates = answer_topic(generation, ticket, &topic);
                if let Topic::Kind(kind) = topic {
                    updates.push(Update::Freshness {
                        generation,
                        source: SourceName::Kind(kind),
                        freshness: Freshness::Live,
                    });
                }
                updates
            }
            Request::Fetch { ticket, what } if self.answers => vec![Update::Fetched {
                ticket,
                answer: answer(&what),
            }],
            Request::Act { id, .. } => {
                self.asked.push(id);
                Vec::new()
            }
            Request::Subscribe { .. }
            | Request::Fetch { .. }
            | Request::Unsubscribe { .. }
            | Request::More { .. }
            | Request::Reload
            | Request::RetryNow => Vec::new(),
        };
        let messages = updates.into_iter();
        messages
            .map(|update| Msg::Update(Box::new(update)))
            .collect()
    }
}
