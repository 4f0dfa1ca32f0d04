//! Texts with `{{ .Input.… }}`: the part of Go's templates, with sprig's functions, that triggers use.
//! Pure.
//!
//! Pipelines of paths, texts, numbers and functions. Loops and branches are refused, with a
//! sentence that says so.

use super::path;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use regex::Regex;
use serde_json::Value;

/// Fills a template in; `.Input` is the given value.
pub(super) fn fill(template: &str, input: &Value) -> Result<String, String> {
    let mut filled = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        let (action, tail) = after
            .split_once("}}")
            .ok_or_else(|| format!("`{template}`: an action does not end"))?;
        let (action, before) = match action.strip_prefix("- ") {
            Some(action) => (action, before.trim_end()),
            None => (action, before),
        };
        filled.push_str(before);
        let (action, tail) = match action.strip_suffix(" -") {
            Some(action) => (action, tail.trim_start()),
            None => (action, tail),
        };
        let value = pipeline(action.trim(), input);
        let value = value.map_err(|why| format!("`{{{{{action}}}}}`: {why}"))?;
        filled.push_str(&said(value.as_ref()));
        rest = tail;
    }
    filled.push_str(rest);
    Ok(filled)
}

/// Go prints a missing value so.
fn said(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "<no value>".to_owned(),
        Some(value) => path::text(value),
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Word {
    Text(String),
    Plain(String),
    Group(String),
}

/// Splits into words; quotes and parentheses hold together.
fn words(text: &str) -> Result<Vec<Word>, String> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let inner = rest.strip_prefix(first).unwrap_or_default();
        match first {
            '"' | '`' | '\'' => {
                let end = end_of_text(inner, first).ok_or("a text does not end")?;
                let (word, after) = inner.split_at_checked(end).unwrap_or((inner, ""));
                let word = if first == '"' {
                    word.replace("\\\"", "\"").replace("\\n", "\n")
                } else {
                    word.to_owned()
                };
                words.push(Word::Text(word));
                rest = after.strip_prefix(first).unwrap_or(after);
            }
            '(' => {
                let end = end_of_group(inner).ok_or("a `)` is missing")?;
                let (group, after) = inner.split_at_checked(end).unwrap_or((inner, ""));
                words.push(Word::Group(group.to_owned()));
                rest = after.strip_prefix(')').unwrap_or(after);
            }
            '|' => {
                words.push(Word::Plain("|".to_owned()));
                rest = inner;
            }
            _ => {
                let end = rest
                    .find(|letter: char| letter.is_whitespace() || "|()".contains(letter))
                    .unwrap_or(rest.len());
                let (word, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
                if word.is_empty() {
                    return Err(format!("`{first}` is not expected"));
                }
                words.push(Word::Plain(word.to_owned()));
                rest = after;
            }
        }
        rest = rest.trim_start();
    }
    Ok(words)
}

fn end_of_text(text: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    for (place, letter) in text.char_indices() {
        if letter == quote && !escaped {
            return Some(place);
        }
        escaped = letter == '\\' && quote == '"' && !escaped;
    }
    None
}

fn end_of_group(text: &str) -> Option<usize> {
    let (mut depth, mut quote) = (0_u32, None);
    for (place, letter) in text.char_indices() {
        match (letter, quote) {
            (letter, Some(open)) if letter == open => quote = None,
            ('"' | '`', None) => quote = Some(letter),
            ('(', None) => depth += 1,
            (')', None) if depth == 0 => return Some(place),
            (')', None) => depth -= 1,
            _ => {}
        }
    }
    None
}

fn pipeline(text: &str, input: &Value) -> Result<Option<Value>, String> {
    let words = words(text)?;
    let mut piped: Option<Option<Value>> = None;
    for command in words.split(|word| *word == Word::Plain("|".to_owned())) {
        piped = Some(run(command, piped, input)?);
    }
    piped.ok_or_else(|| "it is empty".to_owned())
}

