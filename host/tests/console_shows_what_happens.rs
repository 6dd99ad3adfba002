//! The console: its page, and the stream of what there is and what changes.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::common::{Bench, Toys, binding, http};
use rivero::console;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// Long enough for a loaded machine; nothing waits this long unless it fails.
const PATIENCE: Duration = Duration::from_secs(30);

async fn start(options: console::Options) -> Bench {
    start_with(Toys::new(), options).await
}

async fn start_with(toys: std::sync::Arc<Toys>, console: console::Options) -> Bench {
    Bench::with(toys, |options| {
        options.management = Some(binding());
        options.console = console;
    })
    .await
}

fn request(method: &str, path: &str, fields: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{fields}\r\n")
}

fn get(path: &str) -> String {
    request("GET", path, "")
}

/// A reader of the stream, with what it knows by now.
struct Reader {
    lines: tokio::io::Lines<BufReader<TcpStream>>,
    entries: HashMap<String, Value>,
    events: Vec<Value>,
    hello: Value,
}

impl Reader {
    async fn open(address: SocketAddr, query: &str) -> Reader {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let asked = get(&format!("/console/api{query}"));
        stream.write_all(asked.as_bytes()).await.unwrap();
        let mut reader = Reader {
            lines: BufReader::new(stream).lines(),
            entries: HashMap::new(),
            events: Vec::new(),
            hello: Value::Null,
        };
        assert_eq!(reader.line().await, "HTTP/1.1 200 OK");
        reader
    }

    async fn line(&mut self) -> String {
        let line = tokio::time::timeout(PATIENCE, self.lines.next_line());
        let line = line.await.expect("nothing came");
        line.unwrap().expect("the stream ended")
    }

    /// Reads until something is so.
    async fn until(&mut self, what: &str, mut is_so: impl FnMut(&Reader) -> bool) {
        let begun = Instant::now();
        let mut name = String::new();
        while !is_so(self) {
            assert!(begun.elapsed() < PATIENCE, "{what}: {:?}", self.entries);
            let line = self.line().await;
            if let Some(event) = line.strip_prefix("event: ") {
                event.clone_into(&mut name);
            }
            let Some(data) = line.strip_prefix("data: ") else {
                continue;
            };
            self.take(&name, serde_json::from_str(data).unwrap());
        }
    }

    fn take(&mut self, event: &str, mut data: Value) {
        match event {
            "hello" => self.hello = data,
            "state" => {
                if data["full"] == true {
                    self.entries.clear();
                }
                for key in data["removed"].as_array().unwrap() {
                    self.entries.remove(key.as_str().unwrap());
                }
                let Value::Object(changed) = data["changed"].take() else {
                    return;
                };
                self.entries.extend(changed);
            }
            "events" => self
                .events
                .extend(data["items"].as_array().unwrap().clone()),
            _ => {}
        }
    }

    fn has(&self, key: &str) -> bool {
        self.entries.contains_key(key)
    }
}

async fn pipeline_with(
    bench: &Bench,
    classes: &[&str],
) -> (crate::common::Client, String, Vec<String>) {
    let mut client = bench.client().await;
    let create = |kind: &str, params: Value| json!({"type": kind, "constructorParams": params});
    let made = client
        .result("create", create("MediaPipeline", json!({})))
        .await;
    let pipeline = made["value"].as_str().unwrap().to_owned();
    let session = made["sessionId"].clone();
    let mut elements = Vec::new();
    for class in classes {
        let mut params = create(class, json!({"mediaPipeline": pipeline}));
        params["sessionId"] = session.clone();
        let made = client.result("create", params).await;
        elements.push(made["value"].as_str().unwrap().to_owned());
    }
    (client, pipeline, elements)
}

