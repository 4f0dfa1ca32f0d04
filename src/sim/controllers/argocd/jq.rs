//! The path expressions of jq that people write into `ignoreDifferences`.
//!
//! Members, indexes, `[]`, `?`, pipes and `select(…)` with comparisons. Everything else is refused
//! with a clear message instead of being taken for something it is not.

use serde_json::Value;

/// A parsed path expression.
#[derive(Clone, Debug, PartialEq)]
pub struct Path(Vec<Step>);

#[derive(Clone, Debug, PartialEq)]
enum Step {
    Member(String),
    Index(i64),
    Each,
    Select(Test),
}

#[derive(Clone, Debug, PartialEq)]
enum Test {
    Equals(Path, Value),
    Differs(Path, Value),
    StartsWith(Path, String),
    EndsWith(Path, String),
    Contains(Path, String),
    Truthy(Path),
    Both(Box<Self>, Box<Self>),
    Either(Box<Self>, Box<Self>),
    Not(Box<Self>),
}

impl Path {
    /// Parses an expression; the error quotes it and says what is not understood.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut reader = Reader { rest: text.trim() };
        let path = reader
            .pipeline()
            .map_err(|reason| format!("jq path expression `{text}` is not understood: {reason}"))?;
        if reader.rest.is_empty() {
            Ok(path)
        } else {
            Err(format!(
                "jq path expression `{text}` is not understood from `{}` on",
                reader.rest
            ))
        }
    }

    /// Removes everything the expression points at.
    pub fn delete(&self, value: &mut Value) {
        delete(&self.0, value);
    }

    fn values<'a>(&self, value: &'a Value) -> Vec<&'a Value> {
        walk(&self.0, value)
    }
}

/// Returns whether the node itself is to be removed by its parent.
fn delete(steps: &[Step], value: &mut Value) -> bool {
    let Some((step, rest)) = steps.split_first() else {
        return true;
    };
    match step {
        Step::Member(name) => {
            let gone = value
                .get_mut(name)
                .is_some_and(|member| delete(rest, member));
            if gone && let Some(map) = value.as_object_mut() {
                map.remove(name);
            }
        }
        Step::Index(index) => {
            if let Some(list) = value.as_array_mut() {
                let place = place(*index, list.len());
                if place
                    .and_then(|at| list.get_mut(at))
                    .is_some_and(|item| delete(rest, item))
                    && let Some(at) = place
                {
                    list.remove(at);
                }
            }
        }
        Step::Each => {
            if let Some(list) = value.as_array_mut() {
                list.retain_mut(|item| !delete(rest, item));
            } else if let Some(map) = value.as_object_mut() {
                map.retain(|_, member| !delete(rest, member));
            }
        }
        Step::Select(test) => return test.holds(value) && delete(rest, value),
    }
    false
}

fn place(index: i64, length: usize) -> Option<usize> {
    let length = i64::try_from(length).ok()?;
    let at = if index < 0 { length + index } else { index };
    usize::try_from(at).ok().filter(|_| at < length)
}

fn walk<'a>(steps: &[Step], value: &'a Value) -> Vec<&'a Value> {
    let Some((step, rest)) = steps.split_first() else {
        return vec![value];
    };
    match step {
        Step::Member(name) => value
            .get(name)
            .map_or_else(Vec::new, |member| walk(rest, member)),
        Step::Index(index) => value
            .as_array()
            .and_then(|list| list.get(place(*index, list.len())?))
            .map_or_else(Vec::new, |item| walk(rest, item)),
        Step::Each => match value.as_array() {
            Some(list) => list.iter().flat_map(|item| walk(rest, item)).collect(),
            None => value
                .as_object()
                .into_iter()
                .flat_map(|map| map.values())
                .flat_map(|member| walk(rest, member))
                .collect(),
        },
        Step::Select(test) if test.holds(value) => walk(rest, value),
        Step::Select(_) => Vec::new(),
    }
}

impl Test {
    fn holds(&self, value: &Value) -> bool {
        let text_holds = |path: &Path, rule: &dyn Fn(&str) -> bool| {
            path.values(value)
                .into_iter()
                .filter_map(Value::as_str)
                .any(rule)
        };
        match self {
            Self::Equals(path, wanted) => first(path, value) == *wanted,
            Self::Differs(path, wanted) => first(path, value) != *wanted,
            Self::StartsWith(path, text) => text_holds(path, &|found| found.starts_with(text)),
            Self::EndsWith(path, text) => text_holds(path, &|found| found.ends_with(text)),
            Self::Contains(path, text) => text_holds(path, &|found| found.contains(text)),
            Self::Truthy(path) => {
                let found = first(path, value);
                !found.is_null() && found != Value::Bool(false)
            }
            Self::Both(one, other) => one.holds(value) && other.holds(value),
            Self::Either(one, other) => one.holds(value) || other.holds(value),
            Self::Not(test) => !test.holds(value),
        }
    }
}

