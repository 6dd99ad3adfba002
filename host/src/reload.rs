//! Reading the configuration again while the server runs (SIGHUP, `systemctl reload`), or handing
//! over to a new server where the program is another one by now.
//!
//! All of it is read and checked as at a start, then what can change in a running server does:
//! either everything that was read, or, where a start would be refused, nothing.

use std::sync::Arc;

use parking_lot::Mutex;
use rivero_media::Plane;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use crate::config::{CommandLine, Configuration, Difference};
use crate::core::Core;
use crate::handover::{self, Program};
use crate::lifecycle::Phase;
use crate::modules::Modules;
use crate::server::Controls;
use crate::signals::Asked;
use crate::startup::{self, Error, Update};
use crate::systemd;

/// Everything that goes by the configuration.
pub struct Reload {
    /// What the process was started with.
    pub command_line: CommandLine,
    /// Sessions, objects and their bounds.
    pub core: Arc<Core>,
    /// What the modules are told.
    pub modules: Arc<Modules>,
    /// The media plane.
    pub plane: Arc<Plane>,
    /// The way in.
    pub controls: Controls,
    /// What was read last.
    pub current: Mutex<Configuration>,
    /// What runs here.
    pub program: Program,
}

impl Reload {
    /// Does what signals ask for, one thing after the other, for as long as it is polled.
    pub async fn attend(self: Arc<Self>, mut asked: mpsc::Receiver<Asked>) {
        while let Some(asked) = asked.recv().await {
            let phase = self.core.lifecycle.phase();
            if phase != Phase::Running {
                tracing::warn!("nothing is reloaded: the server is {phase}");
                continue;
            }
            systemd::reloading();
            let this = self.clone();
            // Files, names of hosts and new processes may take their time.
            let failure = spawn_blocking(move || this.carry_out(asked)).await;
            let failure = failure.unwrap_or_else(|error| Some(error.to_string()));
            if self.core.lifecycle.phase() == Phase::Running {
                systemd::reloaded(failure);
            }
        }
    }

    /// The reason if nothing came of it.
    fn carry_out(&self, asked: Asked) -> Option<String> {
        let hands_over = asked == Asked::HandOver || self.program_has_changed();
        let failure = match hands_over {
            true => self.hand_over().err().map(|error| error.to_string()),
            false => self.run().err().map(|error| error.to_string()),
        };
        if let Some(error) = &failure {
            match hands_over {
                true => tracing::error!("nothing changes, no other process takes over: {error}"),
                false => {
                    tracing::error!("nothing changes, the configuration cannot be used: {error}");
                }
            }
        }
        failure
    }

    fn program_has_changed(&self) -> bool {
        self.program.has_changed().unwrap_or_else(|error| {
            let path = self.program.path().display();
            tracing::warn!(%error, "cannot see whether there is a new {path}");
            false
        })
    }

    /// Lets a new process serve whoever comes. What is here goes on here.
    fn hand_over(&self) -> Result<(), handover::Error> {
        tracing::info!("{} takes over", self.program.path().display());
        let successor = handover::start(&self.program, self.controls.sockets())?;
        if !self.core.lifecycle.hand_over(successor.process) {
            successor.stop();
            return Err(handover::Error::Stopping);
        }
        Ok(successor.attend(self.core.lifecycle.clone(), self.controls.adopter())?)
    }

    /// Reads everything again, and says key by key what has changed.
    ///
    /// # Errors
    /// Whatever would keep a server from starting; then nothing has changed.
    fn run(&self) -> Result<(), Error> {
        let mut problems = Vec::new();
        let update = startup::update(&self.command_line, &self.modules, &mut problems);
        for problem in &problems {
            tracing::warn!("{problem}");
        }
        let update = update?;
        if self.command_line.strict_config && !problems.is_empty() {
            return Err(Error::Strict);
        }
        let settings = &update.configuration.settings;
        let is_open = self.controls.would_be_open_to_all(&update.server);
        if is_open && settings.require_auth {
            return Err(Error::Unprotected);
        }
        let before = self.current.lock().tree.clone();
        let differences = before.differences(&update.configuration.tree);
        self.apply(update)?;
        for problem in self.modules.unusable_files() {
            tracing::warn!("{problem}");
        }
        self.tell(&differences);
        if is_open
            && differences
                .iter()
                .any(|one| one.key.starts_with("mediaServer.auth"))
        {
            tracing::warn!("the server is open to the network and asks nobody for a token");
        }
        Ok(())
    }

    fn apply(&self, update: Update) -> Result<(), Error> {
        // First, since nothing else can fail.
        self.modules.reconfigure(update.modules)?;
        let settings = &update.configuration.settings;
        self.plane.set_shared_encoding(settings.shared_encoding);
        if !settings.modules.hot_plug {
            self.modules.look_again(&self.core.module_listener());
        }
        self.core.set_options(update.core);
        self.controls.apply(update.server);
        *self.current.lock() = update.configuration;
        Ok(())
    }

    fn tell(&self, differences: &[Difference]) {
        for Difference { key, effect } in differences {
            let overridden =
                key == "mediaServer.drainTimeout" && self.command_line.drain_timeout.is_some();
            match overridden {
                true => tracing::info!(
                    "{key} has changed, and --drain-timeout or RIVERO_DRAIN_TIMEOUT counts"
                ),
                false => tracing::info!("{key} has changed, and {effect}"),
            }
        }
        let count = differences.len();
        tracing::info!("the configuration was read again: {count} key(s) changed");
    }
}
