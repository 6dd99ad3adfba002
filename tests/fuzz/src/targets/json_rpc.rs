//! The protocol: each line is one message of a connection. `$0`, `$1` … stand for the results of
//! earlier messages, so that a line can name objects that others made.

use std::{
    net::Ipv4Addr,
    sync::{Arc, OnceLock},
};

use rivero::{
    accounts::{Claim, Resource},
    auth::Caller,
    core::{self, Core, factories::Factories},
    error::CallError,
    modules::{Factory, Installed},
    protocol::methods::{Begun, Methods, Peer, Reply},
    registry::Outbox,
};
use rivero_idl::Model;
use rivero_media::Plane;
use serde_json::Value;
use tokio::runtime::Runtime;

/// Lines of an input at most.
const LINES: usize = 64;

/// What lives as long as the process.
struct World {
    runtime: Runtime,
    plane: Arc<Plane>,
    model: Arc<Model>,
}

pub(crate) fn run(input: &[u8]) {
    static WORLD: OnceLock<World> = OnceLock::new();
    let world = WORLD.get_or_init(World::begin);
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    let _inside = world.runtime.enter();
    let no_modules = Arc::new(NoModules(world.model.clone()));
    let core = Core::new(no_modules, world.plane.clone(), core::Options::default());
    let core = core.expect("a core without modules");
    let account = core.accounts.of_peer(Ipv4Addr::LOCALHOST.into());
    let methods = Methods::new(core, true);
    let mut peer = Peer::new(Outbox::new(&account), Caller::anyone(&account));
    let mut results = Vec::new();
    for line in text.lines().take(LINES) {
        let message = filled_in(line, &results);
        let received = Claim::none(&account, Resource::RequestBytes);
        match methods.begin(peer.origin(), &message, received) {
            Begun::Done(reply) => {
                results.push(checked(&reply));
                if let Some(session) = &reply.session {
                    methods.bind(&mut peer, session);
                }
            }
            // Whoever asks for the CPU use of 8 s is not waited for.
            Begun::Pending { .. } | Begun::Repeated { .. } => results.push(String::new()),
        }
    }
}

impl World {
    fn begin() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        Self {
            runtime: runtime.expect("a runtime"),
            plane: Plane::start().expect("a media plane"),
            model: Arc::new(Model::standard().expect("the standard descriptors")),
        }
    }
}

/// Every reply is a JSON-RPC response, or empty after a notification without a result; its `result.value`, where that is text, is the result.
fn checked(reply: &Reply) -> String {
    if reply.text.is_empty() {
        return String::new();
    }
    let reply: Value = serde_json::from_str(&reply.text).expect("a reply is JSON");
    assert_eq!(reply.get("jsonrpc"), Some(&Value::from("2.0")));
    assert!(
        reply.get("result").is_some() != reply.get("error").is_some(),
        "{reply}"
    );
    let value = reply.pointer("/result/value").and_then(Value::as_str);
    value.unwrap_or_default().to_owned()
}

fn filled_in(line: &str, results: &[String]) -> String {
    let mut line = line.to_owned();
    for (number, result) in results.iter().enumerate().take(10) {
        line = line.replace(&format!("${number}"), result);
    }
    line
}

struct NoModules(Arc<Model>);

impl Factories for NoModules {
    fn model(&self) -> Arc<Model> {
        self.0.clone()
    }

    fn installed(&self) -> Vec<Installed> {
        Vec::new()
    }

    fn provides(&self, _: &str) -> bool {
        false
    }

    fn factory(&self, class: &str) -> Result<Factory, CallError> {
        Err(CallError::not_available(format!(
            "Factory '{class}' not found"
        )))
    }
}
