//! Prometheus and Alertmanager: one way to ask them, live and embedded.
//!
//! Nothing is polled that nobody looks at: a subscription asks at its own step, and the same
//! question asked by several is sent once. A server that does not answer makes its source stale
//! and stops nothing else. A query that is wrong is not asked again until the user retries.

mod ask;
mod board;
mod endpoint;
mod values;

pub(super) use ask::{Trouble, alertmanager, instant, tell_alertmanager};
pub(super) use values::values;

use super::protocol::{SourceName, Ticket, Update};
use super::session::Session;
use super::watch::{asked_to_retry, pause};
use crate::api::convert::alert;
use crate::domain::alert::{AlertBoard, SilenceState};
use crate::domain::metric::{Grid, QueryAnswer, QueryError, RangeWish};
use crate::domain::object::{ObjectRef, Text};
use crate::domain::status::Freshness;
use chrono::{DateTime, TimeDelta, Utc};
use endpoint::Endpoint;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, OnceCell};

/// How often servers usually read their targets; no chart has a finer step.
pub(super) const SCRAPE: TimeDelta = TimeDelta::seconds(15);
/// How often alerts are looked at.
const ALERTS: TimeDelta = TimeDelta::seconds(15);
/// Expired silences are shown this long.
const EXPIRED: TimeDelta = TimeDelta::hours(1);
/// Never asked more often than this in real time, however fast the platform's time runs.
const BREATH: Duration = Duration::from_millis(500);
/// How many answers are kept to be shared.
const SHARED: usize = 64;

/// One of the servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Server {
    Prometheus,
    Alertmanager,
}

impl Server {
    fn word(self) -> &'static str {
        match self {
            Self::Prometheus => "prometheus",
            Self::Alertmanager => "alertmanager",
        }
    }

    fn port(self) -> i64 {
        match self {
            Self::Prometheus => 9_090,
            Self::Alertmanager => 9_093,
        }
    }

    fn source(self) -> SourceName {
        match self {
            Self::Prometheus => SourceName::Prometheus,
            Self::Alertmanager => SourceName::Alertmanager,
        }
    }
}

type SharedAnswer = Arc<OnceCell<Result<QueryAnswer, QueryError>>>;

/// What the subscriptions of one connection share.
#[derive(Debug, Default)]
pub(super) struct Hub {
    endpoints: Mutex<HashMap<Server, Arc<Endpoint>>>,
    states: Mutex<HashMap<Server, Health>>,
    answers: Mutex<Vec<((Text, Grid), SharedAnswer)>>,
}

/// How a server was the last time it was asked.
#[derive(Clone, Debug, Default)]
struct Health {
    told: Option<Freshness>,
    answered_at: Option<DateTime<Utc>>,
}

impl Hub {
    async fn endpoint(&self, session: &Session, server: Server) -> Result<Arc<Endpoint>, Trouble> {
        let known = self.endpoints.lock().await.get(&server).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let found = Endpoint::find(session, server).await;
        let found = Arc::new(found.map_err(|fault| Trouble::of_search(server, &fault))?);
        tracing::info!(server = server.word(), at = %found.name, "metrics are asked there");
        let mut endpoints = self.endpoints.lock().await;
        Ok(Arc::clone(endpoints.entry(server).or_insert(found)))
    }

    /// The server is not where it was: the next question looks for it again.
    async fn forget(&self, server: Server) {
        self.endpoints.lock().await.remove(&server);
    }

    async fn answered(&self, session: &Session, server: Server) {
        self.tell(session, server, Freshness::Live).await;
    }

    async fn failed(&self, session: &Session, server: Server, trouble: &Trouble, wait: Duration) {
        let since = self
            .states
            .lock()
            .await
            .get(&server)
            .and_then(|state| state.answered_at);
        let freshness = trouble.freshness(since, session, wait);
        self.tell(session, server, freshness).await;
    }

    async fn tell(&self, session: &Session, server: Server, freshness: Freshness) {
        {
            let mut states = self.states.lock().await;
            let state = states.entry(server).or_default();
            if freshness == Freshness::Live {
                state.answered_at = Some(session.now());
            }
            if state.told.as_ref() == Some(&freshness) {
                return;
            }
            state.told = Some(freshness.clone());
        }
        session.report_freshness(server.source(), freshness).await;
    }

