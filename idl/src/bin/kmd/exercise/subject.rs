//! What of a module can be put through something: its classes, and its conversions.

use super::media;
use super::plan::{Job, Kind, Plan, Step, Subject};
use super::random::Random;
use super::sequence::{self, Operations};
use super::values::Values;
use crate::Failure;
use crate::inputs;
use crate::module_file::Manifest;
use rivero_idl::{Class, Descriptor, Model};
use rivero_plugin_api::{Conversion, Format, Packaging};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A class or a conversion of a module.
pub(crate) struct Exercised {
    library: PathBuf,
    /// As people know it.
    pub(crate) name: String,
    model: Arc<Model>,
    of: Of,
}

enum Of {
    Class(Arc<Class>, Operations),
    Conversion(u32, Format, Format),
}

/// All of a module; those of this name if one is named.
pub(crate) fn subjects(
    library: &Path,
    manifest: &Manifest,
    dependencies: &[Descriptor],
    named: Option<&str>,
) -> Result<Vec<Exercised>, Failure> {
    let own = manifest.descriptor.as_ref();
    let own = own.map(|own| Descriptor::parse("descriptor", &own.to_string()));
    let mut all = dependencies.to_vec();
    all.extend(own.transpose()?);
    let model = Arc::new(Model::new(inputs::with_standard(all)?)?);
    let library = library.canonicalize()?;
    let classes = manifest.classes.iter().filter_map(|name| model.class(name));
    let mut found: Vec<Exercised> = classes
        .map(|class| Exercised {
            library: library.clone(),
            name: class.qualified_name().to_string(),
            model: model.clone(),
            of: Of::Class(class.clone(), Operations::of(class)),
        })
        .collect();
    let conversions = (0..).zip(&manifest.conversions);
    found.extend(conversions.map(|(index, conversion)| {
        let (input, output) = (format(conversion, true), format(conversion, false));
        Exercised {
            library: library.clone(),
            name: format!("{input} to {output}"),
            model: model.clone(),
            of: Of::Conversion(index, input, output),
        }
    }));
    if let Some(named) = named {
        let is_named = |name: &str| name == named || name.rsplit('.').next() == Some(named);
        found.retain(|exercised| is_named(&exercised.name));
    }
    match found.is_empty() {
        true => Err(Failure(Some(format!(
            "{}: there is no such class",
            library.display()
        )))),
        false => Ok(found),
    }
}

/// The plain format of one side of a conversion.
fn format(conversion: &Conversion, is_input: bool) -> Format {
    let (encoding, packaging) = match is_input {
        true => &conversion.input,
        false => &conversion.output,
    };
    let (rate, channels) = match (&**encoding, *packaging) {
        (_, Packaging::Raw) => (0, 0),
        ("OPUS", _) => (48_000, 2),
        ("PCMU" | "PCMA" | "G722", _) => (8000, 1),
        _ => (90_000, 0),
    };
    Format {
        packaging: *packaging,
        ..Format::rtp(encoding.clone(), rate, channels)
    }
}

impl Exercised {
    fn job(&self, subject: Subject, plan: Plan) -> Job {
        let library = self.library.clone();
        Job {
            library,
            subject,
            plan,
        }
    }

    /// With parameters of its constructor by chance or, where none is given, plain ones.
    fn subject(&self, random: Option<&mut Random>) -> Subject {
        let is_wild = random.is_some();
        let mut own = Random::new(0, "", 0);
        let random = random.unwrap_or(&mut own);
        let model = &self.model;
        match &self.of {
            Of::Class(class, _) => Subject::Class {
                name: class.name.clone(),
                is_hub: class.is_a("Hub"),
                parameters: Values { model, random }.parameters(&class.constructor, is_wild),
            },
            Of::Conversion(index, input, output) => Subject::Conversion {
                index: *index,
                input: input.clone(),
                output: output.clone(),
            },
        }
    }

    /// With what parameters it is made if nobody says anything.
    pub(crate) fn plain(&self) -> Subject {
        self.subject(None)
    }

    pub(crate) fn is_class(&self) -> bool {
        matches!(self.of, Of::Class(..))
    }

