//! The token of the next page, read before the rest of a page.
//!
//! Servers write a list's metadata before its items, so that the next page can travel while
//! this one is read. A server that does not is asked a little later.

use crate::api::meta::ListMetaWire;

/// How far into a page the metadata is looked for.
const LOOK: usize = 2_048;

/// Returns the token of the page after this one; `None` after the last page, and when the
/// metadata does not come first.
pub(super) fn continue_token_of(body: &[u8]) -> Option<String> {
    const NAME: &[u8] = b"\"metadata\":";
    let head = body.get(..LOOK).unwrap_or(body);
    let at = position(head, NAME)?;
    let earlier = head.get(..at)?;
    let comes_first = position(earlier, b"\"items\"").or(position(earlier, b"\"rows\""));
    if comes_first.is_some() {
        return None;
    }
    let rest = body.get(at + NAME.len()..)?;
    let mut values = serde_json::Deserializer::from_slice(rest).into_iter::<ListMetaWire<'_>>();
    let token = values.next()?.ok()?.continue_token.value()?;
    (!token.is_empty()).then(|| token.into_owned())
}

fn position(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len())
        .position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(body: &str) -> Option<String> {
        continue_token_of(body.as_bytes())
    }

    #[test]
    fn the_token_is_known_when_only_the_head_of_a_page_is_there() {
        let head =
            r#"{"kind":"PodList","metadata":{"resourceVersion":"7","continue":"abc"},"items":[{"#;
        assert_eq!(token(head).as_deref(), Some("abc"));
        let table = r#"{"kind":"Table","metadata": {"continue":"x\u0041"},"rows":[]}"#;
        assert_eq!(token(table).as_deref(), Some("xA"));
    }

    #[test]
    fn last_pages_and_other_orders_have_no_token() {
        for body in [
            r#"{"kind":"PodList","metadata":{"resourceVersion":"7"},"items":[]}"#,
            r#"{"kind":"PodList","metadata":{"continue":""},"items":[]}"#,
            r#"{"items":[{"metadata":{"continue":"of an object"}}],"metadata":{"continue":"abc"}}"#,
            r#"{"kind":"PodList"}"#,
            r#"{"metadata":[1"#,
            "",
        ] {
            assert_eq!(token(body), None, "{body}");
        }
    }
}
