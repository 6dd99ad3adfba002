//! `/metrics` passes a strict reader, whatever names and values there are.

use crate::common::exposition::parse;
use crate::common::process::Running;
use crate::common::{Bench, Toys};
use rivero::observe::metrics::{Family, Kind, Labels};
use serde_json::json;

#[tokio::test]
async fn hostile_names_and_values_are_read_back() {
    let toys = Toys::new();
    let value = "a \"quoted\" \\ back\nslash\\n {x=\"1\"} # 2";
    let mut odd = Family::new("m odd-näme{} 1\n", Kind::Counter, "Help \\ of\ntwo lines.");
    let labels = [
        ("a b\n\"", value.into()),
        ("9", "".into()),
        ("__name__", "x".into()),
    ];
    odd.add(Labels::new(labels).unwrap(), 3.5);
    let mut same = Family::new("m odd_näme{}_1 _total", Kind::Gauge, "Another.");
    same.add(Labels::one("x", "y"), -1e-9);
    let own = Family::of("objects", Kind::Gauge, "Of the server already.", 7.0);
    *toys.metrics.lock() = vec![odd, same, own];
    let bench = Bench::with(toys, |_| {}).await;
    let mut client = bench.client().await;
    client.create("MediaPipeline", json!({})).await;
    let page = bench.core.metrics.page();
    let families = parse(&page).unwrap_or_else(|error| panic!("{error}\n{page}"));
    let (labels, count) = families["rivero_m_odd_n_me___1__total"]
        .series
        .first_key_value()
        .unwrap();
    assert_eq!(*count, 3.5);
    assert!(
        labels.contains(&("a_b__".into(), value.into())),
        "{labels:?}"
    );
    for name in ["rivero_objects", "rivero_pipelines"] {
        assert_eq!(families[name].series[&vec![]], 1.0, "{name}");
    }
    bench.stop().await;
}

#[test]
fn the_page_of_a_process_is_read() {
    let mut running = Running::start(|_| {});
    let page = running.page("/metrics");
    let families = parse(&page).unwrap_or_else(|error| panic!("{error}\n{page}"));
    for name in [
        "rivero_objects",
        "rivero_sessions",
        "rivero_log_lines_lost_total",
    ] {
        assert_eq!(families[name].series[&vec![]], 0.0, "{name}");
    }
    assert!(families["rivero_resident_bytes"].series[&vec![]] > 1e6);
    assert!(running.terminate().success());
}