/// The first value of a path, or null, as jq has it for an absent member.
fn first(path: &Path, value: &Value) -> Value {
    path.values(value)
        .first()
        .map_or(Value::Null, |found| (*found).clone())
}

struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn take(&mut self, token: &str) -> bool {
        let trimmed = self.rest.trim_start();
        match trimmed.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, token: &str) -> Result<(), String> {
        if self.take(token) {
            Ok(())
        } else {
            Err(format!("`{token}` is missing before `{}`", self.rest))
        }
    }

    fn pipeline(&mut self) -> Result<Path, String> {
        let mut steps = Vec::new();
        loop {
            self.term(&mut steps)?;
            if !self.take("|") {
                self.rest = self.rest.trim();
                return Ok(Path(steps));
            }
        }
    }

    fn term(&mut self, steps: &mut Vec<Step>) -> Result<(), String> {
        if self.take("select(") {
            let test = self.either()?;
            self.expect(")")?;
            steps.push(Step::Select(test));
            return self.suffixes(steps);
        }
        self.expect(".")?;
        self.member(steps)?;
        self.suffixes(steps)
    }

    /// A name after a dot; a dot alone is the value itself.
    fn member(&mut self, steps: &mut Vec<Step>) -> Result<(), String> {
        if self.rest.starts_with('"') {
            let name = self.string()?;
            steps.push(Step::Member(name));
            return Ok(());
        }
        let name = self.word();
        if !name.is_empty() {
            steps.push(Step::Member(name.to_owned()));
        }
        Ok(())
    }

    fn suffixes(&mut self, steps: &mut Vec<Step>) -> Result<(), String> {
        loop {
            if let Some(rest) = self.rest.strip_prefix('?') {
                self.rest = rest;
            } else if let Some(rest) = self.rest.strip_prefix('[') {
                self.rest = rest;
                self.bracket(steps)?;
            } else if let Some(rest) = self.rest.strip_prefix('.') {
                self.rest = rest;
                let before = steps.len();
                self.member(steps)?;
                if steps.len() == before && !self.rest.starts_with('[') {
                    return Err("a name is missing after `.`".to_owned());
                }
            } else {
                return Ok(());
            }
        }
    }

    fn bracket(&mut self, steps: &mut Vec<Step>) -> Result<(), String> {
        if self.take("]") {
            steps.push(Step::Each);
            return Ok(());
        }
        if self.rest.trim_start().starts_with('"') {
            self.rest = self.rest.trim_start();
            let name = self.string()?;
            steps.push(Step::Member(name));
        } else {
            let end = self.rest.find(']').ok_or("`]` is missing")?;
            let (index, rest) = self.rest.split_at(end);
            let index = index
                .trim()
                .parse()
                .map_err(|_error| format!("`{index}` is no index"))?;
            steps.push(Step::Index(index));
            self.rest = rest;
        }
        self.expect("]")
    }

    fn word(&mut self) -> &'a str {
        let end = self
            .rest
            .find(|c: char| !c.is_alphanumeric() && c != '_')
            .unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word
    }

    fn string(&mut self) -> Result<String, String> {
        let mut stream = serde_json::Deserializer::from_str(self.rest).into_iter::<String>();
        let text = stream
            .next()
            .and_then(Result::ok)
            .ok_or_else(|| format!("`{}` is no string", self.rest))?;
        let used = stream.byte_offset();
        self.rest = self.rest.split_at(used).1;
        Ok(text)
    }

    fn either(&mut self) -> Result<Test, String> {
        let mut test = self.both()?;
        while self.take("or ") {
            test = Test::Either(Box::new(test), Box::new(self.both()?));
        }
        Ok(test)
    }

    fn both(&mut self) -> Result<Test, String> {
        let mut test = self.comparison()?;
        while self.take("and ") {
            test = Test::Both(Box::new(test), Box::new(self.comparison()?));
        }
        Ok(test)
    }

    fn comparison(&mut self) -> Result<Test, String> {
        if self.take("(") {
            let test = self.either()?;
            self.expect(")")?;
            return Ok(self.negated(test));
        }
        let mut steps = Vec::new();
        self.term(&mut steps)?;
        let path = Path(steps);
        let test = if self.take("==") {
            Test::Equals(path, self.literal()?)
        } else if self.take("!=") {
            Test::Differs(path, self.literal()?)
        } else if let Some(make) = self.function() {
            self.rest = self.rest.trim_start();
            let text = self.string()?;
            self.expect(")")?;
            make(path, text)
        } else {
            Test::Truthy(path)
        };
        Ok(self.negated(test))
    }

    fn function(&mut self) -> Option<fn(Path, String) -> Test> {
        let before = self.rest;
        if self.take("|") {
            if self.take("startswith(") {
                return Some(Test::StartsWith);
            }
            if self.take("endswith(") {
                return Some(Test::EndsWith);
            }
            if self.take("contains(") {
                return Some(Test::Contains);
            }
        }
        self.rest = before;
        None
    }

    fn negated(&mut self, test: Test) -> Test {
        let before = self.rest;
        if self.take("|") && self.take("not") {
            return Test::Not(Box::new(test));
        }
        self.rest = before;
        test
    }

    fn literal(&mut self) -> Result<Value, String> {
        let text = self.rest.trim_start();
        let mut stream = serde_json::Deserializer::from_str(text).into_iter::<Value>();
        let value = stream.next().and_then(Result::ok);
        let value = value.ok_or_else(|| format!("`{text}` is no literal"))?;
        let used = stream.byte_offset();
        self.rest = text.split_at(used).1;
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn after(expression: &str, mut value: Value) -> Value {
        Path::parse(expression)
            .expect(expression)
            .delete(&mut value);
        value
    }

    #[test]
    fn common_paths_delete_what_they_name() {
        let value = || json!({"spec": {"list": [{"name": "a", "v": 1}, {"name": "b", "v": 2}], "x-y": 3, "n": {"k": 1}}});
        let cases = [
            (
                ".spec.n.k",
                json!({"spec": {"list": [{"name": "a", "v": 1}, {"name": "b", "v": 2}], "x-y": 3, "n": {}}}),
            ),
            (
                ".spec.list[0]",
                json!({"spec": {"list": [{"name": "b", "v": 2}], "x-y": 3, "n": {"k": 1}}}),
            ),
            (
                ".spec.list[-1].v",
                json!({"spec": {"list": [{"name": "a", "v": 1}, {"name": "b"}], "x-y": 3, "n": {"k": 1}}}),
            ),
            (
                ".spec.list[]?.v",
                json!({"spec": {"list": [{"name": "a"}, {"name": "b"}], "x-y": 3, "n": {"k": 1}}}),
            ),
            (
                ".spec[\"x-y\"]",
                json!({"spec": {"list": [{"name": "a", "v": 1}, {"name": "b", "v": 2}], "n": {"k": 1}}}),
            ),
            (
                ".spec.\"x-y\"",
                json!({"spec": {"list": [{"name": "a", "v": 1}, {"name": "b", "v": 2}], "n": {"k": 1}}}),
            ),
            (
                ".spec.list[] | select(.name == \"b\")",
                json!({"spec": {"list": [{"name": "a", "v": 1}], "x-y": 3, "n": {"k": 1}}}),
            ),
            (
                ".spec.list[] | select(.name == \"b\") | .v",
                json!({"spec": {"list": [{"name": "a", "v": 1}, {"name": "b"}], "x-y": 3, "n": {"k": 1}}}),
            ),
            (
                ".spec.list[] | select(.v != 1 and .name == \"b\").v",
                json!({"spec": {"list": [{"name": "a", "v": 1}, {"name": "b"}], "x-y": 3, "n": {"k": 1}}}),
            ),
            (
                ".spec.list[] | select(.name | startswith(\"a\"))",
                json!({"spec": {"list": [{"name": "b", "v": 2}], "x-y": 3, "n": {"k": 1}}}),
            ),
            (".spec.absent.deeper[]", value()),
        ];
        for (expression, expected) in cases {
            assert_eq!(after(expression, value()), expected, "{expression}");
        }
    }

    #[test]
    fn what_is_not_understood_is_refused_and_quoted() {
        for expression in [
            "map(.x)",
            ".a | keys",
            ".a[",
            ".a[x]",
            ".a +1",
            ".a..b",
            "select(.a == )",
            ".a | select(.b | test(\"x\"))",
        ] {
            let error = Path::parse(expression).expect_err(expression);
            assert!(error.contains(expression), "{error}");
        }
    }
}
