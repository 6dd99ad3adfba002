//! What is on `/metrics` is in docs/log-and-metrics.md, and what is there is measured.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::common::Client;
use crate::common::exposition::{PART, parse};
use crate::common::process::Running;
use rivero::core::{self, Core};
use rivero::modules::{Discovery, Modules};
use rivero_media::Plane;
use serde_json::json;

/// Kinds and labels by name.
type Documented = BTreeMap<String, (String, BTreeSet<String>)>;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn documented() -> Documented {
    let text = std::fs::read_to_string(repository().join("docs/log-and-metrics.md")).unwrap();
    let rows = text.lines().filter(|line| line.starts_with("| `rivero_"));
    let rows = rows.map(|row| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let labels = cells[3].split(", ").filter(|label| !label.is_empty());
        let labels = labels.map(|label| label.trim_matches('`').to_owned());
        let name = cells[1].trim_matches('`').to_owned();
        (name, (cells[2].to_owned(), labels.collect()))
    });
    rows.collect()
}

/// The names that a source text counts under: texts that follow these words.
fn counted_in(text: &str) -> impl Iterator<Item = &str> {
    [".count(", ".gauge(", "(\"rtp_"]
        .into_iter()
        .flat_map(move |word| {
            text.match_indices(word).filter_map(move |(place, _)| {
                let after = text[place..].split_once('(')?.1.trim_start();
                let (name, _) = after.strip_prefix('"')?.split_once('"')?;
                // Those of an array of names end as counters do.
                (word != "(\"rtp_" || name.ends_with("_total")).then_some(name)
            })
        })
}

/// Whether a module counts it, and not the server.
fn is_of_module(name: &str) -> bool {
    let prefixes = ["rivero_kurento_", "rivero_rtmp_", "rivero_videosampler_"];
    prefixes.iter().any(|prefix| name.starts_with(prefix))
}

#[tokio::test]
async fn what_the_server_measures_and_what_is_documented_are_the_same() {
    let data = tempfile::tempdir().unwrap();
    let plane = Plane::start().unwrap();
    let discovery = Discovery {
        directories: Vec::new(),
        configuration: Arc::new(json!({})),
        configuration_directory: None,
        data_directory: data.path().to_owned(),
        prober: None,
        anyone_may_write: false,
        isolated: rivero::modules::Isolated::default(),
    };
    let modules = Arc::new(Modules::discover(discovery, &plane).unwrap());
    let core = Core::new(modules, plane, core::Options::default()).unwrap();
    let documented = documented().into_keys();
    let documented: BTreeSet<String> = documented.filter(|name| !is_of_module(name)).collect();
    assert_eq!(core.metrics.names(), documented);
}

#[test]
fn what_the_modules_count_and_what_is_documented_are_the_same() {
    let mut counted = BTreeSet::new();
    let mut folders = vec![
        repository().join("plugins"),
        repository().join("plugin-api/src"),
    ];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            if path.extension().is_none_or(|extension| extension != "rs") {
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            // Folders whose modules have classes of their own namespace.
            let own = [("rtmp", "rtmp"), ("video-sampler", "videosampler")];
            let is_in = |folder: &str| path.components().any(|part| part.as_os_str() == folder);
            let own = own.into_iter().find(|(folder, _)| is_in(folder));
            let namespace = own.map_or("kurento", |(_, namespace)| namespace);
            counted.extend(counted_in(&text).map(|name| format!("rivero_{namespace}_{name}")));
        }
    }
    let documented = documented().into_keys();
    let documented: BTreeSet<String> = documented.filter(|name| is_of_module(name)).collect();
    assert_eq!(counted, documented);
}

#[tokio::test]
async fn the_page_of_a_running_server_has_the_documented_kinds_and_labels() {
    let mut running = Running::start(|_| {});
    // A request, so that there is a page with a histogram.
    let mut client = Client::connect(running.address, "/kurento").await;
    for method in ["create", "nonsense"] {
        let params = json!({"type": "MediaPipeline", "constructorParams": {}});
        client.send(method, params).await;
        client.receive().await;
    }
    let page = running.page("/metrics");
    let families = parse(&page).unwrap_or_else(|error| panic!("{error}\n{page}"));
    let documented = documented();
    for (name, family) in &families {
        let (kind, labels) = documented.get(name).unwrap_or_else(|| panic!("{name}"));
        assert_eq!(&family.kind, kind, "{name}");
        for (label, _) in family.series.keys().flatten() {
            let is_known = label == PART || label == "le" || labels.contains(label);
            assert!(is_known, "{name}: {label}");
        }
    }
    let count = |method: &str, code: &str| {
        let labels = [("code", code), ("method", method)];
        let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned()));
        families["rivero_requests_total"].series[&labels.to_vec()]
    };
    assert_eq!(
        (count("create", "ok"), count("other", "-32601")),
        (1.0, 1.0)
    );
    assert!(running.terminate().success());
}