#[allow(clippy::option_option, reason = "what is piped may be nothing")]
fn run(
    command: &[Word],
    piped: Option<Option<Value>>,
    input: &Value,
) -> Result<Option<Value>, String> {
    let Some((first, rest)) = command.split_first() else {
        return Err("a command is missing".to_owned());
    };
    if let Word::Plain(name) = first
        && name.starts_with(|letter: char| letter.is_ascii_alphabetic())
        && !["true", "false", "nil"].contains(&name.as_str())
    {
        let mut arguments = Vec::new();
        for word in rest {
            arguments.push(operand(word, input)?);
        }
        arguments.extend(piped);
        return call(name, &arguments);
    }
    if !rest.is_empty() || piped.is_some() {
        return Err("a value takes no arguments".to_owned());
    }
    operand(first, input)
}

fn operand(word: &Word, input: &Value) -> Result<Option<Value>, String> {
    match word {
        Word::Text(text) => Ok(Some(text.as_str().into())),
        Word::Group(inner) => pipeline(inner, input),
        Word::Plain(word) => match word.as_str() {
            "true" => Ok(Some(true.into())),
            "false" => Ok(Some(false.into())),
            "nil" => Ok(None),
            "." | "$" => Ok(Some(serde_json::json!({"Input": input}))),
            ".Input" | "$.Input" => Ok(Some(input.clone())),
            word => {
                let below = word.trim_start_matches('$').strip_prefix(".Input.");
                if let Some(below) = below {
                    return Ok(path::get(input, below));
                }
                if let Ok(number) = word.parse::<i64>() {
                    return Ok(Some(number.into()));
                }
                let number: f64 = word
                    .parse()
                    .map_err(|_not_a_number| format!("`{word}` is not known"))?;
                Ok(Some(number.into()))
            }
        },
    }
}

type Arguments<'a> = &'a [Option<Value>];

fn call(name: &str, arguments: Arguments<'_>) -> Result<Option<Value>, String> {
    if ["if", "range", "with", "define", "end", "else", "template"].contains(&name) {
        return Err(format!(
            "`{name}` is not carried out here; only values and functions are"
        ));
    }
    if let Some(value) = of_lists(name, arguments) {
        return Ok(value);
    }
    let texts: Vec<String> = arguments.iter().map(|one| said(one.as_ref())).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    of_texts(name, &texts).map(|text| Some(text.into()))
}

/// Functions that look at more than texts; none when it is not one of them.
#[allow(clippy::option_option, reason = "what is found may be nothing")]
fn of_lists(name: &str, arguments: Arguments<'_>) -> Option<Option<Value>> {
    let list = |value: &Option<Value>| value.as_ref().and_then(|one| one.as_array().cloned());
    Some(match (name, arguments) {
        ("default", [otherwise, value]) => match value {
            None | Some(Value::Null) => otherwise.clone(),
            Some(value) if path::text(value).is_empty() => otherwise.clone(),
            Some(value) => Some(value.clone()),
        },
        ("index", [Some(value), keys @ ..]) => {
            let mut found = Some(value.clone());
            for key in keys {
                let key = said(key.as_ref());
                found = found.and_then(|value| match &value {
                    Value::Object(map) => map.get(&key).cloned(),
                    Value::Array(items) => items.get(key.parse::<usize>().ok()?).cloned(),
                    Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
                });
            }
            found
        }
        ("first", [value]) => list(value).and_then(|items| items.first().cloned()),
        ("last", [value]) => list(value).and_then(|items| items.last().cloned()),
        ("join", [separator, value]) => {
            let items = list(value).unwrap_or_default();
            let texts: Vec<String> = items.iter().map(path::text).collect();
            Some(texts.join(&said(separator.as_ref())).into())
        }
        ("splitList", [Some(separator), Some(value)]) => {
            let value = path::text(value);
            let separator = path::text(separator);
            let parts = value.split(&separator);
            Some(parts.map(Value::from).collect())
        }
        ("toJson", [value]) => {
            let value = value.clone().unwrap_or_default();
            Some(value.to_string().into())
        }
        ("len", [Some(value)]) => Some(match value {
            Value::Array(items) => items.len().into(),
            Value::Object(map) => map.len().into(),
            Value::String(text) => text.len().into(),
            Value::Null | Value::Bool(_) | Value::Number(_) => 0.into(),
        }),
        _ => return None,
    })
}

