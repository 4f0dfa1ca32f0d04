//! Reads the protobuf bodies that typed clients send (`kubectl create`, `kubectl auth`).
//!
//! A body is `k8s\0` and a `runtime.Unknown` with the kind and the object's bytes. `messages` lists
//! the fields of the kinds that such clients create. What is not listed there is refused, never
//! dropped silently: a kind without a table, and a field without an entry that holds anything.
//! Not here: writing protobuf, which no client insists on.

mod autoscaling;
mod messages;
mod networking;
mod pods;

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
    /// A field that is not known here, and is set.
    #[error("field {number} of {path} is not read from protobuf bodies; send JSON")]
    UnknownField {
        /// Kind and path of the message that holds it.
        path: String,
        number: u64,
    },
}

impl ProtobufError {
    /// Adds a step in front of the path of an unknown field.
    fn within(self, step: &str) -> Self {
        match self {
            Self::UnknownField { path, number } if path.is_empty() => Self::UnknownField {
                path: step.to_owned(),
                number,
            },
            Self::UnknownField { path, number } => Self::UnknownField {
                path: format!("{step}.{path}"),
                number,
            },
            Self::Malformed | Self::UnknownKind(_) => self,
        }
    }
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
    let fields = messages::of_kind(&api_version, &kind)
        .ok_or_else(|| ProtobufError::UnknownKind(kind.clone()))?;
    let read = message(raw, fields).map_err(|error| error.within(&kind))?;
    let mut object = Map::new();
    object.insert("apiVersion".to_owned(), api_version.into());
    object.insert("kind".to_owned(), kind.into());
    object.extend(read);
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
            put(&mut object, field, &wire).map_err(|error| error.within(field.1))?;
        } else if is_set(&wire) {
            let path = String::new();
            return Err(ProtobufError::UnknownField { path, number });
        }
    }
    Ok(object)
}

/// Says whether a field holds anything: Go writes its empty strings and structures too, and zeros.
fn is_set(wire: &Wire<'_>) -> bool {
    match wire {
        Wire::Number(value) => *value != 0,
        // What is no message is a text.
        Wire::Bytes(bytes) => Parts(bytes).any(|part| part.map_or(true, |(_, one)| is_set(&one))),
    }
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
        (Shape::Marker(fields), Wire::Bytes(bytes)) => {
            object.insert((*name).to_owned(), message(bytes, fields)?.into());
        }
        (Shape::Messages(fields), Wire::Bytes(bytes)) => {
            push(object, name, message(bytes, fields)?.into());
        }
        (Shape::Inline(fields), Wire::Bytes(bytes)) => object.extend(message(bytes, fields)?),
        (Shape::Quantity, Wire::Bytes(bytes)) => {
            object.insert((*name).to_owned(), quantity(bytes)?.into());
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
        typed("v1", kind, raw)
    }

    fn typed(api_version: &str, kind: &str, raw: &[u8]) -> Vec<u8> {
        let meta = [field(1, api_version.as_bytes()), field(2, kind.as_bytes())].concat();
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
    fn the_rules_of_an_ingress_are_read() {
        let port = [field(1, b""), vec![0x10, 0x50]].concat();
        let service = [field(1, b"web"), field(2, &port)].concat();
        let path = [
            field(1, b"/"),
            field(2, &field(4, &service)),
            field(3, b"Prefix"),
        ]
        .concat();
        let http = field(1, &field(1, &path));
        let rule = [field(1, b"a.example.org"), field(2, &http)].concat();
        let tls = [field(1, b"a.example.org"), field(2, b"cert")].concat();
        let spec = [field(2, &tls), field(3, &rule)].concat();
        let body = typed("networking.k8s.io/v1", "Ingress", &field(2, &spec));

        let object = decode(&body).expect("read");

        assert_eq!(
            object.get("spec"),
            Some(&json!({
                "tls": [{"hosts": ["a.example.org"], "secretName": "cert"}],
                "rules": [{"host": "a.example.org", "http": {"paths": [{
                    "path": "/", "pathType": "Prefix",
                    "backend": {"service": {"name": "web", "port": {"number": 80}}},
                }]}}],
            }))
        );
    }

    #[test]
    fn autoscalers_of_both_versions_are_read() {
        let target = [
            field(1, b"Deployment"),
            field(2, b"web"),
            field(3, b"apps/v1"),
        ]
        .concat();
        let bounds = vec![0x10, 1, 0x18, 4];
        let reference = json!({"kind": "Deployment", "name": "web", "apiVersion": "apps/v1"});
        // A status is always written, with its zeros.
        let status = field(3, &[0x18, 0, 0x20, 0]);

        let spec = [field(1, &target), bounds.clone(), vec![0x20, 80]].concat();
        let raw = [field(2, &spec), status.clone()].concat();
        let first = decode(&typed("autoscaling/v1", "HorizontalPodAutoscaler", &raw));
        let aim = [field(1, b"Utilization"), vec![0x20, 80]].concat();
        let resource = [field(1, b"cpu"), field(2, &aim)].concat();
        let metric = [field(1, b"Resource"), field(4, &resource)].concat();
        let spec = [field(1, &target), bounds, field(4, &metric)].concat();
        let raw = [field(2, &spec), status].concat();
        let second = decode(&typed("autoscaling/v2", "HorizontalPodAutoscaler", &raw));

        assert_eq!(
            first.expect("read").get("spec"),
            Some(&json!({
                "scaleTargetRef": reference, "minReplicas": 1, "maxReplicas": 4,
                "targetCPUUtilizationPercentage": 80,
            }))
        );
        assert_eq!(
            second.expect("read").get("spec"),
            Some(&json!({
                "scaleTargetRef": reference, "minReplicas": 1, "maxReplicas": 4,
                "metrics": [{"type": "Resource", "resource": {
                    "name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80},
                }}],
            }))
        );
    }

    #[test]
    fn a_field_that_is_not_known_is_refused_where_it_is_set() {
        let unset = field(
            2,
            &[field(9, b""), vec![0x50, 0], field(11, &[0x08, 0])].concat(),
        );
        let set = field(2, &[field(1, b"kept"), field(9, b"lost")].concat());

        assert!(decode(&body("Namespace", &unset)).is_ok());
        let refused = decode(&body("Namespace", &set)).expect_err("refused");

        assert_eq!(
            refused.to_string(),
            "field 9 of Namespace.spec is not read from protobuf bodies; send JSON"
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
