//! The replica counts of a basic canary against upstream's table (`TIPHYS_ORACLES`).

use crate::oracles;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde::Deserialize;
use tiphys::sim::controllers::rollouts::arithmetic::{Basic, Bounds, Size};

#[derive(Deserialize)]
struct Case {
    name: String,
    replicas: i32,
    set_weight: i32,
    max_surge: IntOrString,
    max_unavailable: IntOrString,
    promote_full: bool,
    aborted: bool,
    stable: Set,
    canary: Set,
    expected: Counts,
}

#[derive(Deserialize)]
struct Set {
    spec: i32,
    available: i32,
}

#[derive(Debug, Deserialize, PartialEq)]
struct Counts {
    stable: i32,
    canary: i32,
}

fn size(set: &Set) -> Size {
    Size {
        wanted: set.spec,
        created: set.spec,
        available: set.available,
    }
}

#[test]
fn replica_counts_agree_with_upstreams_table() {
    let Some(folder) = oracles::folder("rollouts") else {
        return;
    };
    let text = std::fs::read_to_string(folder.join("canary-replicas.json")).expect("the table");
    let cases: Vec<Case> = serde_json::from_str(&text).expect("cases");

    for case in &cases {
        let weight = match (case.promote_full, case.aborted) {
            (true, _) => 100,
            (false, true) => 0,
            (false, false) => case.set_weight,
        };
        let basic = Basic {
            replicas: case.replicas,
            weight,
            whole: 100,
            bounds: Bounds::new(
                Some(&case.max_surge),
                Some(&case.max_unavailable),
                case.replicas,
            ),
        };

        let (canary, stable) = basic.now(Some(size(&case.canary)), Some(size(&case.stable)), 0);

        assert_eq!(Counts { stable, canary }, case.expected, "{}", case.name);
    }
    println!("{} cases", cases.len());
    assert!(cases.len() >= 30);
}
