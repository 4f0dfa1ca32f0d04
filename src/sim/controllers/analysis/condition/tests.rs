//! Conditions and what they come to.

use super::*;
use chrono::TimeDelta;

fn json(text: &str) -> Value {
    Value::from_json(&serde_json::from_str(text).expect("JSON"))
}

fn ask(condition: &str, result: &Value) -> Result<bool, String> {
    holds(condition, result, DateTime::UNIX_EPOCH)
}

fn check(result: &Value, cases: &[(&str, bool)]) {
    for (condition, wanted) in cases {
        assert_eq!(ask(condition, result), Ok(*wanted), "{condition}");
    }
}

fn refuse(result: &Value, cases: &[(&str, &str)]) {
    for (condition, wanted) in cases {
        assert_eq!(
            ask(condition, result),
            Err((*wanted).to_owned()),
            "{condition}"
        );
    }
}

#[test]
fn a_vector_is_indexed_and_compared() {
    let result = Value::floats(&[0.97, 0.5, 3.0]);
    check(
        &result,
        &[
            ("result[0] >= 0.95", true),
            ("result[0] >= 0.95 && result[1] >= 0.95", false),
            ("result[0] < 0.95 || result[2] == 3", true),
            ("result[-1] == 3", true),
            ("len(result) == 3", true),
            ("all(result, # > 0.4)", true),
            ("all(result, {# > 0.6})", false),
            ("any(result, # == 3)", true),
            ("none(result, # > 5)", true),
            ("one(result, # < 0.9)", true),
            ("count(result, # < 1) == 2", true),
            ("len(filter(result, # < 1)) == 2", true),
            ("map(result, # * 2)[2] == 6.0", true),
            ("max(result) == 3 and min(result) == 0.5", true),
            ("sum(result) > 4.4 && mean(result) < 1.5", true),
            ("median(result) == 0.97", true),
            ("result[0:2] == [0.97, 0.5]", true),
            ("len(result[1:]) == 2 && len(result[:-1]) == 2", true),
            ("0.5 in result", true),
            ("0.6 not in result", true),
            ("not (result[0] < 0.5)", true),
            ("!(result[0] < 0.5)", true),
            ("isNaN(result[0]) || isInf(result[0])", false),
            ("result[0] > 0.9 ? result[1] < 1 : false", true),
            ("default(result, 0) == result", true),
            ("result | len() == 3", true),
        ],
    );
}

#[test]
fn a_number_that_is_none_satisfies_no_comparison() {
    let result = Value::floats(&[f64::NAN]);
    check(
        &result,
        &[
            ("result[0] >= 0.95", false),
            ("result[0] < 0.95", false),
            ("isNaN(result[0])", true),
            ("isNaN(result[0]) || result[0] >= 0.95", true),
        ],
    );
}

#[test]
fn an_empty_vector_can_only_be_asked_for_its_length() {
    let empty = Value::floats(&[]);

    check(
        &empty,
        &[("len(result) == 0", true), ("isNil(result)", false)],
    );
    refuse(
        &empty,
        &[(
            "result[0] >= 0.95",
            "metric result is empty or unavailable, and the condition cannot index into result; \
             guard the condition with len(result) > 0",
        )],
    );
}

#[test]
fn json_is_walked_by_members() {
    let result = json(
        r#"{"ok": true, "rate": 0.5, "name": "web", "nothing": null,
            "items": [{"code": 200}, {"code": 503}], "deep": {"a b": 1}}"#,
    );
    check(
        &result,
        &[
            ("result.ok", true),
            ("result.rate == 0.5 && result.name == 'web'", true),
            ("result[\"name\"] startsWith \"w\"", true),
            ("result.name endsWith `b`", true),
            ("result.name matches \"^w.b$\"", true),
            ("result.name contains 'x'", false),
            ("result.deep['a b'] == 1", true),
            ("result.missing == nil", true),
            ("result.nothing == nil", true),
            ("(result.missing ?? 7) == 7", true),
            ("result.missing?.deeper == nil", true),
            ("any(result.items, .code >= 500)", true),
            ("all(result.items, #.code >= 500)", false),
            ("find(result.items, .code > 500).code == 503", true),
            ("\"rate\" in result", true),
            ("len(keys(result)) == 6", true),
            ("type(result.items) == 'array'", true),
            ("let items = result.items; items[0].code == 200", true),
            ("{a: 1, 'b': [2]}.b[0] == 2", true),
            ("result.rate == 'half'", false),
        ],
    );
}

