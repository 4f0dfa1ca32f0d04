//! Which form of an answer a client wants: plain, as a table, or metadata only.

use super::error::ApiError;

/// The negotiated form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Plain,
    Yaml,
    Table,
    Partial,
}

/// Chooses the first clause of an `Accept` header that can be served.
pub(super) fn negotiate(accept: &str) -> Result<Form, ApiError> {
    if accept.trim().is_empty() {
        return Ok(Form::Plain);
    }
    for clause in accept.split(',') {
        let mut parts = clause.split(';').map(str::trim);
        let media = parts.next().unwrap_or_default();
        let parameters: Vec<&str> = parts.collect();
        let parameter = |name: &str| {
            parameters
                .iter()
                .find_map(|one| one.strip_prefix(name)?.strip_prefix('='))
        };
        match media {
            "application/json" | "*/*" | "application/*" => {}
            "application/yaml" => return Ok(Form::Yaml),
            _ => continue,
        }
        let version = parameter("v").is_none_or(|v| v == "v1");
        match parameter("as") {
            None => return Ok(Form::Plain),
            Some("Table") if version => return Ok(Form::Table),
            Some("PartialObjectMetadata" | "PartialObjectMetadataList") if version => {
                return Ok(Form::Partial);
            }
            Some(_) => {}
        }
    }
    Err(ApiError::not_acceptable(&[
        "application/json",
        "application/yaml",
    ]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_clause_that_can_be_served_wins() {
        let table = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";
        assert_eq!(negotiate(table).expect("served"), Form::Table);
        let old = "application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json";
        assert_eq!(negotiate(old).expect("served"), Form::Plain);
        let typed = "application/vnd.kubernetes.protobuf,application/json";
        assert_eq!(negotiate(typed).expect("served"), Form::Plain);
        let proto = negotiate("application/vnd.kubernetes.protobuf");
        assert_eq!(proto.expect_err("refused").code, 406);
    }
}
