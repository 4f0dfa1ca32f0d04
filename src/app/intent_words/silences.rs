//! `silence ALERT [label=value …] [for=2h] [comment=words …]` and `expire-silence ID`.
//!
//! Labels are whatever the alert has, so that every other parameter is a matcher.

use super::{IntentWord, Worded, WordsProblem, example};
use crate::domain::age::parse_span;
use crate::domain::alert::{Matcher, alert_kind, silence_kind};
use crate::domain::intent::{SilenceRequest, Verb};

const TWO_HOURS: u32 = 7_200;

pub(super) fn parse<'word>(
    intent: &IntentWord,
    mut words: impl Iterator<Item = &'word str>,
) -> Result<Worded, WordsProblem> {
    let Some(name) = words.next().filter(|word| !word.contains('=')) else {
        let sentence = format!("`{}` needs a name", intent.word);
        return Err(WordsProblem::new(sentence, Some(example(intent))));
    };
    if intent.word == "expire-silence" {
        return match words.next() {
            None => Ok(Worded {
                verb: Verb::ExpireSilence,
                kind: silence_kind(),
                namespace: None,
                name: name.into(),
            }),
            Some(word) => Err(WordsProblem::new(
                format!("`{word}` is too much: `expire-silence` takes an id alone"),
                Some(example(intent)),
            )),
        };
    }
    let mut request = SilenceRequest {
        matchers: vec![Matcher::equal("alertname", name)],
        length_seconds: TWO_HOURS,
        comment: "by tiphys".into(),
    };
    while let Some(word) = words.next() {
        if let Some(length) = word.strip_prefix("for=") {
            request.length_seconds = seconds(length)?;
        } else if let Some(first) = word.strip_prefix("comment=") {
            let rest: Vec<&str> = std::iter::once(first).chain(words).collect();
            request.comment = rest.join(" ").into();
            break;
        } else {
            let matcher = Matcher::parse(word).ok_or_else(|| {
                let sentence = format!("`{word}` is not a matcher: write label=value");
                WordsProblem::new(sentence, Some(example(intent)))
            })?;
            request.matchers.push(matcher);
        }
    }
    Ok(Worded {
        verb: Verb::Silence(request),
        kind: alert_kind(),
        namespace: None,
        name: name.into(),
    })
}

fn seconds(text: &str) -> Result<u32, WordsProblem> {
    let span = parse_span(text).map(|span| span.num_seconds());
    let span = span.and_then(|seconds| u32::try_from(seconds).ok());
    span.filter(|seconds| *seconds > 0).ok_or_else(|| {
        let sentence = format!("`for={text}` is not a time span");
        WordsProblem::new(sentence, Some(String::from("write 30m, 2h or 1d")))
    })
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use crate::domain::intent::Verb;

    #[test]
    fn every_label_is_a_matcher_and_a_comment_is_the_rest() {
        let worded = parse(
            "silence Slow pod=~api-.* for=30m comment=known since today",
            |_| None,
        );
        let Ok(Verb::Silence(request)) = worded.map(|worded| worded.verb) else {
            panic!("a silence was expected");
        };
        let matchers: Vec<_> = request.matchers.iter().map(super::Matcher::words).collect();
        assert_eq!(matchers, ["alertname=\"Slow\"", "pod=~\"api-.*\""]);
        assert_eq!(request.length_seconds, 1_800);
        assert_eq!(&*request.comment, "known since today");
    }
}
