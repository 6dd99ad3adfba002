//! What a module does while it runs, each question in a process of its own.

use super::rules::Facts;
use crate::Failure;
use crate::exercise::{self, Exercised, Fault, Finding, Job, Random};

/// Where everything by chance comes from: a module that passes today passes tomorrow.
const SEED: u64 = 1;
/// Objects of each class that come and go: rounds, and objects in each.
const LIFECYCLE: (usize, usize) = (5, 200);
/// Sequences by chance for each question.
const CASES: u64 = 20;
/// Objects that are released while they are busy, on each of two threads.
const BUSY: usize = 20;
/// What takes too long once has had no processor; what does so always is slow.
const TRIES: usize = 3;

/// What is found in `jobs` of each class and conversion, of faults that count.
fn breaches(
    facts: &Facts<'_>,
    jobs: impl Fn(&Exercised) -> Vec<Job>,
    counts: impl Fn(Fault) -> bool,
) -> Vec<String> {
    let found = subjects(facts).and_then(|subjects| {
        let mut texts = Vec::new();
        for subject in &subjects {
            for job in jobs(subject) {
                let found = exercise::run(&job)?;
                let counted = found.iter().find(|finding| counts(finding.fault));
                if let Some(Finding { text, .. }) = counted {
                    texts.push(format!("{}: {text}", subject.name));
                    break;
                }
            }
        }
        Ok(texts)
    });
    found.unwrap_or_else(|Failure(reason)| vec![reason.unwrap_or_default()])
}

fn subjects(facts: &Facts<'_>) -> Result<Vec<Exercised>, Failure> {
    exercise::subjects(facts.path, facts.manifest, facts.dependencies, None)
}

fn by_chance(name: &str, case: u64) -> Random {
    Random::new(SEED, name, case)
}

/// A panic, the end of the process, and what does not come to an end.
fn is_grave(fault: Fault) -> bool {
    matches!(
        fault,
        Fault::Panic | Fault::End | Fault::Hang | Fault::Unanswered
    )
}

fn lifecycle(subject: &Exercised) -> Vec<Job> {
    let (rounds, objects) = LIFECYCLE;
    vec![subject.lifecycle(rounds, objects)]
}

pub(super) fn lives(facts: &Facts<'_>) -> Vec<String> {
    breaches(facts, lifecycle, |fault| {
        is_grave(fault) || fault == Fault::Left
    })
}

pub(super) fn leaves_the_process_alone(facts: &Facts<'_>) -> Vec<String> {
    let few = |subject: &Exercised| vec![subject.lifecycle(1, 3)];
    breaches(facts, few, |fault| fault == Fault::Changed)
}

pub(super) fn stands_parameters(facts: &Facts<'_>) -> Vec<String> {
    let jobs = |subject: &Exercised| match subject.is_class() {
        true => (0..CASES)
            .map(|case| subject.parameters(&mut by_chance(&subject.name, case)))
            .collect(),
        false => Vec::new(),
    };
    breaches(facts, jobs, is_grave)
}

pub(super) fn stands_media(facts: &Facts<'_>) -> Vec<String> {
    let jobs = |subject: &Exercised| {
        let cases = 0..CASES / 4;
        cases
            .map(|case| subject.media(&mut by_chance(&subject.name, case), 40))
            .collect()
    };
    breaches(facts, jobs, is_grave)
}

pub(super) fn stands_everything_at_once(facts: &Facts<'_>) -> Vec<String> {
    let jobs = |subject: &Exercised| {
        let random = &mut by_chance(&subject.name, 0);
        vec![subject.at_once(random, BUSY)]
    };
    breaches(facts, jobs, is_grave)
}

pub(super) fn returns_at_once(facts: &Facts<'_>) -> Vec<String> {
    let is_slow = |fault| matches!(fault, Fault::Slow | Fault::Hang);
    let try_once = || breaches(facts, |subject| vec![subject.prompt()], is_slow);
    let mut found = try_once();
    for _ in 1..TRIES {
        if found.is_empty() {
            break;
        }
        found = try_once();
    }
    found
}

pub(super) fn is_bounded(facts: &Facts<'_>) -> Vec<String> {
    let jobs = |subject: &Exercised| vec![subject.kept(true), subject.kept(false)];
    breaches(facts, jobs, |fault| fault == Fault::Growth)
}

pub(super) fn stands_sequences(facts: &Facts<'_>) -> Vec<String> {
    let jobs = |subject: &Exercised| {
        let cases = 0..CASES * 3;
        cases.map(|case| subject.sequence(SEED, case)).collect()
    };
    breaches(facts, jobs, |fault| {
        is_grave(fault) || fault == Fault::Growth
    })
}
