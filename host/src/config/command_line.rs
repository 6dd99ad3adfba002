//! Command line and environment, as of `kurento-media-server`.

use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use clap::builder::{FalseyValueParser, OsStringValueParser, TypedValueParser};
use clap::{CommandFactory, FromArgMatches, Parser};

use super::known;
use crate::handover::Step;
use crate::observe::logging::LogFormat;

/// Where the main configuration is if nobody says otherwise.
pub(super) const DEFAULT_FILE: &str = "/etc/kurento/kurento.conf.json";

/// Rivero: a plugin-host media server that speaks the Kurento protocol.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "rivero",
    disable_version_flag = true,
    disable_help_flag = true,
    max_term_width = 100
)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is a switch of the command line"
)]
pub struct CommandLine {
    /// Show this help
    #[arg(short, long, env = "KURENTO_HELP", value_parser = FalseyValueParser::new())]
    pub help: bool,
    /// Show the versions of server and modules
    #[arg(short, long, env = "KURENTO_VERSION", value_parser = FalseyValueParser::new())]
    pub version: bool,
    /// List the classes that can be created
    #[arg(short, long, env = "KURENTO_LIST", value_parser = FalseyValueParser::new())]
    pub list: bool,
    /// List the settings of modules, with what they accept and their defaults
    #[arg(long)]
    pub list_settings: bool,
    /// Main configuration file [default: /etc/kurento/kurento.conf.json, if it exists]
    #[arg(short = 'f', long, env = "KURENTO_CONF_FILE", value_name = "FILE")]
    pub conf_file: Option<PathBuf>,
    /// Directories with the configuration of modules, separated by colons
    /// [default: `modules` beside the main file]
    #[arg(
        short = 'c',
        long,
        env = "KURENTO_MODULES_CONFIG_PATH",
        value_name = "DIRS",
        value_delimiter = ':',
        value_parser = possibly_empty_path()
    )]
    pub modules_config_path: Vec<PathBuf>,
    /// Directories with modules, separated by colons, searched before the built-in ones
    #[arg(
        short = 'p',
        long,
        env = "KURENTO_MODULES_PATH",
        value_name = "DIRS",
        value_delimiter = ':',
        value_parser = possibly_empty_path()
    )]
    pub modules_path: Vec<PathBuf>,
    /// Take up no changes of the modules directories while the server runs
    #[arg(long, env = "RIVERO_NO_HOT_PLUG", value_parser = FalseyValueParser::new())]
    pub no_hot_plug: bool,
    /// Use modules that others than root and the server's user may write, for development
    #[arg(long, env = "RIVERO_ALLOW_WRITABLE_MODULES", value_parser = FalseyValueParser::new())]
    pub allow_writable_modules: bool,
    /// Use modules in `dev` of the data directory before all others: `kmd dev --server` puts them there
    #[arg(long, env = "RIVERO_DEV", value_parser = FalseyValueParser::new())]
    pub dev: bool,
    /// Directory for log files, in place of standard error
    #[arg(short = 'd', long, env = "KURENTO_LOGS_PATH", value_name = "DIR")]
    pub logs_path: Option<PathBuf>,
    /// Size of a log file, in MB
    #[arg(
        short = 's',
        long,
        env = "KURENTO_LOG_FILE_SIZE",
        value_name = "MB",
        default_value_t = 100
    )]
    pub log_file_size: u64,
    /// Number of log files that are kept
    #[arg(
        short = 'n',
        long,
        env = "KURENTO_NUMBER_LOG_FILES",
        value_name = "N",
        default_value_t = 10
    )]
    pub number_log_files: usize,
    /// How lines of the log look: `text`, or `json` for programs, an object a line
    #[arg(
        long,
        env = "RIVERO_LOG_FORMAT",
        value_name = "FORMAT",
        default_value = "text"
    )]
    pub log_format: LogFormat,
    /// Where the server and its modules keep data [default: a directory of the user]
    #[arg(long, env = "RIVERO_DATA_PATH", value_name = "DIR")]
    pub data_path: Option<PathBuf>,
    /// Seconds that calls may go on for after SIGTERM or SIGINT, while nothing new is begun
    /// [default: mediaServer.drainTimeout of the main configuration file, or 0]
    #[arg(long, env = "RIVERO_DRAIN_TIMEOUT", value_name = "SECONDS")]
    pub drain_timeout: Option<u32>,
    /// Refuse to start where the network reaches the server and nobody is asked for a credential
    #[arg(long, env = "RIVERO_REQUIRE_AUTH", value_parser = FalseyValueParser::new())]
    pub require_auth: bool,
    /// Port for metrics and health checks, 0 for any; if it is taken the server goes on without
    #[arg(
        long,
        env = "RIVERO_MANAGEMENT_PORT",
        value_name = "PORT",
        default_value_t = 8890
    )]
    pub management_port: u16,
    /// Address of that port
    #[arg(
        long,
        env = "RIVERO_MANAGEMENT_ADDRESS",
        value_name = "ADDRESS",
        default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST)
    )]
    pub management_address: IpAddr,
    /// Refuse to start with unknown or ill-typed settings
    #[arg(long)]
    pub strict_config: bool,
    /// Try out the files of modules and exit; the server calls itself so
    #[arg(long, value_name = "FILE", num_args = 1.., hide = true)]
    pub probe_module: Vec<PathBuf>,
    /// Serve a module for the server that started this process; the server calls itself so
    #[arg(long, value_name = "MODULE", hide = true)]
    pub isolated_module: Option<String>,
    /// Take over from the server that started this process; the server calls itself so
    #[arg(long, value_name = "STEP", hide = true)]
    pub take_over: Option<Step>,
    /// `check-config` checks the configuration files and exits
    #[arg(value_name = "COMMAND", value_parser = ["check-config"])]
    pub command: Option<String>,
}

