//! From a sequence that fails to the least of it that fails in the same way.

use super::plan::{Fault, Finding, Job, Plan, Step, Subject};
use super::run;
use crate::Failure;
use std::time::{Duration, Instant};

/// Tries at most, and how long they may take together.
const TRIES: usize = 200;
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a step is waited for where one did not return. What seems to hang because the machine is busy is found out in
/// the end.
const HANG: Duration = Duration::from_secs(3);

struct Search {
    fault: Fault,
    tries: usize,
    deadline: Instant,
}

impl Search {
    /// What is found of this fault, if there is time left to look.
    fn find(&mut self, job: &Job) -> Result<Option<Finding>, Failure> {
        if self.tries == 0 || Instant::now() > self.deadline {
            return Ok(None);
        }
        self.tries -= 1;
        let patience = match self.fault {
            Fault::Hang => HANG,
            _ => PATIENCE,
        };
        let found = run::run_within(job, patience)?;
        Ok(found
            .into_iter()
            .find(|finding| finding.fault == self.fault))
    }
}

/// A job of few steps with the same fault, and what is found then. `plain` is how the object is made if nobody says anything.
pub(crate) fn smallest(
    job: &Job,
    plain: &Subject,
    finding: Finding,
) -> Result<(Job, Finding), Failure> {
    let mut search = Search {
        fault: finding.fault,
        tries: TRIES,
        deadline: Instant::now() + PATIENCE,
    };
    let job = &up_to(job, &finding);
    let first = (job.clone(), finding);
    let mut best = first.clone();
    let simpler = Job {
        subject: plain.clone(),
        ..job.clone()
    };
    if let Some(found) = search.find(&simpler)? {
        best = (simpler, found);
    }
    let mut size = steps(&best.0).len().div_ceil(2);
    while size > 0 {
        let mut begin = 0;
        while begin < steps(&best.0).len() {
            let shorter = without(&best.0, begin, size);
            match search.find(&shorter)? {
                Some(found) => best = (shorter, found),
                None => begin += size,
            }
        }
        size /= 2;
    }
    for number in 0..steps(&best.0).len() {
        if let Some(single) = with_one_packet(&best.0, number)
            && let Some(found) = search.find(&single)?
        {
            best = (single, found);
        }
    }
    let is_sure = search.fault != Fault::Hang || holds(&best.0, search.fault)?;
    Ok(if is_sure { best } else { first })
}

/// Without the steps that are behind the one that ended the process, or did not return.
fn up_to(job: &Job, finding: &Finding) -> Job {
    let all = steps(job);
    let is_last = |step: &Step| finding.text.starts_with(&format!("{step}: "));
    match (finding.fault, all.iter().rposition(is_last)) {
        (Fault::End | Fault::Hang, Some(last)) => without(job, last + 1, all.len()),
        _ => job.clone(),
    }
}

fn holds(job: &Job, fault: Fault) -> Result<bool, Failure> {
    let found = run::run(job)?;
    Ok(found.iter().any(|finding| finding.fault == fault))
}

fn steps(job: &Job) -> &[Step] {
    match &job.plan {
        Plan::Once(steps) => steps,
        _ => &[],
    }
}

fn with_steps(job: &Job, steps: Vec<Step>) -> Job {
    Job {
        plan: Plan::Once(steps),
        ..job.clone()
    }
}

fn without(job: &Job, begin: usize, count: usize) -> Job {
    let all = steps(job).iter().enumerate();
    let kept = all.filter(|(number, _)| !(begin..begin + count).contains(number));
    with_steps(job, kept.map(|(_, step)| step.clone()).collect())
}

/// The last packet of a burst is the one that failed, if one alone did.
fn with_one_packet(job: &Job, number: usize) -> Option<Job> {
    let mut steps = steps(job).to_vec();
    let Some(Step::Push(_, pieces)) = steps.get_mut(number) else {
        return None;
    };
    if pieces.len() < 2 {
        return None;
    }
    let last = pieces.pop()?;
    *pieces = vec![last];
    Some(with_steps(job, steps))
}
