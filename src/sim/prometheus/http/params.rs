//! The parameters of a request, from its query string and its form.

use super::form::decode;
use crate::sim::prometheus::QueryError;
use crate::sim::prometheus::matcher::Matcher;
use crate::sim::prometheus::number::{parse_span, parse_time};
use crate::sim::prometheus::promql;
use axum::extract::{FromRequest, Request};
use axum::response::{IntoResponse, Response};
use http::{Method, StatusCode};

/// How large a form may be.
const LARGEST: usize = 1 << 20;

/// Names and values, as often as they were given.
pub(super) struct Params(Vec<(String, String)>);

impl<S: Sync> FromRequest<S> for Params {
    type Rejection = Response;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Response> {
        let mut fields = decode(request.uri().query().unwrap_or_default());
        if request.method() == Method::POST {
            let body = axum::body::to_bytes(request.into_body(), LARGEST).await;
            let body =
                body.map_err(|error| (StatusCode::BAD_REQUEST, error.to_string()).into_response())?;
            let form = decode(&String::from_utf8_lossy(&body));
            fields.splice(0..0, form);
        }
        Ok(Self(fields))
    }
}

impl Params {
    /// Returns a value; one that is missing is empty.
    pub(super) fn get(&self, name: &str) -> &str {
        let found = self.0.iter().find(|(field, _)| field == name);
        found.map_or("", |(_, value)| value)
    }

    /// Returns all values of a name.
    pub(super) fn all<'p>(&'p self, name: &'p str) -> impl Iterator<Item = &'p str> {
        self.0
            .iter()
            .filter(move |(field, _)| field == name)
            .map(|(_, value)| value.as_str())
    }

    /// Returns a time in milliseconds, or another when it is not given.
    pub(super) fn time(&self, name: &str, or: i64) -> Result<i64, QueryError> {
        match self.get(name) {
            "" => Ok(or),
            text => parse_time(text).ok_or_else(|| {
                invalid(
                    name,
                    &format!("cannot parse \"{text}\" to a valid timestamp"),
                )
            }),
        }
    }

    /// Returns a time in milliseconds that has to be given.
    pub(super) fn required_time(&self, name: &str) -> Result<i64, QueryError> {
        let text = self.get(name);
        parse_time(text).ok_or_else(|| {
            invalid(
                name,
                &format!("cannot parse \"{text}\" to a valid timestamp"),
            )
        })
    }

    /// Returns a span in milliseconds, if one is given.
    pub(super) fn span(&self, name: &str) -> Result<Option<i64>, QueryError> {
        match self.get(name) {
            "" => Ok(None),
            text => match parse_span(text) {
                Some(span) => Ok(Some(span)),
                None => Err(invalid(
                    name,
                    &format!("cannot parse \"{text}\" to a valid duration"),
                )),
            },
        }
    }

    /// Returns how many results are wanted at most; 0 is no limit.
    pub(super) fn limit(&self) -> Result<usize, QueryError> {
        match self.get("limit") {
            "" => Ok(0),
            text => text.parse().map_err(|error: std::num::ParseIntError| {
                invalid("limit", &format!("limit must be non-negative: {error}"))
            }),
        }
    }

    /// Reads the selectors of `match[]`.
    pub(super) fn selectors(&self) -> Result<Vec<Vec<Matcher>>, QueryError> {
        self.all("match[]")
            .map(|text| {
                promql::parse_selector(text).map_err(|error| invalid("match[]", &error.to_string()))
            })
            .collect()
    }
}

/// Says which parameter is wrong.
pub(super) fn invalid(name: &str, message: &str) -> QueryError {
    QueryError::bad_data(format!("invalid parameter \"{name}\": {message}"))
}
