//! Sync windows, as the controller asks about them; the rules are `domain::window`'s.

pub use crate::domain::window::{Decision, Subject, Window, decide, decide_running, matching};

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{DateTime, Utc};
    use serde_json::json;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("a time")
    }

    fn window(kind: &str, schedule: &str, manual: bool) -> Window {
        Window::read(
            &json!({"kind": kind, "schedule": schedule, "duration": "1h",
            "applications": ["*"], "manualSync": manual}),
        )
        .expect("a window")
    }

    const NOW: &str = "2026-11-21T10:30:00Z";
    const OPEN: &str = "0 10 * * *";
    const CLOSED: &str = "0 12 * * *";

    #[test]
    fn windows_decide_as_upstream() {
        let blocked = Decision::Blocked;
        let allowed = Decision::Allowed;
        // (windows, automatic, manual)
        let cases = [
            (vec![], allowed, allowed),
            (vec![window("allow", OPEN, false)], allowed, allowed),
            (vec![window("allow", CLOSED, false)], blocked, blocked),
            (vec![window("allow", CLOSED, true)], blocked, allowed),
            (vec![window("deny", OPEN, false)], blocked, blocked),
            (vec![window("deny", OPEN, true)], blocked, allowed),
            (vec![window("deny", CLOSED, false)], allowed, allowed),
            (
                vec![window("deny", OPEN, true), window("deny", OPEN, false)],
                blocked,
                blocked,
            ),
            (
                vec![window("allow", OPEN, false), window("deny", OPEN, false)],
                blocked,
                blocked,
            ),
            (
                vec![window("allow", OPEN, false), window("allow", CLOSED, false)],
                allowed,
                allowed,
            ),
            (
                vec![
                    window("allow", CLOSED, true),
                    window("allow", CLOSED, false),
                ],
                blocked,
                blocked,
            ),
            (
                vec![
                    window("allow", CLOSED, false),
                    window("deny", CLOSED, false),
                ],
                blocked,
                blocked,
            ),
        ];
        for (index, (windows, automatic, manual)) in cases.into_iter().enumerate() {
            assert_eq!(
                decide(&windows, false, at(NOW)),
                automatic,
                "automatic, case {index}"
            );
            assert_eq!(
                decide(&windows, true, at(NOW)),
                manual,
                "manual, case {index}"
            );
        }
    }

    #[test]
    fn a_window_opens_in_its_own_zone() {
        let zoned = Window::read(
            &json!({"kind": "allow", "schedule": "0 19 * * *", "duration": "1h",
            "timeZone": "Asia/Tokyo", "applications": ["*"]}),
        )
        .expect("a window");

        let has_zones = jiff::tz::TimeZone::get("Asia/Tokyo").is_ok();
        assert_eq!(zoned.is_active(at(NOW)), has_zones);
    }

    #[test]
    fn lists_are_joined_by_or_unless_told_otherwise() {
        let subject = Subject {
            application: "shop",
            namespace: "prod",
            server: "https://kubernetes.default.svc",
            cluster: "in-cluster",
        };
        let read = |and: bool, applications: &[&str], namespaces: &[&str], clusters: &[&str]| {
            Window::read(&json!({"kind": "deny", "schedule": OPEN, "duration": "1h",
                "andOperator": and, "applications": applications, "namespaces": namespaces,
                "clusters": clusters}))
            .expect("a window")
            .matches(&subject)
        };

        assert!(read(false, &["shop"], &["dev"], &[]));
        assert!(!read(true, &["shop"], &["dev"], &[]));
        assert!(read(true, &["sh*"], &[], &["in-cluster"]));
        assert!(read(false, &[], &[], &["https://*"]));
        assert!(!read(false, &[], &[], &[]));
    }

    #[test]
    fn an_operation_that_overruns_its_window_goes_on() {
        let read = |overrun: bool| {
            vec![
                Window::read(&json!({"kind": "allow", "schedule": OPEN, "duration": "1h",
                "applications": ["*"], "syncOverrun": overrun}))
                .expect("a window"),
            ]
        };
        let later = at("2026-11-21T11:10:00Z");

        assert_eq!(
            decide_running(&read(true), false, at(NOW), later),
            Decision::Allowed
        );
        assert_eq!(
            decide_running(&read(false), false, at(NOW), later),
            Decision::Blocked
        );
    }

    #[test]
    fn a_malformed_window_is_reported() {
        let project = json!({"spec": {"syncWindows": [
            {"kind": "allow", "schedule": "nonsense", "duration": "1h", "applications": ["*"]},
            {"kind": "maybe", "schedule": OPEN, "duration": "1h", "applications": ["*"]}]}});

        let (windows, errors) = matching(&project, &Subject::default());

        assert!(windows.is_empty());
        assert_eq!(errors.len(), 2);
    }
}
