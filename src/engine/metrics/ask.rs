//! Questions to the servers, and what their refusals mean.

use super::endpoint::Question;
use super::{SCRAPE, Server, real};
use crate::api::convert::metric::{has_histograms, query_result};
use crate::domain::metric::{Grid, QueryAnswer, QueryError, split_position};
use crate::domain::object::Text;
use crate::domain::status::Freshness;
use crate::engine::fault::Fault;
use crate::engine::session::Session;
use crate::engine::transport::Answer;
use chrono::{DateTime, Utc};
use http::Method;
use serde_json::Value;
use std::time::Duration;

/// Why a server gives no answer that can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::engine) struct Trouble {
    pub(in crate::engine) sentence: String,
    pub(in crate::engine) hint: &'static str,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// The question is wrong.
    Question,
    /// It may work later.
    Passing,
    Forbidden,
    NeedsCredentials,
    /// There is no such server.
    Absent,
}

impl Trouble {
    pub(super) fn of_search(server: Server, fault: &Fault) -> Self {
        let hint = match server {
            Server::Prometheus => {
                "name it in the configuration: `[[metrics]]` with `prometheus = \"https://…\"` or `\"NAMESPACE/NAME:PORT\"`"
            }
            Server::Alertmanager => {
                "name it in the configuration: `[[metrics]]` with `alertmanager = \"https://…\"` or `\"NAMESPACE/NAME:PORT\"`"
            }
        };
        match fault {
            Fault::NotFound(reason) | Fault::Refused(reason) => Self {
                sentence: format!("no {} was found: {reason}", server.word()),
                hint,
                kind: Kind::Absent,
            },
            Fault::Unreachable(_)
            | Fault::Unauthorized(_)
            | Fault::Forbidden(_)
            | Fault::Gone
            | Fault::Conflict(_)
            | Fault::Busy(_)
            | Fault::Unreadable(_) => Self::of_fault(server, fault),
        }
    }

    fn of_fault(server: Server, fault: &Fault) -> Self {
        let (kind, hint) = match fault {
            Fault::Forbidden(_) => (
                Kind::Forbidden,
                "ask for `get services/proxy` in its namespace, or configure its URL",
            ),
            Fault::Unauthorized(_) => (Kind::NeedsCredentials, "renew the credentials"),
            Fault::NotFound(_) => (Kind::Absent, "is the Service still there?"),
            Fault::Refused(_) => (Kind::Question, "correct what the server names"),
            Fault::Unreachable(_) | Fault::Busy(_) => (
                Kind::Passing,
                "it is asked again by itself; are its Pods running?",
            ),
            Fault::Unreadable(_) | Fault::Gone | Fault::Conflict(_) => {
                (Kind::Passing, "is this the address of the server itself?")
            }
        };
        Self {
            sentence: format!("{}: {fault}", server.word()),
            hint,
            kind,
        }
    }

    pub(super) fn freshness(
        &self,
        since: Option<DateTime<Utc>>,
        session: &Session,
        wait: Duration,
    ) -> Freshness {
        let reason = Text::from(self.sentence.as_str());
        match self.kind {
            Kind::Question => Freshness::Live,
            Kind::Passing => Freshness::Stale {
                since: since.unwrap_or_else(|| session.now()),
                retry_at: session.after(wait),
                reason,
            },
            Kind::Forbidden => Freshness::Forbidden { reason },
            Kind::NeedsCredentials => Freshness::NeedsCredentials { reason },
            Kind::Absent => Freshness::Absent { reason },
        }
    }

    fn into_error(self) -> QueryError {
        let of_expression = self.kind == Kind::Question;
        let (position, message) = if of_expression {
            split_position(&self.sentence)
        } else {
            (None, self.sentence.as_str())
        };
        QueryError {
            message: message.into(),
            position,
            hint: Some(self.hint.into()),
            of_expression,
        }
    }
}

