//! `kmd fuzz`

use crate::exercise::{self, Exercised, Finding, Job, Plan, Subject, short};
use crate::module_file::ModuleFile;
use crate::{Failure, inputs};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Puts the classes and conversions of a module through sequences by chance, each in a process of its own.
///
/// A sequence makes an object with any parameters, calls its operations, sets its properties, sends it packets and formats of all
/// sorts, lets time pass, and releases it. What a seed leads to is always the same. What fails is made as short as it
/// can be, and printed with the number by which it is repeated. The module's code runs as the user who says this.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The library.
    file: PathBuf,
    /// Where the sequences come from.
    #[arg(long, value_name = "N")]
    seed: u64,
    /// How long to go on, all classes together.
    #[arg(long, value_name = "S", default_value_t = 10)]
    seconds: u64,
    /// One class alone.
    #[arg(long, value_name = "CLASS")]
    class: Option<String>,
    /// One sequence alone, by the number with which it was printed.
    #[arg(long, value_name = "K")]
    case: Option<u64>,
    /// Descriptor of a module that is imported. The standard modules are known.
    #[arg(short, long, value_name = "FILE")]
    dependency: Vec<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let file = ModuleFile::read(&arguments.file)?;
    let Some(manifest) = &file.manifest else {
        let text = format!(
            "{}: no module: `kmd check` says why",
            arguments.file.display()
        );
        return Err(Failure(Some(text)));
    };
    let dependencies = inputs::read(&arguments.dependency)?;
    let class = arguments.class.as_deref();
    let subjects = exercise::subjects(&arguments.file, manifest, &dependencies, class)?;
    let deadline = Instant::now() + Duration::from_secs(arguments.seconds);
    let mut open: Vec<&Exercised> = subjects.iter().collect();
    let (mut failed, mut count) = (false, 0);
    let first = arguments.case.unwrap_or(0);
    // Each in turn, so that all get as far.
    for case in first.. {
        let mut left = Vec::new();
        for subject in open {
            let is_over = count > 0 && arguments.case.is_none() && Instant::now() > deadline;
            if is_over {
                continue;
            }
            count += 1;
            match try_out(subject, arguments, case)? {
                true => left.push(subject),
                false => failed = true,
            }
        }
        open = left;
        if open.is_empty() || arguments.case.is_some() || Instant::now() > deadline {
            break;
        }
    }
    let (file, seed) = (arguments.file.display(), arguments.seed);
    match failed {
        true => Err(Failure(None)),
        false => {
            println!("{file}: nothing found in {count} sequences of seed {seed}");
            Ok(())
        }
    }
}

/// Whether a sequence passes.
fn try_out(subject: &Exercised, arguments: &Arguments, case: u64) -> Result<bool, Failure> {
    let job = subject.sequence(arguments.seed, case);
    let Some(finding) = exercise::run(&job)?.into_iter().next() else {
        return Ok(true);
    };
    let (job, finding) = exercise::smallest(&job, &subject.plain(), finding)?;
    let (file, name, seed) = (arguments.file.display(), &subject.name, arguments.seed);
    eprintln!("{file}: {name}: seed {seed}, case {case}: {}", finding.text);
    eprint!("{}", described(subject, &job, &finding));
    let class = match subject.is_class() {
        true => format!(" --class {name}"),
        false => String::new(),
    };
    eprintln!("Again: kmd fuzz {file} --seed {seed} --case {case}{class}");
    Ok(false)
}

/// What has to be done for it to happen, a line each.
fn described(subject: &Exercised, job: &Job, _: &Finding) -> String {
    let mut text = match &job.subject {
        Subject::Class { parameters, .. } => {
            format!("    create {} {}\n", subject.name, short(parameters))
        }
        Subject::Conversion { input, output, .. } => format!("    convert {input} to {output}\n"),
    };
    if let Plan::Once(steps) = &job.plan {
        for step in steps {
            text += &format!("    {step}\n");
        }
    }
    text
}