impl CommandLine {
    /// Parses arguments, the program's name first.
    ///
    /// As in Kurento, what is not the server's is ignored: options of GStreamer are common in
    /// scripts (`--gst-debug-level=3`), and service files hand over a stray `'2>&1'`. It is
    /// returned, to be told.
    ///
    /// # Errors
    /// For malformed and missing values of options that are known.
    pub fn parse_tolerantly(
        arguments: impl IntoIterator<Item = OsString>,
    ) -> Result<(CommandLine, Vec<String>), clap::Error> {
        let command = command();
        let (kept, ignored) = known::separate(&command, arguments);
        let matches = command.try_get_matches_from(kept)?;
        CommandLine::from_arg_matches(&matches).map(|parsed| (parsed, ignored))
    }

    /// The text that `--help` shows.
    #[must_use]
    pub fn help_text() -> String {
        command().render_long_help().to_string()
    }
}

/// Variables of the environment that are set to nothing count as not set, as is usual in files of
/// variables for services and containers.
fn command() -> clap::Command {
    CommandLine::command().mut_args(|argument| {
        let value = argument.get_env().and_then(std::env::var_os);
        if value.is_some_and(|value| value.is_empty()) {
            argument.env(None::<&'static str>)
        } else {
            argument
        }
    })
}

/// A part of a list: `a::b` has an empty one, and so has `$UNSET:/a`. It names no directory.
fn possibly_empty_path() -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<(CommandLine, Vec<String>), clap::Error> {
        CommandLine::parse_tolerantly(
            std::iter::once("rivero")
                .chain(arguments.iter().copied())
                .map(OsString::from),
        )
    }

    #[test]
    fn kurentos_options_are_understood() {
        let (line, ignored) = parse(&[
            "-f",
            "a.conf.json",
            "--modules-path=/x:/y",
            "-c",
            "/c",
            "-n",
            "3",
        ])
        .unwrap();
        assert_eq!(line.conf_file, Some("a.conf.json".into()));
        assert_eq!(line.modules_path, [PathBuf::from("/x"), "/y".into()]);
        assert_eq!(
            (line.number_log_files, line.log_file_size, ignored.len()),
            (3, 100, 0)
        );
        assert!(parse(&["-v"]).unwrap().0.version && parse(&["--list"]).unwrap().0.list);
    }

    #[test]
    fn what_is_not_the_servers_is_ignored_and_returned() {
        let ignored = |arguments: &[&str]| {
            let (line, ignored) = parse(arguments).unwrap();
            assert!(line.strict_config, "{arguments:?}");
            assert_eq!(line.command, None);
            ignored
        };
        let gstreamer = ["--gst-debug-level=3", "--gst-debug", "Kurento*:4"];
        assert_eq!(
            ignored(&[gstreamer.as_slice(), &["--strict-config"]].concat()),
            ["--gst-debug-level", "--gst-debug"]
        );
        for stray in ["2>&1", "-x", "-", "--", "frobnicate", ">", "", "ü", "-q"] {
            assert_eq!(ignored(&["--strict-config", stray]), [stray]);
            assert_eq!(ignored(&["--strict-config", "-n3", stray]), [stray]);
            if stray != "--" {
                assert_eq!(ignored(&[stray, "--strict-config"]), [stray]);
            }
        }
        let all = ignored(&["--strict-config", "a", "--", "-v", "b"]);
        assert_eq!(all, ["a", "--", "-v", "b"]);
    }

    #[test]
    fn short_options_in_a_row_keep_those_that_are_known() {
        let (line, ignored) = parse(&["-x", "-lxl", "-qn4", "-vn", "5"]).unwrap();
        assert!(line.version && line.list);
        assert_eq!(line.number_log_files, 5);
        assert_eq!(ignored, ["-x", "-xl", "-qn4"]);
    }

    #[test]
    fn values_are_no_strays() {
        let (line, ignored) = parse(&["-f", "check-config", "--logs-path", "2>&1"]).unwrap();
        assert_eq!(line.conf_file, Some("check-config".into()));
        assert_eq!(line.logs_path, Some("2>&1".into()));
        assert_eq!((line.command, ignored.len()), (None, 0));
        let (line, _) = parse(&["x", "check-config", "y"]).unwrap();
        assert_eq!(line.command.as_deref(), Some("check-config"));
        let (line, _) = parse(&["--probe-module", "a.so", "b.so"]).unwrap();
        assert_eq!(line.probe_module.len(), 2);
    }

    #[test]
    fn lists_may_have_empty_parts() {
        let (line, _) = parse(&["--modules-path=:/x::/y", "-c", ""]).unwrap();
        let parts = ["", "/x", "", "/y"].map(PathBuf::from);
        assert_eq!(line.modules_path, parts);
        assert_eq!(line.modules_config_path, [PathBuf::new()]);
    }

    #[test]
    fn malformed_values_are_refused() {
        for arguments in [
            ["-n", "many"].as_slice(),
            &["-nmany"],
            &["-n"],
            &["-n", "-v"],
            &["--log-file-size=-1"],
            &["--log-format", "xml"],
            &["--help=3"],
        ] {
            assert!(parse(arguments).is_err(), "{arguments:?}");
        }
        assert_eq!(
            parse(&["--log-format=json"]).unwrap().0.log_format,
            LogFormat::Json
        );
    }
}