/// Reads an answer of Prometheus's API; `data` of a good one.
fn data_of(answer: &Answer, notes: &mut Vec<Text>) -> Result<Value, Trouble> {
    let server = Server::Prometheus;
    let Ok(mut body) = serde_json::from_slice::<Value>(&answer.body) else {
        return Err(not_json(server, answer));
    };
    let text = |field: &str| body.get(field).and_then(Value::as_str).map(str::to_owned);
    if text("status").as_deref() == Some("success") {
        for list in ["warnings", "infos"] {
            let told = body
                .get(list)
                .and_then(Value::as_array)
                .into_iter()
                .flatten();
            notes.extend(told.filter_map(Value::as_str).map(Text::from));
        }
        return Ok(body.get_mut("data").map(Value::take).unwrap_or_default());
    }
    let Some(kind) = text("errorType") else {
        // The API server's own refusal: the Service has no endpoints, or may not be asked.
        let fault = Fault::from_answer(answer.code, &answer.body);
        return Err(Trouble::of_fault(server, &fault));
    };
    let message = text("error").unwrap_or_default();
    let (kind, hint) = match kind.as_str() {
        "bad_data" => (Kind::Question, "correct the expression at that place"),
        "execution" => (
            Kind::Question,
            "the expression is well-formed, but cannot be evaluated",
        ),
        "timeout" => (
            Kind::Passing,
            "ask for less: a shorter range, a larger step, fewer series",
        ),
        _ => (Kind::Passing, "it is asked again by itself"),
    };
    Err(Trouble {
        sentence: if kind == Kind::Question {
            message
        } else {
            format!("{}: {message}", server.word())
        },
        hint,
        kind,
    })
}

/// A proxy on the way answers HTML; Prometheus itself answers plain text for an unknown path.
fn not_json(server: Server, answer: &Answer) -> Trouble {
    let fault = match answer.code {
        200..300 if answer.content_type().contains("html") => Fault::Unreadable(String::from(
            "the answer is a web page, not data; a login page, perhaps",
        )),
        200..300 => Fault::Unreadable(String::from("the answer is not JSON")),
        // What is answered for a path that is not there is not a wrong question.
        404 => Fault::Unreadable(String::from(
            "the address has no such API (404); is there a prefix to its path?",
        )),
        code => Fault::from_answer(code, &answer.body),
    };
    let mut trouble = Trouble::of_fault(server, &fault);
    if trouble.kind == Kind::Question {
        trouble.kind = Kind::Passing;
    }
    trouble
}