    /// Asks a range query; whoever asks the same at the same time shares the answer.
    async fn shared(
        &self,
        session: &Session,
        expr: &Text,
        grid: Grid,
    ) -> Result<QueryAnswer, QueryError> {
        let cell = {
            let mut answers = self.answers.lock().await;
            let key = (Text::clone(expr), grid);
            let known = answers.iter().find(|(known, _)| *known == key);
            if let Some((_, cell)) = known {
                Arc::clone(cell)
            } else {
                let cell = SharedAnswer::default();
                if answers.len() >= SHARED {
                    answers.remove(0);
                }
                answers.push((key, Arc::clone(&cell)));
                cell
            }
        };
        let answer = cell.get_or_init(|| ask::range(session, expr, grid)).await;
        if answer.is_err() {
            // The next one asks anew: the server may have come back.
            let mut answers = self.answers.lock().await;
            answers.retain(|(_, known)| !Arc::ptr_eq(known, &cell));
        }
        answer.clone()
    }
}

/// Waits for a span of the platform's time, or until the user asks to try again.
pub(super) async fn wait(session: &Session, span: TimeDelta) -> bool {
    pause(session, real(session, span)).await
}

/// Returns how long a span of the platform's time really takes; never less than a breath.
pub(super) fn real(session: &Session, span: TimeDelta) -> Duration {
    let speed = session.clock.speed();
    let span = span.to_std().unwrap_or_default();
    // A clock that is stepped by hand says nothing about real time.
    let real = if speed > 0.0 {
        span.div_f64(speed)
    } else {
        BREATH
    };
    real.max(BREATH)
}

/// Answers a subscribed range query at every step.
pub(super) async fn query(session: Arc<Session>, ticket: Ticket, expr: Text, wish: RangeWish) {
    let generation = session.generation;
    loop {
        let grid = Grid::for_wish(wish, SCRAPE, session.now());
        let answer = session.metrics.shared(&session, &expr, grid).await;
        let wrong = answer.as_ref().is_err_and(|error| error.of_expression);
        let answer = answer.map(Box::new);
        session
            .report(Update::Query {
                generation,
                ticket,
                answer,
            })
            .await;
        let going = if wrong {
            asked_to_retry(&session).await
        } else {
            wait(&session, grid.step).await
        };
        if !going {
            return;
        }
    }
}

/// Draws the charts about an object at every step.
pub(super) async fn board(
    session: Arc<Session>,
    ticket: Ticket,
    object: ObjectRef,
    wish: RangeWish,
) {
    let generation = session.generation;
    loop {
        let grid = Grid::for_wish(wish, SCRAPE, session.now());
        let board = Box::new(board::draw(&session, &object, grid).await);
        session
            .report(Update::Board {
                generation,
                ticket,
                board,
            })
            .await;
        if !wait(&session, grid.step).await {
            return;
        }
    }
}

/// Reports alerts and silences whenever they change.
pub(super) async fn alerts(session: Arc<Session>, ticket: Ticket) {
    let generation = session.generation;
    let mut sent: Option<AlertBoard> = None;
    loop {
        let board = alert_board(&session, sent.as_ref()).await;
        if let Some(board) = board
            && sent.as_ref() != Some(&board)
        {
            sent = Some(board.clone());
            let board = Box::new(board);
            session
                .report(Update::Alerts {
                    generation,
                    ticket,
                    board,
                })
                .await;
        }
        if !wait(&session, ALERTS).await {
            return;
        }
    }
}

/// Asks both servers. When neither answers, what was known stays, and the sources say so.
async fn alert_board(session: &Session, known: Option<&AlertBoard>) -> Option<AlertBoard> {
    let ringing = ask::prometheus(session, "/api/v1/alerts", &[]).await;
    let delivered = alertmanager(session, "/api/v2/alerts").await;
    let silences = alertmanager(session, "/api/v2/silences").await;
    if ringing.is_err() && delivered.is_err() && known.is_some() {
        return None;
    }
    let note = |server: Server, trouble: &Trouble| -> Text {
        format!("{} cannot be asked: {}", server.word(), trouble.sentence).into()
    };
    let mut notes = Vec::new();
    let from_prometheus = match &ringing {
        Ok(data) => alert::prometheus_alerts(data),
        Err(trouble) => {
            notes.push(note(Server::Prometheus, trouble));
            Vec::new()
        }
    };
    let from_alertmanager = match &delivered {
        Ok(body) => alert::alertmanager_alerts(body),
        Err(trouble) => {
            notes.push(note(Server::Alertmanager, trouble));
            Vec::new()
        }
    };
    let mut silences = silences
        .map(|body| alert::silences(&body))
        .unwrap_or_default();
    let oldest = session.now() - EXPIRED;
    silences.retain(|one| {
        one.state != SilenceState::Expired || one.ends.is_some_and(|ends| ends > oldest)
    });
    let mut board = alert::board(&from_prometheus, from_alertmanager, silences);
    board.notes = notes;
    Some(board)
}
