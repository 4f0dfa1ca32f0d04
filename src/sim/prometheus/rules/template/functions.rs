//! The functions of templates (`template/template.go` of Prometheus).

use super::{Item, Template, truth};
use crate::sim::prometheus::matcher::whole;
use crate::sim::prometheus::number::{general, short};
use chrono::DateTime;
use std::cmp::Ordering;

/// Calls a function.
pub(super) fn call(
    name: &str,
    arguments: &[Item],
    template: &Template<'_>,
) -> Result<Item, String> {
    let text = |at: usize| argument(name, arguments, at).map(ToString::to_string);
    let number = |at: usize| number(name, argument(name, arguments, at)?);
    Ok(match name {
        "humanize" => Item::Text(humanize(number(0)?)),
        "humanize1024" => Item::Text(humanize1024(number(0)?)),
        "humanizeDuration" => Item::Text(humanize_duration(number(0)?)),
        "humanizePercentage" => Item::Text(format!("{}%", short(number(0)? * 100.0))),
        "humanizeTimestamp" => Item::Text(humanize_timestamp(number(0)?)),
        "printf" => Item::Text(printf(&text(0)?, arguments.get(1..).unwrap_or_default())?),
        "title" => Item::Text(title(&text(0)?)),
        "toUpper" => Item::Text(text(0)?.to_uppercase()),
        "toLower" => Item::Text(text(0)?.to_lowercase()),
        "stripPort" => {
            let host = text(0)?;
            Item::Text(
                host.rsplit_once(':')
                    .map_or(host.clone(), |(host, _)| host.to_owned()),
            )
        }
        "reReplaceAll" => {
            let regex = regex::Regex::new(&text(0)?).map_err(|error| error.to_string())?;
            let replacement = text(1)?;
            Item::Text(
                regex
                    .replace_all(&text(2)?, replacement.as_str())
                    .into_owned(),
            )
        }
        "match" => {
            let regex = regex::Regex::new(&text(0)?).map_err(|error| error.to_string())?;
            Item::Truth(regex.is_match(&text(1)?))
        }
        "matchAll" => Item::Truth(whole(&text(0)?)?.is_match(&text(1)?)),
        "externalURL" => Item::Text(template.external_url.to_owned()),
        "pathPrefix" => Item::Text(String::new()),
        "graphLink" | "tableLink" | "safeHtml" | "htmlEscape" | "urlquery" => Item::Text(text(0)?),
        "len" => Item::Number(length(argument(name, arguments, 0)?)),
        "query" | "first" | "value" | "label" | "strvalue" => samples(name, arguments, template)?,
        _ => logic(name, arguments)?,
    })
}

fn argument<'i>(name: &str, arguments: &'i [Item], at: usize) -> Result<&'i Item, String> {
    arguments.get(at).ok_or_else(|| {
        format!(
            "wrong number of args for {name}: want {}, got {}",
            at + 1,
            arguments.len()
        )
    })
}

fn number(name: &str, item: &Item) -> Result<f64, String> {
    match item {
        Item::Number(number) => Ok(*number),
        Item::Text(text) => text
            .parse()
            .map_err(|error| format!("{name}: can't convert {text} to float: {error}")),
        Item::Truth(_) | Item::Samples(_) | Item::Sample(_) => Err(format!("{name}: not a number")),
    }
}

fn length(item: &Item) -> f64 {
    match item {
        Item::Text(text) => text.len() as f64,
        Item::Samples(samples) => samples.len() as f64,
        Item::Number(_) | Item::Truth(_) | Item::Sample(_) => 0.0,
    }
}

/// Functions about the result of a query.
fn samples(name: &str, arguments: &[Item], template: &Template<'_>) -> Result<Item, String> {
    match (name, arguments) {
        ("query", [Item::Text(query)]) => (template.query)(query).map(Item::Samples),
        ("first", [Item::Samples(samples)]) => {
            let first = samples
                .first()
                .ok_or("first() called on vector with no elements")?;
            Ok(Item::Sample(Box::new(first.clone())))
        }
        ("value", [Item::Sample(sample)]) => Ok(Item::Number(sample.1)),
        ("label", [Item::Text(label), Item::Sample(sample)]) => {
            Ok(Item::Text(sample.0.get(label).to_owned()))
        }
        ("strvalue", [Item::Sample(sample)]) => {
            Ok(Item::Text(sample.0.get("__value__").to_owned()))
        }
        _ => Err(format!("wrong type of argument for {name}")),
    }
}

fn logic(name: &str, arguments: &[Item]) -> Result<Item, String> {
    let compared = || -> Result<Option<Ordering>, String> {
        let (left, right) = (argument(name, arguments, 0)?, argument(name, arguments, 1)?);
        Ok(match (left, right) {
            (Item::Text(left), Item::Text(right)) => Some(left.cmp(right)),
            (left, right) => number(name, left)?.partial_cmp(&number(name, right)?),
        })
    };
    let holds = match name {
        "eq" => compared()? == Some(Ordering::Equal),
        "ne" => compared()? != Some(Ordering::Equal),
        "lt" => compared()? == Some(Ordering::Less),
        "gt" => compared()? == Some(Ordering::Greater),
        "le" => matches!(compared()?, Some(Ordering::Less | Ordering::Equal)),
        "ge" => matches!(compared()?, Some(Ordering::Greater | Ordering::Equal)),
        "not" => !truth(argument(name, arguments, 0)?),
        "and" => arguments.iter().all(truth),
        "or" => arguments.iter().any(truth),
        "true" => true,
        "false" => false,
        _ => return Err(format!("function \"{name}\" not defined")),
    };
    Ok(Item::Truth(holds))
}