/// Sends a question and keeps the book about how the server is.
async fn exchange(
    session: &Session,
    server: Server,
    (path, question): (&str, Question<'_>),
) -> Result<Answer, Trouble> {
    let hub = &session.metrics;
    let endpoint = hub.endpoint(session, server).await?;
    match endpoint.ask(session, path, question).await {
        Ok(answer) => Ok(answer),
        Err(fault) => {
            hub.forget(server).await;
            Err(Trouble::of_fault(server, &fault))
        }
    }
}

/// Tells how the server is, by how the question went.
async fn book<T>(
    session: &Session,
    server: Server,
    outcome: Result<T, Trouble>,
) -> Result<T, Trouble> {
    let hub = &session.metrics;
    match &outcome {
        Ok(_) => hub.answered(session, server).await,
        Err(trouble) if trouble.kind == Kind::Question => hub.answered(session, server).await,
        Err(trouble) => {
            if trouble.kind != Kind::Passing {
                hub.forget(server).await;
            }
            hub.failed(session, server, trouble, real(session, SCRAPE))
                .await;
        }
    }
    outcome
}

/// Asks Prometheus's API; returns `data`.
pub(super) async fn prometheus(
    session: &Session,
    path: &str,
    parameters: &[(&str, String)],
) -> Result<Value, Trouble> {
    noted(session, path, parameters).await.map(|(data, _)| data)
}

async fn noted(
    session: &Session,
    path: &str,
    parameters: &[(&str, String)],
) -> Result<(Value, Vec<Text>), Trouble> {
    let server = Server::Prometheus;
    let mut answer = exchange(session, server, (path, Question::Get(parameters))).await;
    // A proxy that refuses the method or the length may take the other way.
    if answer
        .as_ref()
        .is_ok_and(|answer| matches!(answer.code, 405 | 414))
    {
        answer = exchange(session, server, (path, Question::Form(parameters))).await;
    }
    let mut notes = Vec::new();
    let outcome = answer.and_then(|answer| data_of(&answer, &mut notes));
    let data = book(session, server, outcome).await?;
    Ok((data, notes))
}

/// Asks Alertmanager's API.
pub(in crate::engine) async fn alertmanager(
    session: &Session,
    path: &str,
) -> Result<Value, Trouble> {
    let server = Server::Alertmanager;
    let answer = exchange(session, server, (path, Question::Get(&[]))).await;
    let outcome = answer.and_then(|answer| alertmanager_body(&answer));
    book(session, server, outcome).await
}

/// Changes something in Alertmanager: `None` deletes.
pub(in crate::engine) async fn tell_alertmanager(
    session: &Session,
    path: &str,
    body: Option<&Value>,
) -> Result<Value, Trouble> {
    let question = match body {
        Some(body) => Question::Json(Method::POST, body),
        None => Question::Delete,
    };
    let answer = exchange(session, Server::Alertmanager, (path, question)).await?;
    alertmanager_body(&answer)
}

fn alertmanager_body(answer: &Answer) -> Result<Value, Trouble> {
    let server = Server::Alertmanager;
    let body = serde_json::from_slice::<Value>(&answer.body);
    if (200..300).contains(&answer.code) {
        if answer.body.is_empty() {
            return Ok(Value::Null);
        }
        return body.map_err(|_unreadable| not_json(server, answer));
    }
    // A bad filter is a bare string, a schema violation an object, the API server's word a Status.
    let said = match &body {
        Ok(Value::String(text)) => Some(text.clone()),
        Ok(value) if matches!(answer.code, 400 | 422) => value
            .get("message")
            .and_then(Value::as_str)
            .map(str::to_owned),
        Ok(_) | Err(_) => None,
    };
    let fault = match said {
        Some(said) => Fault::Refused(said),
        None => Fault::from_answer(answer.code, &answer.body),
    };
    Err(Trouble::of_fault(server, &fault))
}

/// Asks what an expression yields now.
pub(in crate::engine) async fn instant(
    session: &Session,
    expr: &str,
) -> Result<QueryAnswer, QueryError> {
    let at = session.now();
    let parameters = [
        ("query", expr.to_owned()),
        (
            "time",
            format!("{}.{:03}", at.timestamp(), at.timestamp_subsec_millis()),
        ),
    ];
    let outcome = noted(session, "/api/v1/query", &parameters).await;
    let (data, notes) = outcome.map_err(Trouble::into_error)?;
    answer_of(expr, &data, None, notes, at)
}

/// Asks what an expression yields at every instant of a grid.
pub(super) async fn range(
    session: &Session,
    expr: &str,
    grid: Grid,
) -> Result<QueryAnswer, QueryError> {
    let parameters = [
        ("query", expr.to_owned()),
        ("start", grid.start.timestamp().to_string()),
        ("end", grid.end.timestamp().to_string()),
        ("step", grid.step.num_seconds().to_string()),
    ];
    let outcome = noted(session, "/api/v1/query_range", &parameters).await;
    let (data, notes) = outcome.map_err(Trouble::into_error)?;
    answer_of(expr, &data, Some(grid), notes, session.now())
}

/// What a number means where the server sent a native histogram.
const COUNTED: &str = "native histograms are shown by their count; ask for histogram_sum(…), histogram_avg(…) or histogram_quantile(…) of them";

fn answer_of(
    expr: &str,
    data: &Value,
    grid: Option<Grid>,
    mut notes: Vec<Text>,
    at: DateTime<Utc>,
) -> Result<QueryAnswer, QueryError> {
    if has_histograms(data) {
        notes.push(COUNTED.into());
    }
    let result = query_result(data, grid).map_err(|sentence| QueryError {
        message: sentence.into(),
        position: None,
        hint: Some("is this a Prometheus server?".into()),
        of_expression: false,
    })?;
    Ok(QueryAnswer {
        expr: expr.into(),
        result,
        notes,
        at,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(code: u16, content_type: &str, body: &str) -> QueryError {
        let mut headers = http::HeaderMap::new();
        let content_type = content_type.parse().expect("a header");
        let _none = headers.insert(http::header::CONTENT_TYPE, content_type);
        let answer = Answer::new(code, headers, body.to_owned().into());
        let trouble = data_of(&answer, &mut Vec::new()).expect_err("a refusal");
        trouble.into_error()
    }

    #[test]
    fn a_wrong_expression_shows_its_place_and_is_not_asked_again() {
        let body = r#"{"status":"error","errorType":"bad_data","error":"invalid parameter \"query\": 1:5: parse error: unclosed left parenthesis"}"#;
        let error = refused(400, "application/json", body);

        assert!(error.of_expression);
        assert_eq!(error.position.map(|at| at.column), Some(5));
        assert_eq!(&*error.message, "unclosed left parenthesis");
    }

    #[test]
    fn other_refusals_pass_and_say_what_they_are() {
        let many = r#"{"status":"error","errorType":"execution","error":"many-to-many"}"#;
        assert!(refused(422, "application/json", many).of_expression);
        let slow = r#"{"status":"error","errorType":"timeout","error":"query timed out"}"#;
        let slow = refused(503, "application/json", slow);
        assert!(!slow.of_expression);
        assert!(slow.message.contains("query timed out"));
        let page = refused(200, "text/html", "<html>log in</html>");
        assert!(page.message.contains("web page"), "{}", page.message);
        let gone = r#"{"kind":"Status","status":"Failure","message":"no endpoints available for service \"prometheus:9090\"","code":503}"#;
        let gone = refused(503, "application/json", gone);
        assert!(gone.message.contains("no endpoints"), "{}", gone.message);
        assert!(!refused(404, "text/plain", "404 page not found").of_expression);
    }
}
