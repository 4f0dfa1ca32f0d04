//! A request to Harbor's API, its pages, and how it is answered.

use super::access::Caller;
use super::error::Refusal;
use super::query::{self, Condition};
use crate::sim::registry::text;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// How a request is answered.
pub(super) type Answered = Result<Answer, Refusal>;

const LARGEST_PAGE: usize = 100;
const USUAL_PAGE: usize = 10;

/// A request, read.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) method: Method,
    /// The path below `/api/v2.0`, each segment decoded.
    pub(super) segments: Vec<String>,
    /// The path as it came, for links.
    pub(super) path: String,
    pub(super) parameters: Vec<(String, String)>,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) caller: Caller,
}

impl Call {
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        text::parameter(&self.parameters, name).filter(|value| !value.is_empty())
    }

    /// A flag of the query; the error is a parameter that is no boolean.
    pub(super) fn flag(&self, name: &str, usual: bool) -> Result<bool, Refusal> {
        match self.parameter(name) {
            None => Ok(usual),
            Some("true" | "1" | "t" | "True") => Ok(true),
            Some("false" | "0" | "f" | "False") => Ok(false),
            Some(other) => Err(Refusal::unprocessable(format!(
                "{name} in query must be of type boolean: \"{other}\""
            ))),
        }
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Reads the body as JSON.
    pub(super) fn read<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        serde_json::from_slice(&self.body).map_err(|error| {
            Refusal::unprocessable(format!("parsing body from \"\" failed, because {error}"))
        })
    }

    fn number(&self, name: &str, usual: usize) -> Result<usize, Refusal> {
        match self.parameter(name) {
            None => Ok(usual),
            Some(text) => text.parse().map_err(|_not_a_number| {
                Refusal::unprocessable(format!("{name} in query must be of type int64: \"{text}\""))
            }),
        }
    }

    /// Reads which page is asked for; the error is a parameter that is wrong.
    pub(super) fn window(&self) -> Result<Window, Refusal> {
        let size = self.number("page_size", USUAL_PAGE)?;
        let number = self.number("page", 1)?.max(1);
        if size > LARGEST_PAGE {
            return Err(Refusal::unprocessable(format!(
                "page_size in query should be less than or equal to {LARGEST_PAGE}"
            )));
        }
        Ok(Window { number, size })
    }

    /// Reads what the rows are to be like.
    pub(super) fn conditions(&self) -> Result<Vec<(String, Condition)>, Refusal> {
        let asked = self.parameter("q").unwrap_or_default();
        // Some clients encode the query once more before it becomes a parameter.
        let asked = text::unescape(asked);
        query::parse(&asked).map_err(Refusal::bad_request)
    }

    /// Filters, sorts and cuts out one page. A field that is none is ignored.
    pub(super) fn page<T>(
        &self,
        mut rows: Vec<T>,
        usual_sort: &str,
        field: impl Fn(&T, &str) -> Option<Value>,
    ) -> Result<Page<T>, Refusal> {
        let window = self.window()?;
        for (key, condition) in &self.conditions()? {
            rows.retain(|row| field(row, key).is_none_or(|value| condition.admits(&value)));
        }
        let by = query::sorting(self.parameter("sort").unwrap_or(usual_sort));
        let keyed = |row: &T| -> Vec<Value> {
            let keys = by
                .iter()
                .map(|(key, _)| field(row, key).unwrap_or(Value::Null));
            keys.collect()
        };
        let rows = rows.into_iter().enumerate();
        let mut sorted: Vec<(Vec<Value>, usize, T)> =
            rows.map(|(at, row)| (keyed(&row), at, row)).collect();
        let order = |one: &(Vec<Value>, usize, T), other: &(Vec<Value>, usize, T)| {
            let pairs = one.0.iter().zip(&other.0).zip(&by);
            let mut orders = pairs.map(|((one, other), (_, descending))| {
                let order = query::compare(one, other);
                if *descending { order.reverse() } else { order }
            });
            let first = orders.find(|order| order.is_ne());
            // What is alike stays in its order.
            first.unwrap_or_else(|| one.1.cmp(&other.1))
        };
        let total = sorted.len();
        let end = window.skip().saturating_add(window.take());
        // Only the rows up to the end of the page need an order.
        if end < total {
            sorted.select_nth_unstable_by(end, order);
            sorted.truncate(end);
        }
        sorted.sort_unstable_by(order);
        let rows = sorted.into_iter().skip(window.skip());
        let rows = rows.map(|(_, _, row)| row).collect();
        Ok(self.page_of(window, rows, total))
    }

    /// Makes a page of rows that were cut out already.
    pub(super) fn page_of<T>(&self, window: Window, rows: Vec<T>, total: usize) -> Page<T> {
        Page {
            rows,
            total,
            link: self.links(window.number, window.size, total),
        }
    }

    /// Relative links, the previous page first (`src/lib/link.go`).
    fn links(&self, number: usize, size: usize, total: usize) -> Option<String> {
        let to = |page: usize, relation: &str| {
            let others = self
                .parameters
                .iter()
                .filter(|(key, _)| key != "page" && key != "page_size");
            let mut query: Vec<String> = others
                .map(|(key, value)| format!("{key}={value}"))
                .collect();
            query.push(format!("page={page}"));
            query.push(format!("page_size={size}"));
            format!("<{}?{}>; rel=\"{relation}\"", self.path, query.join("&"))
        };
        let mut links = Vec::new();
        if number > 1 && size > 0 && (number - 2) * size < total {
            links.push(to(number - 1, "prev"));
        }
        if size > 0 && number * size < total {
            links.push(to(number + 1, "next"));
        }
        (!links.is_empty()).then(|| links.join(" , "))
    }
}

