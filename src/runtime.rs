//! The only loop and the only reader of the clock: runs effects, feeds messages, draws.
//!
//! One biased select: signal, key, engine, deadline. A key is drawn at once; what the engine
//! reports waits for the frame budget. Nothing dirty and no deadline: asleep, no frame, no byte.

mod effects;
mod pace;
mod snapshot;

pub use snapshot::{SnapshotOptions, snapshot};

use crate::app::effect::Effect;
use crate::app::keymap::Keymap;
use crate::app::msg::Msg;
use crate::app::now::Now;
use crate::app::state::{Settings, State};
use crate::app::update::{settle, update};
use crate::domain::clock::Clock;
use crate::domain::finding::Finding;
use crate::domain::object::Text;
use crate::engine::EngineHandle;
use crate::engine::protocol::{Scope, Update};
use crate::term::{self, Input, Painter, Session};
use crate::ui::theme::Theme;
use color_eyre::eyre::{Result, WrapErr as _, eyre};
use effects::Outcome;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use pace::Pace;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io::{self, Stdout};
use std::path::PathBuf;
use std::sync::Arc;
use std::task::Poll;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// What a run of the cockpit begins with.
#[derive(Debug)]
pub struct Options {
    pub settings: Settings,
    pub keymap: Keymap,
    pub theme: Theme,
    /// The platform's clock.
    pub clock: Arc<dyn Clock>,
    /// The context to begin with; `None` is the current one.
    pub context: Option<Text>,
    pub scope: Scope,
    /// Why there is no platform; the cockpit then says so and offers the demo.
    pub nothing: Option<Finding>,
    /// What was wrong with configuration files: shown, not fatal.
    pub notices: Vec<Text>,
    /// The editor's command line, such as `code --wait`.
    pub editor: String,
    /// Where ctrl-s writes.
    pub save_folder: PathBuf,
}

impl Options {
    fn state(&self) -> State {
        let mut state = State::new(self.settings.clone(), self.keymap.clone());
        state.link.context.clone_from(&self.context);
        state.link.scope = self.scope.clone();
        state.link.nothing.clone_from(&self.nothing);
        state
    }
}

/// Runs the cockpit until the user quits. Without an engine nothing but the screen that says why
/// is shown.
///
/// # Errors
/// When there is no terminal, or it can no longer be written to.
pub async fn run(options: Options, engine: Option<EngineHandle>) -> Result<()> {
    let session = Session::enter().map_err(|error| eyre!("{error}"))?;
    let size = crossterm::terminal::size().wrap_err("cannot tell the terminal's size")?;
    let mut cockpit = Cockpit::new(options, engine, session, size);
    cockpit.draw()?;
    cockpit.feed(Msg::Start).await?;
    for notice in std::mem::take(&mut cockpit.options.notices) {
        cockpit.feed(Msg::Notice(notice)).await?;
    }
    let ended = cockpit.run_loop().await;
    drop(cockpit);
    ended
}

struct Cockpit {
    options: Options,
    state: State,
    engine: Option<EngineHandle>,
    // Declared before the session: dropped first.
    inputs: Option<BoxStream<'static, io::Result<Input>>>,
    painter: Painter<Stdout>,
    session: Session,
    pace: Pace,
    started: Instant,
}

/// What woke the loop.
enum Woken {
    Message(Box<Msg>),
    Updates(Vec<Update>),
    EngineGone,
    Deadline,
    TerminalGone,
    Panicked,
}

impl Cockpit {
    fn new(
        options: Options,
        engine: Option<EngineHandle>,
        session: Session,
        size: (u16, u16),
    ) -> Self {
        let mut state = options.state();
        state.size = size;
        Self {
            state,
            engine,
            inputs: Some(term::inputs().boxed()),
            painter: Painter::new(io::stdout(), size),
            session,
            pace: Pace::default(),
            started: Instant::now(),
            options,
        }
    }

    fn now(&self) -> Now {
        Now {
            platform: self.options.clock.now(),
            real: self.started.elapsed(),
        }
    }

    async fn run_loop(&mut self) -> Result<()> {
        let mut signals = signals().wrap_err("cannot listen to signals")?;
        while !self.state.quitting {
            match self.next(&mut signals).await {
                Woken::Message(msg) => {
                    let by_person =
                        matches!(*msg, Msg::Key(_) | Msg::Paste(_) | Msg::Resize { .. });
                    let mut effects = self.update(*msg);
                    if by_person {
                        self.take_waiting_keys(&mut effects).await;
                        // What a key does is seen before what it asks of others begins.
                        self.draw_if_dirty()?;
                    }
                    self.carry_out(effects).await?;
                    if by_person {
                        self.draw_if_dirty()?;
                    }
                }
                Woken::Updates(updates) => {
                    for update in updates {
                        self.feed(Msg::Update(Box::new(update))).await?;
                    }
                }
                Woken::EngineGone => self.feed(Msg::EngineGone).await?,
                Woken::Deadline => {
                    if Pace::tick_is_due(&self.state, self.now()) {
                        self.pace.ticked(self.now());
                        self.feed(Msg::Tick).await?;
                    }
                }
                Woken::TerminalGone => return Ok(()),
                Woken::Panicked => return Err(eyre!("stopped by a mistake in the program")),
            }
            if self.pace.frame_is_due(self.now()) {
                self.draw_if_dirty()?;
            }
        }
        Ok(())
    }

