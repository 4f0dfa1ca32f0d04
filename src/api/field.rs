//! A field of which nobody promised the type.
//!
//! [`Field`] takes whatever JSON stands in its place: what fits is kept, what does not is noted
//! by its shape, and parsing goes on behind it. So one mistyped field never costs an object.

use chrono::{DateTime, Utc};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

/// What stood in the place of a field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Field<T> {
    /// Nothing, or `null`.
    #[default]
    Absent,
    Is(T),
    /// Something of another type: `a list`, `text`.
    Wrong(&'static str),
}

impl<T> Field<T> {
    /// Returns the value, when it is there and of its type.
    pub fn value(self) -> Option<T> {
        match self {
            Self::Is(value) => Some(value),
            Self::Absent | Self::Wrong(_) => None,
        }
    }

    /// Returns the value by reference, when it is there and of its type.
    pub fn as_ref(&self) -> Option<&T> {
        match self {
            Self::Is(value) => Some(value),
            Self::Absent | Self::Wrong(_) => None,
        }
    }
}

/// What a [`Field`] can be made of. Every method defaults to "not this type".
pub trait Shape<'de>: Sized {
    /// What was expected, for findings: `text`, `a list`.
    const EXPECTED: &'static str;

    fn from_bool(_value: bool) -> Option<Self> {
        None
    }
    fn from_integer(_value: i64) -> Option<Self> {
        None
    }
    fn from_borrowed(text: &'de str) -> Option<Self> {
        Self::from_text(text)
    }
    fn from_text(_text: &str) -> Option<Self> {
        None
    }
    fn from_list<A: SeqAccess<'de>>(mut list: A) -> Result<Option<Self>, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }
    fn from_map<A: MapAccess<'de>>(mut map: A) -> Result<Option<Self>, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(None)
    }
}

struct FieldVisitor<T>(PhantomData<T>);

fn judged<T>(read: Option<T>, shape: &'static str) -> Field<T> {
    read.map_or(Field::Wrong(shape), Field::Is)
}

impl<'de, T: Shape<'de>> Visitor<'de> for FieldVisitor<T> {
    type Value = Field<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTED)
    }
    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Field::Absent)
    }
    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(judged(T::from_bool(value), "a boolean"))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(judged(T::from_integer(value), "a number"))
    }
    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        let value = i64::try_from(value).unwrap_or(i64::MAX);
        Ok(judged(T::from_integer(value), "a number"))
    }
    fn visit_f64<E>(self, _value: f64) -> Result<Self::Value, E> {
        Ok(Field::Wrong("a fraction"))
    }
    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(judged(T::from_borrowed(text), "text"))
    }
    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(judged(T::from_text(text), "text"))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
        Ok(judged(T::from_list(list)?, "a list"))
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        Ok(judged(T::from_map(map)?, "an object"))
    }
}

impl<'de, T: Shape<'de>> Deserialize<'de> for Field<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FieldVisitor(PhantomData))
    }
}

/// Text, borrowed from the input unless it holds escapes.
pub type Str<'de> = Cow<'de, str>;

impl<'de: 'a, 'a> Shape<'de> for Str<'a> {
    const EXPECTED: &'static str = "text";
    fn from_borrowed(text: &'de str) -> Option<Self> {
        Some(Cow::Borrowed(text))
    }
    fn from_text(text: &str) -> Option<Self> {
        Some(Cow::Owned(text.to_owned()))
    }
}

impl Shape<'_> for bool {
    const EXPECTED: &'static str = "a boolean";
    fn from_bool(value: bool) -> Option<Self> {
        Some(value)
    }
}

impl Shape<'_> for i64 {
    const EXPECTED: &'static str = "a whole number";
    fn from_integer(value: i64) -> Option<Self> {
        Some(value)
    }
}

impl Shape<'_> for DateTime<Utc> {
    const EXPECTED: &'static str = "a time such as 2026-01-31T12:00:00Z";
    fn from_text(text: &str) -> Option<Self> {
        let time = DateTime::parse_from_rfc3339(text).ok()?;
        Some(time.with_timezone(&Utc))
    }
}

impl<'de, T: Shape<'de>> Shape<'de> for Vec<Field<T>> {
    const EXPECTED: &'static str = "a list";
    fn from_list<A: SeqAccess<'de>>(mut list: A) -> Result<Option<Self>, A::Error> {
        let mut items = Self::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(Some(items))
    }
}

/// An object of which every member is wanted: labels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Members<'de>(pub Vec<(Str<'de>, Field<Str<'de>>)>);

impl<'de: 'a, 'a> Shape<'de> for Members<'a> {
    const EXPECTED: &'static str = "an object";
    fn from_map<A: MapAccess<'de>>(mut map: A) -> Result<Option<Self>, A::Error> {
        let mut members = Vec::with_capacity(map.size_hint().unwrap_or(4));
        while let Some((Key(key), value)) = map.next_entry::<Key<'a>, _>()? {
            members.push((key, value));
        }
        Ok(Some(Self(members)))
    }
}

struct Key<'de>(Str<'de>);

impl<'de: 'a, 'a> Deserialize<'de> for Key<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;
        impl<'de> Visitor<'de> for KeyVisitor {
            type Value = Key<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(KeyVisitor)
    }
}

/// Reads a map into a struct whose fields all are lenient.
pub fn struct_from_map<'de, T, A>(map: A) -> Result<Option<T>, A::Error>
where
    T: Deserialize<'de>,
    A: MapAccess<'de>,
{
    T::deserialize(MapAccessDeserializer::new(map)).map(Some)
}

/// Lets structs of lenient fields stand in a [`Field`].
macro_rules! object_shapes {
    ($($name:ident),+ $(,)?) => {$(
        impl<'de: 'a, 'a> $crate::api::field::Shape<'de> for $name<'a> {
            const EXPECTED: &'static str = "an object";
            fn from_map<A: serde::de::MapAccess<'de>>(map: A) -> Result<Option<Self>, A::Error> {
                $crate::api::field::struct_from_map(map)
            }
        }
    )+};
}
pub(crate) use object_shapes;

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize, Debug, Default)]
    #[serde(default)]
    struct Sample<'a> {
        #[serde(borrow)]
        name: Field<Str<'a>>,
        count: Field<i64>,
        list: Field<Vec<Field<i64>>>,
        at: Field<DateTime<Utc>>,
        last: Field<bool>,
    }

    #[test]
    fn wrong_types_are_noted_and_reading_goes_on_behind_them() {
        let json = r#"{"name":{"deep":[1,{"x":null}]},"count":"7","list":[1,"two",[3]],
            "at":"yesterday","last":true,"unknown":[[]]}"#;

        let sample: Sample<'_> = serde_json::from_str(json).expect("it is JSON");

        assert_eq!(sample.name, Field::Wrong("an object"));
        assert_eq!(sample.count, Field::Wrong("text"));
        let list = sample.list.value().expect("a list is a list");
        assert_eq!(
            list,
            [Field::Is(1), Field::Wrong("text"), Field::Wrong("a list")]
        );
        assert_eq!(sample.at, Field::Wrong("text"));
        assert_eq!(sample.last, Field::Is(true));
    }

    #[test]
    fn text_is_borrowed_unless_it_holds_escapes() {
        let plain: Sample<'_> = serde_json::from_str(r#"{"name":"a"}"#).expect("it is JSON");
        let escaped: Sample<'_> = serde_json::from_str(r#"{"name":"\n"}"#).expect("it is JSON");

        assert!(matches!(plain.name, Field::Is(Cow::Borrowed("a"))));
        assert!(matches!(escaped.name, Field::Is(Cow::Owned(_))));
    }
}