#[tokio::test]
async fn a_reader_gets_what_there_is_and_then_what_changes() {
    let bench = start(console::Options::default()).await;
    let address = bench.management_address.unwrap();
    let mut reader = Reader::open(address, "").await;
    reader
        .until("the server", |reader| reader.has("server"))
        .await;
    assert_eq!(reader.hello["mayWrite"], false);
    assert_eq!(reader.entries["server"]["pipelines"], 0);
    let (mut client, pipeline, elements) = pipeline_with(&bench, &["PassThrough"; 2]).await;
    let key = format!("pipeline/{pipeline}");
    reader
        .until("a pipeline of two", |reader| {
            reader
                .entries
                .get(&key)
                .is_some_and(|of| of["elements"] == 2)
        })
        .await;
    reader
        .until("its session", |reader| {
            reader.entries.keys().any(|key| key.starts_with("session/"))
        })
        .await;
    let query = format!("?pipeline={}", pipeline.replace('/', "%2F"));
    let mut other = Reader::open(address, &query).await;
    let graph = format!("graph/{pipeline}");
    let links = |count: usize| {
        let graph = graph.clone();
        move |reader: &Reader| {
            let graph = reader.entries.get(&graph);
            graph.is_some_and(|graph| graph["links"].as_array().unwrap().len() == count)
        }
    };
    other.until("its graph", links(0)).await;
    let invoke = |operation: &str| json!({"object": elements[0], "operation": operation, "operationParams": {"sink": elements[1]}});
    client.result("invoke", invoke("connect")).await;
    other.until("three links", links(3)).await;
    let link = &other.entries[&graph]["links"][0];
    assert_eq!(link["source"], json!(elements[0]));
    other
        .until("the event", |reader| {
            let mut events = reader.events.iter();
            events.any(|event| {
                event["event"] == "ElementConnected" && event["object"] == json!(elements[0])
            })
        })
        .await;
    client.result("invoke", invoke("disconnect")).await;
    other.until("no links", links(0)).await;
    assert!(!reader.has(&graph), "only for who looks at it");
    client.result("release", json!({"object": pipeline})).await;
    reader.until("its end", |reader| !reader.has(&key)).await;
    other
        .until("the end of its graph", |reader| !reader.has(&graph))
        .await;
}

#[tokio::test]
async fn details_come_without_secrets() {
    let toys = Toys::new();
    toys.script("getStunServerAddress", |_, _| Ok(json!("10.0.0.1")));
    toys.script("getTurnUrl", |_, _| Ok(json!("joe:s3cret@10.0.0.1:3478")));
    let bench = start_with(toys, console::Options::default()).await;
    let (mut client, pipeline, elements) = pipeline_with(&bench, &["WebRtcEndpoint"]).await;
    for (key, value) in [
        ("token", "s3cret"),
        ("room", "blue"),
        ("uri", "rtsp://a:s3cret@b/c"),
    ] {
        let params = json!({"key": key, "value": value});
        let tag = json!({"object": elements[0], "operation": "addTag", "operationParams": params});
        client.result("invoke", tag).await;
    }
    let query = format!("?pipeline={pipeline}&object={}", elements[0]);
    let mut reader = Reader::open(bench.management_address.unwrap(), &query).await;
    let key = format!("object/{}", elements[0]);
    reader
        .until("its properties", |reader| {
            let object = reader.entries.get(&key);
            object.is_some_and(|object| object["properties"]["turnUrl"].is_string())
        })
        .await;
    let object = &reader.entries[&key];
    assert!(!object.to_string().contains("s3cret"), "{object}");
    assert_eq!(object["properties"]["stunServerAddress"], "10.0.0.1");
    assert_eq!(object["tags"]["room"], "blue");
    assert_eq!(object["class"], "WebRtcEndpoint");
}

