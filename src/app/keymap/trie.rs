//! Sequences of keys.

use crate::app::commands::Command;
use crate::app::key::Key;
use std::collections::BTreeMap;

/// One node: what is meant here, or what may follow.
#[derive(Clone, Debug, Default)]
pub(super) struct Trie {
    command: Option<Command>,
    next: BTreeMap<Key, Self>,
}

/// What a sequence leads to.
pub(super) enum Found {
    Command(Command),
    Begun(Vec<(Key, String)>),
    Nothing,
}

impl Trie {
    /// Binds a sequence. A shorter binding on its way, or longer ones below it, give way.
    pub(super) fn bind(&mut self, keys: &[Key], command: Command) -> Option<Command> {
        let Some((first, rest)) = keys.split_first() else {
            self.next.clear();
            return self.command.replace(command);
        };
        self.command = None;
        self.next.entry(*first).or_default().bind(rest, command)
    }

    pub(super) fn unbind(&mut self, command: Command) {
        if self.command == Some(command) {
            self.command = None;
        }
        for below in self.next.values_mut() {
            below.unbind(command);
        }
        self.next
            .retain(|_, below| below.command.is_some() || !below.next.is_empty());
    }

    pub(super) fn find(&self, keys: &[Key]) -> Found {
        match keys.split_first() {
            Some((first, rest)) => match self.next.get(first) {
                Some(below) => below.find(rest),
                None => Found::Nothing,
            },
            None => match self.command {
                Some(command) => Found::Command(command),
                None if self.next.is_empty() => Found::Nothing,
                None => Found::Begun(self.continuations()),
            },
        }
    }

    fn continuations(&self) -> Vec<(Key, String)> {
        let next = self.next.iter();
        next.map(|(key, below)| {
            let title = match below.command {
                Some(command) => command.info().title.to_owned(),
                None => "…".to_owned(),
            };
            (*key, title)
        })
        .collect()
    }

    /// Asked for each hint of each frame: only what is found is copied.
    pub(super) fn keys_of(&self, command: Command) -> Vec<Vec<Key>> {
        let mut found = Vec::new();
        self.walk(&mut Vec::new(), &mut |keys, bound| {
            if bound == command {
                found.push(keys.to_vec());
            }
        });
        found
    }

    pub(super) fn bindings(&self) -> Vec<(Vec<Key>, Command)> {
        let mut all = Vec::new();
        self.walk(&mut Vec::new(), &mut |keys, command| {
            all.push((keys.to_vec(), command));
        });
        all
    }

    fn walk(&self, keys: &mut Vec<Key>, each: &mut impl FnMut(&[Key], Command)) {
        if let Some(command) = self.command {
            each(keys, command);
        }
        for (key, below) in &self.next {
            keys.push(*key);
            below.walk(keys, each);
            keys.pop();
        }
    }
}