    /// Media that nobody could object to.
    fn usual_media(&self, count: usize) -> Vec<Step> {
        match &self.of {
            Of::Class(..) => media::all_usual(count),
            Of::Conversion(_, input, _) => {
                vec![Step::Push(Kind::Video, media::proper(input, count, 0))]
            }
        }
    }

    /// Objects that come and go, which are asked a little and see a little media.
    pub(crate) fn lifecycle(&self, rounds: usize, objects: usize) -> Job {
        let mut steps = match &self.of {
            Of::Class(_, operations) => operations.reads(),
            Of::Conversion(..) => Vec::new(),
        };
        steps.insert(0, Step::Watch(true));
        steps.extend([Step::AddPort, Step::AddPort]);
        steps.extend(self.usual_media(1));
        self.job(
            self.plain(),
            Plan::Repeated {
                rounds,
                objects,
                steps,
            },
        )
    }

    /// Each operation with parameters by chance, of an object that was made of such.
    pub(crate) fn parameters(&self, random: &mut Random) -> Job {
        let subject = match random.one_in(3) {
            true => self.plain(),
            false => self.subject(Some(random)),
        };
        let steps = match &self.of {
            Of::Class(_, operations) => operations.all(&self.model, random),
            Of::Conversion(..) => Vec::new(),
        };
        self.job(subject, Plan::Once(steps))
    }

    /// Media that is wrong in any way.
    pub(crate) fn media(&self, random: &mut Random, count: usize) -> Job {
        let mut steps = vec![Step::AddPort, Step::AddPort, Step::Watch(true)];
        for _ in 0..count {
            match &self.of {
                Of::Class(..) => {
                    let kinds = [Kind::Video, Kind::Video, Kind::Audio, Kind::Data];
                    let kind = random.choose(&kinds).copied().unwrap_or(Kind::Video);
                    let format = media::format(random, kind);
                    steps.push(Step::Connect(kind, format.clone()));
                    for _ in 0..3 {
                        steps.push(Step::Push(kind, media::pieces(random, &format)));
                    }
                    steps.push(Step::Pass(20));
                }
                Of::Conversion(_, input, _) => {
                    steps.push(Step::Push(Kind::Video, media::pieces(random, input)));
                }
            }
        }
        self.job(self.plain(), Plan::Once(steps))
    }

    /// Calls, media, time and the release beside each other.
    pub(crate) fn at_once(&self, random: &mut Random, objects: usize) -> Job {
        let calls = match &self.of {
            Of::Class(_, operations) => operations.all(&self.model, random),
            Of::Conversion(..) => Vec::new(),
        };
        let media = self.usual_media(4);
        self.job(
            self.plain(),
            Plan::AtOnce {
                objects,
                calls,
                media,
            },
        )
    }

    /// Usual media, step by step.
    pub(crate) fn prompt(&self) -> Job {
        let mut steps = vec![Step::AddPort, Step::AddPort, Step::Watch(true)];
        for _ in 0..5 {
            steps.extend(self.usual_media(8));
        }
        self.job(self.plain(), Plan::Once(steps))
    }

    /// Usual media for long, which somebody takes or nobody does.
    pub(crate) fn kept(&self, is_taken: bool) -> Job {
        // As many bytes as a minute of small pictures.
        let media = self.usual_media(16);
        self.job(
            self.plain(),
            Plan::Kept {
                media,
                times: 100,
                is_taken,
            },
        )
    }

    /// A sequence by chance, for `kmd fuzz`.
    pub(crate) fn sequence(&self, seed: u64, case: u64) -> Job {
        let random = &mut Random::new(seed, &self.name, case);
        match &self.of {
            Of::Class(class, operations) => {
                let subject = match random.one_in(3) {
                    true => self.plain(),
                    false => self.subject(Some(random)),
                };
                let is_hub = class.is_a("Hub");
                let steps = sequence::steps(operations, &self.model, is_hub, random);
                self.job(subject, Plan::Once(steps))
            }
            Of::Conversion(..) => self.media(random, 8),
        }
    }
}
