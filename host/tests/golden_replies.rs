//! Requests to which Kurento's replies were recorded get the same replies here: the same error
//! (code, type and text), or a result of the same shape.
//!
//! `data/golden.jsonl` has a record a line. `#N` stands for an id that the server chooses; what a
//! record mentions without an earlier record having made it is made on the way. Objects are toys
//! here; `tests/protocol/golden-replies.test.mjs` replays the file to the real modules, with those
//! records that only they can answer.

use std::collections::HashMap;

use crate::common::{Bench, Client};
use futures_util::SinkExt;
use serde_json::{Map, Value, json};
use tokio_tungstenite::tungstenite::Message;

/// Records that real modules answer otherwise than Kurento, and toys as Kurento does: they take
/// any URI.
const TOYS: &[&str] = &["create.player.uri_empty"];

struct Record {
    name: String,
    text: String,
    binary: bool,
    record: Value,
}

fn records() -> Vec<Record> {
    let lines = include_str!("data/golden.jsonl").lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .filter(|line: &Value| line["name"].is_string() && line["modules"].is_null())
        .map(|record| {
            let text = match record["text"].as_str() {
                Some(text) => text.to_owned(),
                None => record["request"].to_string(),
            };
            Record {
                name: record["name"].as_str().unwrap().into(),
                text,
                binary: record["binary"] == true,
                record,
            }
        })
        .collect()
}

/// The ids of the recording and those of this run.
#[derive(Default)]
struct Ids(HashMap<String, String>);

impl Ids {
    /// Lets every object exist that `text` mentions.
    async fn prepare(&mut self, helper: &mut Client, text: &str) {
        let value: Value = serde_json::from_str(text).unwrap_or_default();
        let mut found = Vec::new();
        strings(&value, &mut found);
        for id in found
            .iter()
            .filter(|id| id.starts_with('#') && id.contains("_kurento."))
        {
            self.make(helper, id).await;
        }
    }

    async fn make(&mut self, helper: &mut Client, id: &str) {
        let mut parent: Option<String> = None;
        let mut recorded = String::new();
        for part in id.split('/') {
            recorded = if recorded.is_empty() {
                part.to_owned()
            } else {
                format!("{recorded}/{part}")
            };
            if let Some(known) = self.0.get(&recorded) {
                parent = Some(known.clone());
                continue;
            }
            let class = part.rsplit('.').next().unwrap();
            let params = json!({"mediaPipeline": parent, "hub": parent, "uri": "file:///x", "command": "identity"});
            let made = helper.create(class, params).await;
            self.0.insert(recorded.clone(), made.clone());
            parent = Some(made);
        }
    }

    fn replace(&self, text: &str) -> String {
        // The longest first: ids of children begin with those of their parents.
        let mut known: Vec<_> = self.0.iter().collect();
        known.sort_by_key(|(recorded, _)| std::cmp::Reverse(recorded.len()));
        known
            .into_iter()
            .fold(text.to_owned(), |text, (recorded, real)| {
                text.replace(recorded, real)
            })
    }
}

fn strings(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => found.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| strings(item, found)),
        Value::Object(members) => members.values().for_each(|member| strings(member, found)),
        _ => {}
    }
}

fn shape(value: &Value) -> Value {
    match value {
        Value::Null => json!("null"),
        Value::Bool(_) => json!("boolean"),
        Value::Number(_) => json!("number"),
        Value::String(_) => json!("string"),
        Value::Array(items) => items.first().map_or(json!([]), |item| json!([shape(item)])),
        Value::Object(members) => {
            let member = |(key, value): (&String, &Value)| {
                let label = key == "__type__" || key == "__module__";
                (
                    key.clone(),
                    if label { value.clone() } else { shape(value) },
                )
            };
            Value::Object(members.iter().map(member).collect::<Map<_, _>>())
        }
    }
}

/// What is wrong with a reply, if anything. What is answered otherwise on purpose is in the record's
/// `here`.
fn complaint(name: &str, record: &Value, ids: &Ids, reply: &Value) -> Option<String> {
    let here = record.get("here").filter(|_| !TOYS.contains(&name));
    let record = here.unwrap_or(record);
    if let Some(error) = record.get("error") {
        let expected = ids.replace(error["message"].as_str().unwrap());
        let right = reply["error"]["code"] == error["code"]
            && reply["error"]["data"]["type"] == error["type"]
            && reply["error"]["message"] == *expected;
        return (!right).then(|| format!("expected {error}, got {reply}"));
    }
    let expected = &record["result"];
    let got = shape(reply.get("result").unwrap_or(&json!("missing")));
    (!fits(expected, &got)).then(|| format!("expected {expected}, got {reply}"))
}

/// Same shape, also of empty lists; members may be added.
fn fits(expected: &Value, got: &Value) -> bool {
    match (expected, got) {
        (Value::Array(expected), Value::Array(got)) => match (expected.first(), got.first()) {
            (Some(expected), Some(got)) => fits(expected, got),
            (None, None) => true,
            _ => false,
        },
        (Value::Object(expected), Value::Object(got)) => expected
            .iter()
            .all(|(key, value)| got.get(key).is_some_and(|got| fits(value, got))),
        _ => expected == got,
    }
}

#[tokio::test]
async fn recorded_requests_get_the_recorded_replies() {
    let bench = Bench::start().await;
    let mut helper = bench.client().await;
    let mut ids = Ids::default();
    let mut complaints = Vec::new();
    for Record {
        name,
        text,
        binary,
        record,
    } in records()
    {
        ids.prepare(&mut helper, &text).await;
        let text = ids.replace(&text);
        let mut client = bench.client().await;
        match record["bind"].as_str() {
            Some("connect") => drop(client.result("connect", json!({})).await),
            Some(_) => drop(
                client
                    .result("describe", json!({"object": "manager_ServerManager"}))
                    .await,
            ),
            None => {}
        }
        match binary {
            true => client
                .socket
                .send(Message::binary(text.into_bytes()))
                .await
                .unwrap(),
            false => client.send_text(&text).await,
        }
        if record["expect"] == "empty" {
            assert_eq!(client.receive_text().await.unwrap().unwrap(), "", "{name}");
            continue;
        }
        let reply = client.receive().await;
        if record["expect"] == "disconnect" {
            // Kurento drops such connections, or crashes; here there is a reply, and it goes on.
            let is_valid = name.ends_with("getIceTcp");
            assert_eq!(
                reply["error"]["code"].is_i64(),
                !is_valid,
                "{name}: {reply}"
            );
            client.result("ping", json!({})).await;
        } else if let Some(complaint) = complaint(&name, &record, &ids, &reply) {
            complaints.push(format!("{name}: {complaint}"));
        }
        if let (Some(recorded), Some(made)) =
            (record["value"].as_str(), reply["result"]["value"].as_str())
        {
            ids.0.insert(recorded.to_owned(), made.to_owned());
        }
    }
    assert!(
        complaints.is_empty(),
        "{} complaints:\n{}",
        complaints.len(),
        complaints.join("\n")
    );
}
