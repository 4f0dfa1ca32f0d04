//! Reads the protobuf bodies that typed clients send (`kubectl create`, `kubectl auth`).
//!
//! A body is `k8s\0` and a `runtime.Unknown` with the kind and the object's bytes. `messages` lists
//! the fields of the kinds that such clients create; what is not listed there is answered with
//! 415, never dropped silently at the top: a kind without a table is refused.

mod messages;

use base64::Engine as _;
use messages::{Field, Shape};
use serde_json::{Map, Value, json};

/// The media type.
pub(super) const MEDIA: &str = "application/vnd.kubernetes.protobuf";

/// Why a body cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ProtobufError {
    /// The bytes are no protobuf of Kubernetes.
    #[error("the body is not a Kubernetes protobuf message")]
    Malformed,
    /// A kind whose fields are not known here.
    #[error("protobuf bodies of kind {0} are not read; send JSON")]
    UnknownKind(String),
}

/// Decodes a body into the object that its JSON form would be.
pub(super) fn decode(bytes: &[u8]) -> Result<Value, ProtobufError> {
    let unknown = bytes
        .strip_prefix(b"k8s\0")
        .ok_or(ProtobufError::Malformed)?;
    let (mut api_version, mut kind, mut raw) = (String::new(), String::new(), &[][..]);
    for part in Parts(unknown) {
        match part? {
            (1, Wire::Bytes(meta)) => {
                for part in Parts(meta) {
                    match part? {
                        (1, Wire::Bytes(text)) => api_version = utf8(text),
                        (2, Wire::Bytes(text)) => kind = utf8(text),
                        (_, _) => {}
                    }
                }
            }
            (2, Wire::Bytes(bytes)) => raw = bytes,
            (_, _) => {}
        }
    }
    let fields =
        messages::of_kind(&kind).ok_or_else(|| ProtobufError::UnknownKind(kind.clone()))?;
    let mut object = Map::new();
    object.insert("apiVersion".to_owned(), api_version.into());
    object.insert("kind".to_owned(), kind.into());
    object.extend(message(raw, fields)?);
    Ok(Value::Object(object))
}

fn utf8(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

enum Wire<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// The fields of a message, one after the other.
struct Parts<'a>(&'a [u8]);