fn title(text: &str) -> String {
    let mut start = true;
    text.chars()
        .map(|letter| {
            let shown = if start {
                letter.to_ascii_uppercase()
            } else {
                letter
            };
            start = !letter.is_alphanumeric();
            shown
        })
        .collect()
}

fn humanize(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return short(value);
    }
    let (prefixes, factor): (&[&str], f64) = if value.abs() >= 1.0 {
        (&["", "k", "M", "G", "T", "P", "E", "Z", "Y"], 1.0 / 1000.0)
    } else {
        (&["", "m", "u", "n", "p", "f", "a", "z", "y"], 1000.0)
    };
    let mut value = value;
    let mut chosen = "";
    for prefix in prefixes {
        chosen = prefix;
        let fits = if factor < 1.0 {
            value.abs() < 1000.0
        } else {
            value.abs() >= 1.0
        };
        if fits {
            break;
        }
        value *= factor;
    }
    format!("{}{chosen}", short(value))
}

fn humanize1024(value: f64) -> String {
    if value.abs() <= 1.0 || !value.is_finite() {
        return short(value);
    }
    let mut value = value;
    let mut chosen = "";
    for prefix in ["", "ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi"] {
        chosen = prefix;
        if value.abs() < 1024.0 {
            break;
        }
        value /= 1024.0;
    }
    format!("{}{chosen}", short(value))
}

fn humanize_duration(seconds: f64) -> String {
    if !seconds.is_finite() {
        return short(seconds);
    }
    if seconds == 0.0 {
        return "0s".to_owned();
    }
    if seconds.abs() < 1.0 {
        let mut value = seconds;
        let mut chosen = "";
        for prefix in ["m", "u", "n", "p"] {
            value *= 1000.0;
            chosen = prefix;
            if value.abs() >= 1.0 {
                break;
            }
        }
        return format!("{}{chosen}s", short(value));
    }
    let sign = if seconds < 0.0 { "-" } else { "" };
    let whole = seconds.abs() as u64;
    let (days, hours, minutes, rest) = (
        whole / 86_400,
        whole / 3600 % 24,
        whole / 60 % 60,
        whole % 60,
    );
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{sign}{}s", short(seconds.abs())),
        (0, 0, _) => format!("{sign}{minutes}m {rest}s"),
        (0, _, _) => format!("{sign}{hours}h {minutes}m {rest}s"),
        _ => format!("{sign}{days}d {hours}h {minutes}m {rest}s"),
    }
}

fn humanize_timestamp(seconds: f64) -> String {
    DateTime::from_timestamp_millis((seconds * 1000.0) as i64).map_or_else(
        || short(seconds),
        |time| time.format("%Y-%m-%d %H:%M:%S%.f +0000 UTC").to_string(),
    )
}

/// The verbs that alerts use: `%s %v %d %f %.2f %g %e %q %t %%`.
fn printf(format: &str, arguments: &[Item]) -> Result<String, String> {
    let mut out = String::new();
    let mut arguments = arguments.iter();
    let mut letters = format.chars().peekable();
    while let Some(letter) = letters.next() {
        if letter != '%' {
            out.push(letter);
            continue;
        }
        let mut flags = String::new();
        while let Some(flag) =
            letters.next_if(|c| c.is_ascii_digit() || matches!(c, '.' | '-' | '+' | ' '))
        {
            flags.push(flag);
        }
        let verb = letters.next().ok_or("printf: a verb is missing")?;
        if verb == '%' {
            out.push('%');
            continue;
        }
        let Some(item) = arguments.next() else {
            out.push_str(&format!("%!{verb}(MISSING)"));
            continue;
        };
        out.push_str(&formatted(verb, &flags, item));
    }
    Ok(out)
}

fn formatted(verb: char, flags: &str, item: &Item) -> String {
    let (width, precision) = flags.split_once('.').unwrap_or((flags, ""));
    let places: Option<usize> = precision.parse().ok();
    let text = match (verb, item) {
        ('f', Item::Number(number)) => format!("{number:.*}", places.unwrap_or(6)),
        ('e', Item::Number(number)) => exponent(*number, places.unwrap_or(6)),
        ('g', Item::Number(number)) if places == Some(4) => short(*number),
        ('g' | 'v' | 's', Item::Number(number)) => general(*number),
        ('d', Item::Number(number)) => format!("{number:.0}"),
        ('q', item) => format!("{:?}", item.to_string()),
        (_, item) => item.to_string(),
    };
    match width.parse::<i32>() {
        Ok(width) if width < 0 => format!("{text:<0$}", width.unsigned_abs() as usize),
        Ok(width) => format!("{text:>0$}", width.unsigned_abs() as usize),
        Err(_) => text,
    }
}

fn exponent(number: f64, places: usize) -> String {
    let text = format!("{number:.places$e}");
    let (digits, power) = text.split_once('e').unwrap_or((&text, "0"));
    let power: i32 = power.parse().unwrap_or_default();
    let sign = if power < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", power.abs())
}
