//! A server on a free port of the loopback address, a client, and modules made of thin air.

#![allow(unreachable_pub, reason = "what is for all tests reads like a library")]

pub mod certificates;
pub mod client;
pub mod exposition;
pub mod jwt;
pub mod process;
pub mod toys;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rivero::auth::{Caller, Guard};
use rivero::config::CommandLine;
use rivero::console;
use rivero::core::{self, Core};
use rivero::http::access::Policy;
use rivero::lifecycle::Event;
use rivero::protocol::listener::Binding;
use rivero::registry::Object;
use rivero::server::{Options, Server};
use rivero_media::Plane;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

pub use client::Client;
pub use toys::Toys;

/// A guard that has read this section `mediaServer.auth`; files are relative to `directory`.
pub fn guard_in(directory: &Path, auth: Value) -> Guard {
    let file = directory.join("guard.conf.json");
    // Where it asks for certificates there has to be a TLS listener, which nobody opens here.
    let net = json!({"websocket": {"secure": {"port": 8433}}});
    let tree = json!({"mediaServer": {"net": net, "auth": auth}});
    std::fs::write(&file, tree.to_string()).unwrap();
    let arguments = ["rivero", "--conf-file", file.to_str().unwrap()].map(Into::into);
    let (command_line, _) = CommandLine::parse_tolerantly(arguments).unwrap();
    let settings = rivero::config::load(&command_line).unwrap().settings;
    Guard::load(settings.auth.unwrap(), directory, &mut Vec::new()).unwrap()
}

/// As [`guard_in`], of a section that names no files.
pub fn guard(auth: Value) -> Guard {
    guard_in(tempfile::tempdir().unwrap().path(), auth)
}

/// The token of a name, for tests.
pub fn token(name: &str) -> String {
    format!("{name}-0123456789abcdef")
}

/// A free port of the loopback address.
pub fn binding() -> Binding {
    Binding {
        address: Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        port: 0,
        ipv6: false,
        backlog: 128,
    }
}

/// What is answered to these bytes, until the other side hangs up.
pub async fn http(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

/// Names of any length: the longest texts that a client gets back as it gave them.
pub fn with_long_names() -> core::Options {
    let mut options = core::Options::default();
    options.limits.object_label_bytes = 16 << 20;
    options
}

/// A running server.
pub struct Bench {
    /// The plain listener, or the secure one of a server without.
    pub address: SocketAddr,
    pub secure_address: Option<SocketAddr>,
    pub management_address: Option<SocketAddr>,
    pub core: Arc<Core>,
    pub toys: Arc<Toys>,
    task: JoinHandle<()>,
}

impl Bench {
    pub async fn start() -> Bench {
        Bench::with(Toys::new(), |_| {}).await
    }

    pub async fn with(toys: Arc<Toys>, change: impl FnOnce(&mut Options)) -> Bench {
        Bench::of(core::Options::default(), toys, change).await
    }

    pub async fn of(
        core_options: core::Options,
        toys: Arc<Toys>,
        change: impl FnOnce(&mut Options),
    ) -> Bench {
        let core = Core::new(toys.clone(), Plane::start().unwrap(), core_options).unwrap();
        let mut options = Options {
            binding: Some(binding()),
            secure: None,
            management: None,
            console: console::Options::default(),
            access: Policy::default(),
            guard: Arc::default(),
            path: "kurento".into(),
            registrar: None,
            collector_period: Duration::from_secs(240),
            caches_replies: true,
        };
        change(&mut options);
        let server = Server::open(core.clone(), options).unwrap();
        let secure_address = server.secure_address();
        let management_address = server.management_address();
        let address = server.address().or(secure_address).unwrap();
        let task = tokio::spawn(server.run());
        Bench {
            address,
            secure_address,
            management_address,
            core,
            toys,
            task,
        }
    }

    /// What the server answers to these bytes, until it hangs up.
    pub async fn http(&self, request: &str) -> String {
        http(self.address, request).await
    }

    /// The object with this id, whoever owns it.
    pub fn object(&self, id: &str) -> Option<Arc<Object>> {
        let caller = Caller::anyone(&self.core.accounts.of_server());
        self.core.registry.view(&caller).object(id).ok()
    }

    pub async fn client(&self) -> Client {
        Client::connect(self.address, "/kurento").await
    }

    /// Ends the server in an orderly way.
    pub async fn stop(self) {
        self.core.lifecycle.step(Event::Stop);
        self.ended().await;
    }

    /// Waits for the end of a server that was told to.
    pub async fn ended(self) {
        self.task.await.unwrap();
        assert!(self.core.lifecycle.is_complete());
    }
}