    async fn next(&mut self, signals: &mut mpsc::Receiver<()>) -> Woken {
        let wake_in = self
            .pace
            .wake_in(&self.state, self.now(), self.options.clock.speed());
        let inputs = self.inputs.as_mut();
        let engine = self.engine.as_mut();
        tokio::select! {
            biased;
            () = term::panicked() => Woken::Panicked,
            Some(()) = signals.recv() => Woken::Message(Box::new(Msg::Terminated)),
            input = next_input(inputs) => match input {
                Some(Ok(input)) => Woken::Message(Box::new(msg_of(input))),
                Some(Err(_)) | None => Woken::TerminalGone,
            },
            updates = next_updates(engine) => if let Some(updates) = updates {
                Woken::Updates(updates)
            } else {
                self.engine = None;
                Woken::EngineGone
            },
            () = pace::sleep(wake_in) => Woken::Deadline,
        }
    }

    /// Takes the keys that wait already, so that a burst of them costs one frame.
    async fn take_waiting_keys(&mut self, effects: &mut Vec<Effect>) {
        for _ in 0..64 {
            let Some(inputs) = self.inputs.as_mut() else {
                return;
            };
            // Polled as this task: a stream that is not ready remembers only the first waker it
            // is given, and one that wakes nobody would lose the next key until something else
            // happens.
            let waiting = poll_fn(|context| Poll::Ready(inputs.poll_next_unpin(context))).await;
            let Poll::Ready(Some(Ok(input))) = waiting else {
                return;
            };
            effects.extend(self.update(msg_of(input)));
        }
    }

    /// Gives the state a message and does what it asks for, and what follows from that.
    async fn feed(&mut self, msg: Msg) -> Result<()> {
        let effects = self.update(msg);
        self.carry_out(effects).await
    }

    fn update(&mut self, msg: Msg) -> Vec<Effect> {
        if let Msg::Resize { columns, rows } = msg {
            self.painter.resize((columns, rows));
        }
        let now = self.now();
        update(&mut self.state, msg, now)
    }

    async fn carry_out(&mut self, effects: Vec<Effect>) -> Result<()> {
        let mut waiting = VecDeque::from(effects);
        while let Some(effect) = waiting.pop_front() {
            match self.run_effect(effect).await? {
                Outcome::Message(msg) => waiting.extend(self.update(msg)),
                Outcome::Nothing => {}
            }
        }
        Ok(())
    }

    fn draw_if_dirty(&mut self) -> Result<()> {
        let now = self.now();
        settle(&mut self.state, now);
        if self.state.dirty {
            self.draw()?;
        }
        Ok(())
    }

    fn draw(&mut self) -> Result<()> {
        // Sizes change what is visible at most once: a second frame then is right.
        for _ in 0..2 {
            let now = self.now();
            self.state.now = now;
            self.state.dirty = false;
            let (state, theme) = (&self.state, &self.options.theme);
            let viewports = self
                .painter
                .paint(|area, buffer| crate::ui::draw_on(state, theme, area, buffer))
                .wrap_err("cannot write to the terminal")?;
            self.pace.drawn(now);
            if viewports == self.state.viewports {
                break;
            }
            update(&mut self.state, Msg::Viewports(viewports), now);
            if !self.state.dirty {
                break;
            }
        }
        Ok(())
    }
}

fn msg_of(input: Input) -> Msg {
    match input {
        Input::Key(key) => Msg::Key(key),
        Input::Paste(text) => Msg::Paste(text),
        Input::Resize { columns, rows } => Msg::Resize { columns, rows },
        Input::Focus(focused) => Msg::Focus(focused),
    }
}

async fn next_input(
    inputs: Option<&mut BoxStream<'static, io::Result<Input>>>,
) -> Option<io::Result<Input>> {
    match inputs {
        Some(inputs) => inputs.next().await,
        None => std::future::pending().await,
    }
}

/// Waits for what the engine reports, and takes what lies there already.
async fn next_updates(engine: Option<&mut EngineHandle>) -> Option<Vec<Update>> {
    let Some(engine) = engine else {
        return std::future::pending().await;
    };
    let mut updates = Vec::new();
    let count = engine.updates.recv_many(&mut updates, 64).await;
    (count > 0).then_some(updates)
}

/// Hears SIGINT, SIGTERM and SIGHUP (ctrl-c arrives as a key while the terminal is ours).
#[cfg(unix)]
fn signals() -> io::Result<mpsc::Receiver<()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (sender, receiver) = mpsc::channel(1);
    for kind in [
        SignalKind::interrupt(),
        SignalKind::terminate(),
        SignalKind::hangup(),
    ] {
        let mut signal = signal(kind)?;
        let sender = sender.clone();
        drop(tokio::spawn(async move {
            while signal.recv().await.is_some() {
                if sender.send(()).await.is_err() {
                    return;
                }
            }
        }));
    }
    Ok(receiver)
}

/// Hears ctrl-c and the closing of the console.
#[cfg(not(unix))]
fn signals() -> io::Result<mpsc::Receiver<()>> {
    let (sender, receiver) = mpsc::channel(1);
    drop(tokio::spawn(async move {
        while tokio::signal::ctrl_c().await.is_ok() {
            if sender.send(()).await.is_err() {
                return;
            }
        }
    }));
    Ok(receiver)
}
