//! Short messages that go away by themselves.

use crate::domain::object::Text;
use std::time::Duration;

/// How long a toast stays.
pub const LIFE: Duration = Duration::from_secs(6);
/// Trouble stays longer, because it has to be read.
pub const LIFE_OF_TROUBLE: Duration = Duration::from_secs(12);
const AT_MOST: usize = 4;

/// The messages that are shown, oldest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Toasts {
    shown: Vec<Toast>,
}

/// One message.
#[derive(Clone, Debug, PartialEq)]
pub struct Toast {
    pub kind: ToastKind,
    pub text: Text,
    pub hint: Option<Text>,
    /// What it is about; news about the same takes its place.
    pub topic: Option<Text>,
    /// Real time at which it goes away.
    pub until: Duration,
}

/// What a message is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ToastKind {
    /// For information.
    Note,
    /// Something asked for has happened.
    Done,
    /// Something failed or was refused.
    Trouble,
}

impl Toasts {
    /// Returns the messages to show, oldest first.
    pub fn shown(&self) -> &[Toast] {
        &self.shown
    }

    /// Returns when the next message goes away.
    pub fn next_deadline(&self) -> Option<Duration> {
        self.shown.iter().map(|toast| toast.until).min()
    }

    pub(in crate::app) fn push(
        &mut self,
        (kind, topic): (ToastKind, Option<Text>),
        text: impl Into<Text>,
        hint: Option<Text>,
        now: Duration,
    ) {
        let life = match kind {
            ToastKind::Note | ToastKind::Done => LIFE,
            ToastKind::Trouble => LIFE_OF_TROUBLE,
        };
        let text = text.into();
        let newer = |toast: &Toast| topic.is_some() && toast.topic == topic;
        self.shown
            .retain(|toast| toast.text != text && !newer(toast));
        self.shown.push(Toast {
            kind,
            text,
            hint,
            topic,
            until: now + life,
        });
        if self.shown.len() > AT_MOST {
            self.shown.remove(0);
        }
    }

    /// Takes all messages away; returns whether there was trouble among them.
    pub(in crate::app) fn dismiss(&mut self) -> bool {
        let trouble = self.shown.iter().any(|one| one.kind == ToastKind::Trouble);
        self.shown.clear();
        trouble
    }

    /// Takes away what is over; returns whether anything was.
    pub(in crate::app) fn expire(&mut self, now: Duration) -> bool {
        let before = self.shown.len();
        self.shown.retain(|toast| toast.until > now);
        self.shown.len() != before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(toasts: &Toasts) -> Vec<&str> {
        toasts.shown().iter().map(|toast| &*toast.text).collect()
    }

    #[test]
    fn news_about_one_thing_take_the_place_of_older_ones() {
        let mut toasts = Toasts::default();
        let mut say = |topic: Option<&str>, text: &str| {
            let topic = topic.map(Text::from);
            toasts.push((ToastKind::Note, topic), text, None, Duration::ZERO);
        };
        say(Some("sync of a"), "sync of a requested");
        say(Some("sync of b"), "sync of b requested");
        say(None, "saved");
        say(None, "copied");
        say(Some("sync of a"), "sync of a done");

        assert_eq!(
            texts(&toasts),
            ["sync of b requested", "saved", "copied", "sync of a done"]
        );
    }
}
