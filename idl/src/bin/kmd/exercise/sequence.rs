//! Sequences of steps, by chance and in order.

use super::media;
use super::plan::{Kind, Step, Wish};
use super::random::Random;
use super::values::Values;
use rivero_idl::{Class, Model, Operation, Param};
use rivero_plugin_api::Format;

/// Steps of a sequence at most.
const STEPS: usize = 40;
/// Classes whose members are the server's own business.
const OF_THE_SERVER: [&str; 4] = ["MediaObject", "MediaElement", "Hub", "MediaPipeline"];
const KINDS: [Kind; 3] = [Kind::Video, Kind::Audio, Kind::Data];

/// Operations of a class that its module serves, by name.
pub(crate) struct Operations {
    getters: Vec<String>,
    /// Methods and setters.
    others: Vec<(String, Vec<Param>)>,
}

impl Operations {
    pub(crate) fn of(class: &Class) -> Self {
        let of_module = |declared_by: &str| {
            let name = declared_by.rsplit('.').next().unwrap_or_default();
            !OF_THE_SERVER.contains(&name)
        };
        let mut operations = Self {
            getters: Vec::new(),
            others: Vec::new(),
        };
        let properties = class.properties().iter();
        for property in properties.filter(|property| of_module(&property.declared_by)) {
            let name = capitalised(&property.name);
            operations.getters.push(format!("get{name}"));
            let setter = format!("set{name}");
            if let Some(operation @ Operation::Setter(_)) = class.operation(&setter) {
                let parameters = operation.params().to_vec();
                operations.others.push((setter, parameters));
            }
        }
        let methods = class.methods().iter();
        for method in methods.filter(|method| of_module(&method.declared_by)) {
            operations
                .others
                .push((method.name.clone(), method.params.clone()));
        }
        operations
    }

    /// Reads of each property.
    pub(crate) fn reads(&self) -> Vec<Step> {
        let read = |name: &String| Step::Call(name.clone(), serde_json::json!({}));
        self.getters.iter().map(read).collect()
    }

    /// Every operation once, with values by chance.
    pub(crate) fn all(&self, model: &Model, random: &mut Random) -> Vec<Step> {
        let mut steps = self.reads();
        for (name, parameters) in &self.others {
            let parameters = Values { model, random }.parameters(parameters, true);
            steps.push(Step::Call(name.clone(), parameters));
        }
        steps.push(Step::Stats);
        steps
    }

    fn any(&self, model: &Model, random: &mut Random) -> Step {
        if self.others.is_empty() || random.one_in(4) {
            let read = |name: &String| Step::Call(name.clone(), serde_json::json!({}));
            return random.choose(&self.getters).map_or(Step::Stats, read);
        }
        match random.choose(&self.others).cloned() {
            Some((name, parameters)) => {
                let parameters = Values { model, random }.parameters(&parameters, true);
                Step::Call(name, parameters)
            }
            None => Step::Stats,
        }
    }
}

fn capitalised(name: &str) -> String {
    let mut letters = name.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

/// A sequence with an object of a class.
pub(crate) fn steps(
    operations: &Operations,
    model: &Model,
    is_hub: bool,
    random: &mut Random,
) -> Vec<Step> {
    let mut connected: Vec<(Kind, Format)> = Vec::new();
    let mut steps = vec![Step::Watch(true)];
    if is_hub {
        steps.extend([Step::AddPort, Step::AddPort]);
    }
    let count = 4 + random.below(STEPS - 4);
    while steps.len() < count {
        match random.below(20) {
            0..7 => steps.push(operations.any(model, random)),
            7..10 => {
                let kind = random.choose(&KINDS).copied().unwrap_or(Kind::Video);
                let format = media::format(random, kind);
                connected.retain(|(known, _)| *known != kind);
                connected.push((kind, format.clone()));
                steps.push(Step::Connect(kind, format));
            }
            10..16 => steps.extend(
                random
                    .choose(&connected)
                    .cloned()
                    .map(|(kind, format)| Step::Push(kind, media::pieces(random, &format))),
            ),
            16 => steps.push(Step::Pass(
                [0, 1, 20, 1000, 60_000]
                    .get(random.below(5))
                    .copied()
                    .unwrap_or(0),
            )),
            17 => steps.push(Step::Ask(wish(random))),
            18 => steps.push(Step::Watch(random.one_in(2))),
            _ => steps.push(rare(random, is_hub)),
        }
    }
    steps
}

fn wish(random: &mut Random) -> Wish {
    match random.below(4) {
        0 => Wish::Keyframe,
        1 => Wish::Bitrate(
            random
                .choose(&[0, 1, 300_000, u64::MAX])
                .copied()
                .unwrap_or(0),
        ),
        2 => Wish::Loss(random.choose(&[0.0, 0.5, 1.0]).copied().unwrap_or(0.0)),
        _ => {
            let mut layer = || u8::try_from(random.below(256)).unwrap_or(0);
            Wish::Layer(layer(), layer(), layer())
        }
    }
}

fn rare(random: &mut Random, is_hub: bool) -> Step {
    match random.below(6) {
        0 => Step::Stats,
        1 => Step::Disconnect(random.choose(&KINDS).copied().unwrap_or(Kind::Video)),
        2 if is_hub => Step::RemovePort,
        3 | 4 if is_hub => Step::AddPort,
        5 => Step::Release,
        _ => Step::Watch(true),
    }
}