#[tokio::test]
async fn nothing_is_asked_of_modules_when_nobody_looks_any_more() {
    let bench = start(console::Options::default()).await;
    let (_client, _, elements) = pipeline_with(&bench, &["WebRtcEndpoint"]).await;
    let asked = || {
        let calls = bench.toys.calls();
        calls
            .iter()
            .filter(|call| call.contains(".get") || call.contains("stats"))
            .count()
    };
    let query = format!("?object={}", elements[0]);
    let mut reader = Reader::open(bench.management_address.unwrap(), &query).await;
    let key = format!("object/{}", elements[0]);
    reader.until("its details", |reader| reader.has(&key)).await;
    let begun = Instant::now();
    while asked() == 0 {
        assert!(begun.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(bench.core.events.recent().is_watched());
    drop(reader);
    while bench.core.events.recent().is_watched() {
        assert!(begun.elapsed() < PATIENCE, "the reader has gone");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // A round that has begun asks to its end.
    let mut before = usize::MAX;
    while before != asked() {
        before = asked();
        tokio::time::sleep(Duration::from_millis(2_500)).await;
    }
}

#[tokio::test]
async fn too_many_readers_are_refused_and_a_place_gets_free_again() {
    let bench = start(console::Options::default()).await;
    let address = bench.management_address.unwrap();
    let mut readers = Vec::new();
    for _ in 0..32 {
        readers.push(Reader::open(address, "").await);
    }
    let refused = http(address, &get("/console/api")).await;
    assert!(
        refused.starts_with("HTTP/1.1 503 ") && refused.contains("32 pages"),
        "{refused}"
    );
    drop(readers);
    let begun = Instant::now();
    loop {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream
            .write_all(get("/console/api").as_bytes())
            .await
            .unwrap();
        let line = BufReader::new(stream).lines().next_line().await.unwrap();
        if line.as_deref() == Some("HTTP/1.1 200 OK") {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "{line:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn files() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    for name in ["index.html", "console.js", "layout.js", "console.css"] {
        std::fs::write(directory.path().join(name), format!("<{name}>")).unwrap();
    }
    std::fs::write(directory.path().join("secret"), "s3cret").unwrap();
    directory
}

#[tokio::test]
async fn the_page_has_a_strict_policy_and_tags() {
    let directory = files();
    let options = console::Options {
        directory: Some(directory.path().to_owned()),
        may_write: false,
    };
    let bench = start(options).await;
    let address = bench.management_address.unwrap();
    let moved = http(address, &get("/console")).await;
    assert!(
        moved.starts_with("HTTP/1.1 308 ") && moved.contains("\r\nLocation: /console/\r\n"),
        "{moved}"
    );
    for (path, content_type) in [
        ("/console/", "text/html; charset=utf-8"),
        ("/console/console.js", "text/javascript; charset=utf-8"),
        ("/console/console.css?x", "text/css; charset=utf-8"),
    ] {
        let page = http(address, &get(path)).await;
        assert!(page.starts_with("HTTP/1.1 200 "), "{page}");
        for field in [
            format!("\r\nContent-Type: {content_type}\r\n"),
            "\r\nContent-Security-Policy: default-src 'none'; script-src 'self';".to_owned(),
            "\r\nX-Content-Type-Options: nosniff\r\n".to_owned(),
        ] {
            assert!(page.contains(&field), "{field} in {page}");
        }
        assert!(!page.contains("unsafe-inline"));
        let (_, rest) = page.split_once("\r\nEtag: ").unwrap();
        let tag = rest.split("\r\n").next().unwrap();
        let again = request("GET", path, &format!("If-None-Match: \"x\", {tag}\r\n"));
        let again = http(address, &again).await;
        assert!(
            again.starts_with("HTTP/1.1 304 ") && again.ends_with("\r\n\r\n"),
            "{again}"
        );
    }
    let head = http(address, &request("HEAD", "/console/", "")).await;
    assert!(
        head.starts_with("HTTP/1.1 200 ") && head.ends_with("\r\n\r\n"),
        "{head}"
    );
    for path in [
        "/console/secret",
        "/console/../secret",
        "/console/%2e%2e/x",
        "/console/x/y",
    ] {
        let missing = http(address, &get(path)).await;
        assert!(
            missing.starts_with("HTTP/1.1 404 ") && !missing.contains("s3cret"),
            "{missing}"
        );
    }
    let other = http(address, &get("/consoles")).await;
    assert!(
        other.starts_with("HTTP/1.1 404 ") && other.contains("/health"),
        "{other}"
    );
    let post = http(address, &request("POST", "/console/", "")).await;
    assert!(
        post.starts_with("HTTP/1.1 405 ") && post.contains("\r\nAllow: GET, HEAD\r\n"),
        "{post}"
    );
}

#[tokio::test]
async fn without_files_the_page_says_what_to_do() {
    let directory = files();
    std::fs::remove_file(directory.path().join("layout.js")).unwrap();
    for directory in [None, Some(directory.path().to_owned())] {
        let bench = start(console::Options {
            directory,
            may_write: false,
        })
        .await;
        let page = http(bench.management_address.unwrap(), &get("/console/")).await;
        assert!(
            page.starts_with("HTTP/1.1 503 ") && page.contains("make build"),
            "{page}"
        );
    }
}

#[tokio::test]
async fn changes_need_the_operators_permission_and_the_right_page() {
    let change = "/console/api/level?name=server&level=debug";
    let post = |fields: &str| request("POST", change, fields);
    let bench = start(console::Options::default()).await;
    let refused = http(bench.management_address.unwrap(), &post("")).await;
    assert!(
        refused.starts_with("HTTP/1.1 403 ") && refused.contains("mediaServer.console.write"),
        "{refused}"
    );
    let options = console::Options {
        directory: None,
        may_write: true,
    };
    let bench = start(options).await;
    let address = bench.management_address.unwrap();
    for origin in ["http://evil.example", "http://127.0.0.1:1", "null"] {
        let refused = http(address, &post(&format!("Origin: {origin}\r\n"))).await;
        assert!(refused.starts_with("HTTP/1.1 403 "), "{refused}");
    }
    for (query, why) in [
        ("name=nobody&level=debug", "name:"),
        ("name=server&level=loud", "level:"),
        ("", "name:"),
    ] {
        let wrong = request("POST", &format!("/console/api/level?{query}"), "");
        let refused = http(address, &wrong).await;
        assert!(
            refused.starts_with("HTTP/1.1 400 ") && refused.contains(why),
            "{refused}"
        );
    }
    // No log was started in this process.
    let allowed = http(address, &post("Origin: http://127.0.0.1\r\n")).await;
    assert!(allowed.starts_with("HTTP/1.1 409 "), "{allowed}");
    let shown = http(address, &get(change)).await;
    assert!(shown.starts_with("HTTP/1.1 405 "), "{shown}");
}