/// Which page is asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    /// From 1.
    number: usize,
    /// 0: everything.
    size: usize,
}

impl Window {
    pub(super) fn skip(self) -> usize {
        (self.number - 1).saturating_mul(self.size)
    }

    pub(super) fn take(self) -> usize {
        if self.size == 0 {
            usize::MAX
        } else {
            self.size
        }
    }
}

/// One page of rows.
#[derive(Debug)]
pub(super) struct Page<T> {
    pub(super) rows: Vec<T>,
    pub(super) total: usize,
    link: Option<String>,
}

impl<T> Page<T> {
    /// Answers with the rows as JSON.
    pub(super) fn answer(self, json: impl Fn(&T) -> Value) -> Answer {
        let body: Vec<Value> = self.rows.iter().map(json).collect();
        let mut answer = Answer::json(&Value::Array(body));
        answer
            .headers
            .push(("x-total-count", self.total.to_string()));
        answer.headers.extend(self.link.map(|link| ("link", link)));
        answer
    }
}

/// An answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) content_type: String,
    pub(super) body: Bytes,
}

impl Answer {
    pub(super) fn json(value: &Value) -> Self {
        Self {
            status: StatusCode::OK,
            headers: Vec::new(),
            content_type: "application/json; charset=utf-8".to_owned(),
            body: Bytes::from(value.to_string()),
        }
    }

    pub(super) fn text(content_type: &str, body: impl Into<Bytes>) -> Self {
        Self {
            content_type: content_type.to_owned(),
            body: body.into(),
            ..Self::status(StatusCode::OK)
        }
    }

    pub(super) fn status(status: StatusCode) -> Self {
        Self {
            status,
            headers: Vec::new(),
            content_type: String::new(),
            body: Bytes::new(),
        }
    }

    pub(super) fn ok() -> Self {
        Self::status(StatusCode::OK)
    }

    pub(super) fn accepted() -> Self {
        Self::status(StatusCode::ACCEPTED)
    }

    /// 201 with the place of what was made.
    pub(super) fn created(location: String) -> Self {
        let mut answer = Self::status(StatusCode::CREATED);
        answer.headers.push(("location", location));
        answer
    }

    pub(super) fn with_body(mut self, value: &Value) -> Self {
        self.body = Bytes::from(value.to_string());
        "application/json; charset=utf-8".clone_into(&mut self.content_type);
        self
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        if let Ok(value) = HeaderValue::from_str(&self.content_type)
            && !self.content_type.is_empty()
        {
            headers.insert(header::CONTENT_TYPE, value);
        }
        for (name, value) in self.headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
        response
    }
}

/// Writes a time as Harbor does.
pub(super) fn time(at: DateTime<Utc>) -> Value {
    json!(at.to_rfc3339_opts(SecondsFormat::Millis, true))
}

/// Writes a time; what has never happened has the zero time.
pub(super) fn time_or_zero(at: Option<DateTime<Utc>>) -> Value {
    at.map_or(json!("0001-01-01T00:00:00.000Z"), time)
}