impl<'a> Parts<'a> {
    fn number(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let (first, rest) = self.0.split_first()?;
            self.0 = rest;
            value |= u64::from(first & 0x7f) << shift;
            if first & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn part(&mut self) -> Option<(u64, Wire<'a>)> {
        let tag = self.number()?;
        let wire = match tag & 7 {
            0 => Wire::Number(self.number()?),
            1 => Wire::Bytes(self.take(8)?),
            2 => {
                let length = usize::try_from(self.number()?).ok()?;
                Wire::Bytes(self.take(length)?)
            }
            5 => Wire::Bytes(self.take(4)?),
            _ => return None,
        };
        Some((tag >> 3, wire))
    }
}

impl<'a> Iterator for Parts<'a> {
    type Item = Result<(u64, Wire<'a>), ProtobufError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let part = self.part().ok_or(ProtobufError::Malformed);
        if part.is_err() {
            self.0 = &[];
        }
        Some(part)
    }
}

fn message(bytes: &[u8], fields: &[Field]) -> Result<Map<String, Value>, ProtobufError> {
    let mut object = Map::new();
    for part in Parts(bytes) {
        let (number, wire) = part?;
        if let Some(field) = fields.iter().find(|field| field.0 == number) {
            put(&mut object, field, &wire)?;
        }
    }
    Ok(object)
}

fn put(
    object: &mut Map<String, Value>,
    (_, name, shape): &Field,
    wire: &Wire<'_>,
) -> Result<(), ProtobufError> {
    match (shape, wire) {
        (Shape::Int { keep_zero }, Wire::Number(value)) if *keep_zero || *value != 0 => {
            object.insert((*name).to_owned(), value.cast_signed().into());
        }
        (Shape::Bool { keep_false }, Wire::Number(value)) if *keep_false || *value != 0 => {
            object.insert((*name).to_owned(), (*value != 0).into());
        }
        (Shape::Text, Wire::Bytes(text)) if !text.is_empty() => {
            object.insert((*name).to_owned(), utf8(text).into());
        }
        (Shape::Texts, Wire::Bytes(text)) => push(object, name, utf8(text).into()),
        (Shape::Message(fields), Wire::Bytes(bytes)) => {
            let inner = message(bytes, fields)?;
            if !inner.is_empty() {
                object.insert((*name).to_owned(), inner.into());
            }
        }
        (Shape::Messages(fields), Wire::Bytes(bytes)) => {
            push(object, name, message(bytes, fields)?.into());
        }
        (Shape::Map(value), Wire::Bytes(bytes)) => put_entry(object, name, bytes, *value)?,
        (Shape::IntOrText, Wire::Bytes(bytes)) => {
            object.insert((*name).to_owned(), int_or_text(bytes)?);
        }
        (_, _) => {}
    }
    Ok(())
}

fn push(object: &mut Map<String, Value>, name: &str, value: Value) {
    let list = object
        .entry(name)
        .or_insert_with(|| Value::Array(Vec::new()));
    if let Value::Array(list) = list {
        list.push(value);
    }
}

fn put_entry(
    object: &mut Map<String, Value>,
    name: &str,
    bytes: &[u8],
    value: messages::Entry,
) -> Result<(), ProtobufError> {
    let (mut key, mut held) = (String::new(), &[][..]);
    for part in Parts(bytes) {
        match part? {
            (1, Wire::Bytes(text)) => key = utf8(text),
            (2, Wire::Bytes(bytes)) => held = bytes,
            (_, _) => {}
        }
    }
    let value = match value {
        messages::Entry::Text => utf8(held),
        messages::Entry::Base64 => base64::engine::general_purpose::STANDARD.encode(held),
        messages::Entry::Quantity => quantity(held)?,
    };
    let map = object.entry(name).or_insert_with(|| json!({}));
    if let Value::Object(map) = map {
        map.insert(key, value.into());
    }
    Ok(())
}

fn quantity(bytes: &[u8]) -> Result<String, ProtobufError> {
    for part in Parts(bytes) {
        if let (1, Wire::Bytes(text)) = part? {
            return Ok(utf8(text));
        }
    }
    Ok("0".to_owned())
}

fn int_or_text(bytes: &[u8]) -> Result<Value, ProtobufError> {
    let (mut is_text, mut number, mut text) = (false, 0_i64, String::new());
    for part in Parts(bytes) {
        match part? {
            (1, Wire::Number(kind)) => is_text = kind == 1,
            (2, Wire::Number(value)) => number = value.cast_signed(),
            (3, Wire::Bytes(bytes)) => text = utf8(bytes),
            (_, _) => {}
        }
    }
    Ok(if is_text { text.into() } else { number.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
        let mut all = vec![number << 3 | 2, u8::try_from(bytes.len()).expect("short")];
        all.extend_from_slice(bytes);
        all
    }

    fn body(kind: &str, raw: &[u8]) -> Vec<u8> {
        let meta = [field(1, b"v1"), field(2, kind.as_bytes())].concat();
        [b"k8s\0".to_vec(), field(1, &meta), field(2, raw)].concat()
    }

    #[test]
    fn a_config_map_is_read() {
        let metadata = [field(1, b"one"), field(2, b""), field(8, b"")].concat();
        let entry = [field(1, b"key"), field(2, b"value")].concat();
        let raw = [field(1, &metadata), field(2, &entry)].concat();

        let object = decode(&body("ConfigMap", &raw)).expect("read");

        assert_eq!(
            object,
            json!({
                "apiVersion": "v1", "kind": "ConfigMap",
                "metadata": {"name": "one"}, "data": {"key": "value"},
            })
        );
    }

    #[test]
    fn what_is_not_known_is_refused() {
        assert_eq!(decode(b"{}"), Err(ProtobufError::Malformed));
        assert_eq!(
            decode(&body("Gadget", b"")),
            Err(ProtobufError::UnknownKind("Gadget".to_owned()))
        );
        assert_eq!(
            decode(&body("ConfigMap", &[0x0a, 0x7f])),
            Err(ProtobufError::Malformed)
        );
    }
}
