//! Owns every task of the engine, and starts and ends them as requests come.
//!
//! It awaits nothing that a server could hold up, so a request is always taken at once.

use super::EngineOptions;
use super::act;
use super::connect;
use super::fetch;
use super::github;
use super::logs;
use super::metrics;
use super::pipelines;
use super::platform::Platform;
use super::protocol::{Answer, Fetch, Generation, Request, Scope, Ticket, Topic, Update};
use super::registries;
use super::rollout;
use super::session::{Session, Wake};
use super::topics;
use super::tree;
use crate::domain::finding::{Finding, Severity};
use crate::domain::intent::{Intent, IntentId, Stage};
use crate::domain::object::Text;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::task::AbortOnDropHandle;

/// Serves requests until the cockpit hangs up. Dropping it ends every task.
pub(super) async fn run(
    platform: Arc<dyn Platform>,
    options: EngineOptions,
    mut requests: mpsc::Receiver<Request>,
    updates: mpsc::Sender<Update>,
) {
    let mut supervisor = Supervisor {
        platform,
        options,
        updates,
        wake: watch::Sender::new(Wake::default()),
        wanted: None,
        session: watch::Sender::new(None),
        connecting: None,
        subscriptions: HashMap::new(),
        errands: JoinSet::new(),
    };
    while let Some(request) = requests.recv().await {
        supervisor.serve(request);
        while supervisor.errands.try_join_next().is_some() {}
    }
}

/// The session that tasks wait for; `None` until a client exists.
pub(super) type Current = Option<Arc<Session>>;

struct Supervisor {
    platform: Arc<dyn Platform>,
    options: EngineOptions,
    updates: mpsc::Sender<Update>,
    wake: watch::Sender<Wake>,
    /// What was asked to be connected to.
    wanted: Option<(Generation, Option<Text>, Scope)>,
    session: watch::Sender<Current>,
    connecting: Option<AbortOnDropHandle<()>>,
    /// Each with how many of its rows are wanted.
    subscriptions: HashMap<Ticket, (AbortOnDropHandle<()>, watch::Sender<usize>)>,
    /// Fetches and intents: they end by themselves.
    errands: JoinSet<()>,
}

impl Supervisor {
    fn serve(&mut self, request: Request) {
        match request {
            Request::Connect {
                generation,
                context,
                scope,
            } => {
                self.subscriptions.clear();
                self.wanted = Some((generation, context, scope));
                self.connect();
            }
            Request::Subscribe { ticket, topic } => self.subscribe(ticket, topic),
            Request::Unsubscribe { ticket } => {
                self.subscriptions.remove(&ticket);
            }
            Request::More { ticket, rows } => {
                if let Some((_, wanted)) = self.subscriptions.get(&ticket) {
                    wanted.send_replace(rows);
                }
            }
            Request::Fetch { ticket, what } => self.fetch(ticket, what),
            Request::Act {
                id,
                intent,
                dry_run,
            } => self.act(id, intent, dry_run),
            Request::Reload => self.wake.send_modify(|wake| wake.reloads += 1),
            Request::RetryNow => self.retry(),
        }
    }

    /// Tries again now. Credentials may have been renewed meanwhile, so a client that reached
    /// nobody is made anew first.
    fn retry(&mut self) {
        let session = self.session.borrow().clone();
        match session {
            None if self.wanted.is_some() => self.connect(),
            Some(session) if !session.reachable.load(Ordering::Relaxed) => {
                let platform = Arc::clone(&self.platform);
                let renewal = connect::renew(platform, session, self.wake.clone());
                self.errands.spawn(renewal);
            }
            None | Some(_) => self.wake.send_modify(|wake| wake.retries += 1),
        }
    }

    fn connect(&mut self) {
        let Some((generation, context, scope)) = self.wanted.clone() else {
            return;
        };
        self.session.send_replace(None);
        let blueprint = connect::Blueprint {
            platform: Arc::clone(&self.platform),
            options: self.options.clone(),
            updates: self.updates.clone(),
            wake: self.wake.subscribe(),
            generation,
            context,
            scope,
        };
        let task = tokio::spawn(connect::run(blueprint, self.session.clone()));
        self.connecting = Some(AbortOnDropHandle::new(task));
    }

    fn subscribe(&mut self, ticket: Ticket, topic: Topic) {
        let session = self.session.subscribe();
        let (sender, wanted) = watch::channel(0);
        let task = tokio::spawn(async move {
            let Some(session) = connected(session).await else {
                return;
            };
            match topic {
                Topic::Kind(kind) => topics::kind(session, ticket, kind, wanted).await,
                Topic::Namespaces => topics::namespaces(session, ticket).await,
                Topic::Application(object) => tree::run(session, ticket, object).await,
                Topic::Logs { object, options } if github::has(&object.kind) => {
                    github::logs(session, ticket, object, options).await;
                }
                Topic::Logs { object, options } => {
                    logs::run(session, ticket, object, options).await;
                }
                Topic::Rollout(object) => rollout::run(session, ticket, object).await,
                Topic::AnalysisRun(object) => rollout::analysis(session, ticket, object).await,
                Topic::Query { expr, wish } => metrics::query(session, ticket, expr, wish).await,
                Topic::Board { object, wish } => {
                    metrics::board(session, ticket, object, wish).await;
                }
                Topic::Alerts => metrics::alerts(session, ticket).await,
                Topic::Run(object) if github::has(&object.kind) => {
                    github::run(session, ticket, object).await;
                }
                Topic::Run(object) => pipelines::run(session, ticket, object).await,
                Topic::EventFlow => pipelines::flow(session, ticket).await,
                Topic::Image(object) => registries::image(session, ticket, object).await,
            }
        });
        self.subscriptions
            .insert(ticket, (AbortOnDropHandle::new(task), sender));
    }

    fn fetch(&mut self, ticket: Ticket, what: Fetch) {
        let updates = self.updates.clone();
        let session = self.session.subscribe();
        let platform = Arc::clone(&self.platform);
        self.errands.spawn(async move {
            let answer = if what == Fetch::Contexts {
                platform.contexts().map(Answer::Contexts)
            } else {
                match connected(session).await {
                    Some(session) => fetch::answer(&session, what).await,
                    None => Err(not_connected()),
                }
            };
            if updates
                .send(Update::Fetched { ticket, answer })
                .await
                .is_err()
            {
                tracing::debug!("nobody waits for the answer any more");
            }
        });
    }

    fn act(&mut self, id: IntentId, intent: Intent, dry_run: bool) {
        let session = self.session.borrow().clone();
        let updates = self.updates.clone();
        let clock = self.platform.clock();
        self.errands.spawn(async move {
            if let Some(session) = session {
                act::run(session, id, intent, dry_run).await;
                return;
            }
            let finding = not_connected();
            let stage = Stage::Failed {
                sentence: finding.sentence,
                hint: finding.hint,
            };
            let at = clock.now();
            if updates
                .send(Update::Outcome { id, at, stage })
                .await
                .is_err()
            {
                tracing::debug!("nobody waits for the outcome any more");
            }
        });
    }
}

fn not_connected() -> Finding {
    Finding::new(Severity::Error, "not connected to a cluster yet")
        .with_hint("wait for the connection, or choose another context")
}

/// Waits for the session; `None` when the engine ends first.
async fn connected(mut session: watch::Receiver<Current>) -> Option<Arc<Session>> {
    let ready = session.wait_for(Option::is_some).await.ok()?;
    ready.clone()
}
