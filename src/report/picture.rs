//! One object with all that hangs on it, printed in the form that is asked for.

use super::documents::path;
use super::session::Session;
use super::{ReportError, write_json, write_yaml};
use crate::cli::Output;
use crate::domain::object::ObjectRef;
use crate::engine::protocol::{Request, Ticket, Topic, Update};
use chrono::{DateTime, Utc};
use serde_json::Value;
use std::io::Write;
use std::time::Duration;

/// How long the first picture is given to come.
const PATIENCE: Duration = Duration::from_secs(20);

/// A picture that can be told.
pub(super) trait Picture: Sized {
    /// What there is to say when the object is gone.
    const GONE: &'static str;
    /// So long nothing newer may come before a picture counts as complete; none: the first one is.
    const SETTLED: Option<Duration>;

    /// Returns the picture of a subscription (none: the object is gone), or the update itself.
    fn of(update: Update, ours: Ticket) -> Result<Option<Self>, Box<Update>>;

    fn object(&self) -> &ObjectRef;

    fn document(&self, now: DateTime<Utc>) -> Value;

    fn print(&self, now: DateTime<Utc>, out: &mut dyn Write) -> Result<(), ReportError>;
}

/// Waits for the picture of a topic and prints it.
pub(super) async fn tell<P: Picture>(
    session: &mut Session,
    topic: Topic,
    (output, now): (Output, DateTime<Utc>),
    out: &mut dyn Write,
) -> Result<(), ReportError> {
    let picture = complete::<P>(session, topic).await?;
    match output {
        Output::Json => write_json(out, &picture.document(now))?,
        Output::Yaml => write_yaml(out, &picture.document(now))?,
        Output::Name => writeln!(out, "{}", path(picture.object()))?,
        Output::Table | Output::Wide => picture.print(now, out)?,
    }
    Ok(())
}

async fn complete<P: Picture>(session: &mut Session, topic: Topic) -> Result<P, ReportError> {
    let ours = session.ticket();
    session
        .send(Request::Subscribe {
            ticket: ours,
            topic,
        })
        .await?;
    let mut latest: Option<P> = None;
    loop {
        let patience = match (&latest, P::SETTLED) {
            (Some(_), None) => break,
            (Some(_), Some(settled)) => settled,
            (None, _) => PATIENCE,
        };
        let update = match session.next(patience).await {
            Ok(update) => update,
            Err(ReportError::NotObserved(_)) if latest.is_some() => break,
            Err(error) => return Err(error),
        };
        match P::of(update, ours) {
            Ok(Some(picture)) => latest = Some(picture),
            Ok(None) => return Err(ReportError::Usage(P::GONE.to_owned())),
            Err(other) => session.take(*other)?,
        }
    }
    session.send(Request::Unsubscribe { ticket: ours }).await?;
    latest.ok_or_else(|| ReportError::NotObserved(String::from("nothing was said of it")))
}