fn of_texts(name: &str, texts: &[&str]) -> Result<String, String> {
    let number = |text: &str| {
        let number = text.parse::<usize>();
        number.map_err(|_not_a_number| format!("`{text}` is not a number"))
    };
    Ok(match (name, texts) {
        ("lower", [text]) => text.to_lowercase(),
        ("upper", [text]) => text.to_uppercase(),
        ("trim", [text]) => text.trim().to_owned(),
        ("nospace", [text]) => text.split_whitespace().collect(),
        ("quote", [text]) => Value::from(*text).to_string(),
        ("squote", [text]) => format!("'{text}'"),
        ("print" | "toString", [text]) => (*text).to_owned(),
        ("trimAll", [letters, text]) => {
            let letters: Vec<char> = letters.chars().collect();
            text.trim_matches(letters.as_slice()).to_owned()
        }
        ("trimPrefix", [prefix, text]) => text.strip_prefix(prefix).unwrap_or(text).to_owned(),
        ("trimSuffix", [suffix, text]) => text.strip_suffix(suffix).unwrap_or(text).to_owned(),
        ("replace", [old, new, text]) => text.replace(old, new),
        ("trunc", [count, text]) => text.chars().take(number(count)?).collect(),
        ("substr", [start, end, text]) => {
            let (start, end) = (number(start)?, number(end)?);
            let letters = text.chars().skip(start);
            letters.take(end.saturating_sub(start)).collect()
        }
        ("b64enc", [text]) => STANDARD.encode(text),
        ("b64dec", [text]) => {
            let bytes = STANDARD.decode(text).map_err(|error| error.to_string())?;
            String::from_utf8_lossy(&bytes).into_owned()
        }
        ("regexReplaceAll", [pattern, text, new]) => {
            let pattern = Regex::new(pattern).map_err(|error| error.to_string())?;
            pattern.replace_all(text, *new).into_owned()
        }
        ("printf", [format, values @ ..]) => print(format, values),
        (name, _) => {
            return Err(format!(
                "there is no function `{name}` here for {} arguments",
                texts.len()
            ));
        }
    })
}

fn print(format: &str, values: &[&str]) -> String {
    let mut text = String::new();
    let mut values = values.iter();
    let mut letters = format.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '%' => match letters.next() {
                Some('%') | None => text.push('%'),
                Some(_) => text.push_str(values.next().copied().unwrap_or("%!(MISSING)")),
            },
            letter => text.push(letter),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn paths_functions_and_pipes_are_filled_in() {
        let input = json!({"body": {"after": "0123456789abcdef", "ref": "refs/heads/main", "list": ["a", "b"], "n": 3}});
        let is = |template: &str| fill(template, &input);
        let good = |template: &str, wanted: &str| assert_eq!(is(template), Ok(wanted.to_owned()));

        good("x-{{ .Input.body.after | substr 0 7 }}-y", "x-0123456-y");
        good("{{ trimPrefix \"refs/heads/\" .Input.body.ref }}", "main");
        good("{{ .Input.body.none | default \"z\" | upper }}", "Z");
        good("{{ index .Input.body.list 1 }}{{ .Input.body.n }}", "b3");
        good(
            "{{ printf \"%s:%s\" (.Input.body.ref | replace \"/\" \"_\") \"x\" }}",
            "refs_heads_main:x",
        );
        good("{{ .Input.body.none }}", "<no value>");
        good("{{ join \",\" .Input.body.list | b64enc | b64dec }}", "a,b");
        assert!(is("{{ if .Input.body }}x{{ end }}").is_err());
        assert!(is("{{ nonsense .Input.body }}").is_err());
        assert!(is("{{ .Input.body").is_err());
    }
}