#[test]
fn arithmetic_follows_the_precedence_and_types_of_the_language() {
    check(
        &Value::Nil,
        &[
            ("1 + 2 * 3 == 7", true),
            ("(1 + 2) * 3 == 9", true),
            ("7 / 2 == 3.5", true),
            ("7 % 4 == 3", true),
            ("2 ** 3 ** 2 == 512", true),
            ("2 ^ 3 == 8", true),
            ("-2 + 3 == 1", true),
            ("1 == 1.0", true),
            ("0x10 == 16 && 1_000 == 1e3 && .5 == 0.5", true),
            ("1 in 1..3 and 4 not in 1..3", true),
            ("'a' + \"b\" == `ab`", true),
            ("'a' < 'b'", true),
            ("true || false && false", true),
            ("not true or true", true),
            ("false ? true : true", true),
            ("asInt('42') == 42 && asFloat('0.5') == 0.5", true),
            ("int(3.9) == 3 && float(3) == 3.0 && string(3) == '3'", true),
            (
                "abs(-2) == 2 && ceil(1.2) == 2 && floor(1.8) == 1 && round(1.5) == 2",
                true,
            ),
            (
                "upper('a') == 'A' && trim(' a ') == 'a' && lower('A') == 'a'",
                true,
            ),
            ("join(split('a,b', ','), '-') == 'a-b'", true),
            ("max(1, 3, 2) == 3 && min([4, 2]) == 2", true),
            (
                "first([1, 2]) == 1 && last([1, 2]) == 2 && reverse([1, 2]) == [2, 1]",
                true,
            ),
            ("sort([3, 1, 2]) == [1, 2, 3]", true),
            ("isNil(result) && default(result, 5) == 5", true),
            ("duration('1m') > duration('59s')", true),
            ("now() - duration('1h') < now()", true),
            ("/* why */ true // because", true),
            ("'\\u0041\\n' == \"A\\n\"", true),
        ],
    );
}

#[test]
fn what_is_no_condition_is_refused_with_its_place() {
    refuse(
        &Value::floats(&[1.0]),
        &[
            ("result[0] >=", "unexpected token EOF (1:13)"),
            ("1 +* 2", "unexpected token Operator(\"*\") (1:4)"),
            ("(1 == 1", "unexpected token EOF (1:8)"),
            ("1 == 1)", "unexpected token Bracket(\")\") (1:7)"),
            ("reslut > 1", "unknown name reslut (1:1)"),
            ("true &&\n  foo(1)", "unknown name foo (2:3)"),
            ("len()", "not enough arguments to call len (1:1)"),
            ("len(1, 2)", "too many arguments to call len (1:1)"),
            ("'open", "literal not terminated (1:1)"),
            ("1 § 2", "unrecognized character: U+00A7 '§' (1:3)"),
            ("# > 1", "cannot use pointer accessor outside closure (1:1)"),
            ("12abc == 1", "bad number syntax: \"12\" (1:1)"),
            ("", "unexpected token EOF (1:1)"),
        ],
    );
}

#[test]
fn what_cannot_be_evaluated_says_why() {
    refuse(
        &Value::floats(&[1.0]),
        &[
            ("result[3] > 1", "index out of range: 3 (array length is 1)"),
            (
                "result > 1",
                "invalid operation: > (mismatched types []float64 and int)",
            ),
            (
                "result[0] == 'x'",
                "invalid operation: == (mismatched types float64 and string)",
            ),
            ("result[0]", "expected bool, but got float64"),
            ("1 && true", "invalid operation: && (mismatched type int)"),
            ("nil.a == 1", "cannot fetch a from <nil>"),
            ("all(1, true)", "builtin all takes only array (got int)"),
            (
                "all(result, #)",
                "predicate should return boolean (got float64)",
            ),
            (
                "asInt('x') == 1",
                "strconv.ParseInt: parsing \"x\": invalid syntax",
            ),
            ("1 % 0 == 1", "integer divide by zero"),
            ("len(1..2000000) > 0", "memory budget exceeded"),
            (
                "len(filter(1..900000, # > 0)) > 0",
                "memory budget exceeded",
            ),
        ],
    );
}

#[test]
fn deep_nesting_is_refused_rather_than_followed() {
    for nested in [
        "(".repeat(5_000),
        "!".repeat(5_000),
        "[".repeat(5_000),
        format!("true{}", " && true".repeat(5_000)),
        format!("result{}", "[0]".repeat(5_000)),
    ] {
        let refused = ask(&nested, &Value::floats(&[1.0])).expect_err("it is too deep");
        assert!(
            refused.starts_with("the expression is nested too deeply"),
            "{refused}"
        );
    }
}

#[test]
fn times_are_reckoned_by_the_time_given() {
    let now = DateTime::UNIX_EPOCH + TimeDelta::hours(2);

    let start = time_of("now() - duration(\"1h30m\")", now);

    assert_eq!(start, Ok(DateTime::UNIX_EPOCH + TimeDelta::minutes(30)));
    assert_eq!(
        time_of("1 + 1", now),
        Err("expected time.Time, but got int".to_owned())
    );
}
