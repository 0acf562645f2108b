//! A twin told that it has a problem: an owner learns the kind of it and no more. What it is about
//! and what can be done stands in that person's own shell.

use handover::{Number, Trouble, TwinProblem, Weight};

use super::Remembered;
use crate::Registry;

pub(super) fn find(remembered: &Remembered, registry: &Registry) -> Vec<Trouble> {
    let all = remembered.told_by_twins();
    let named = |(twin, problem): (u32, TwinProblem)| {
        Some(trouble(&registry.get(Number(twin))?.name, problem))
    };
    all.filter_map(named).collect()
}

pub(super) fn trouble(name: &str, problem: TwinProblem) -> Trouble {
    let weight = match problem {
        TwinProblem::VerifyFailed => Weight::Now,
        TwinProblem::ClockWrong | TwinProblem::QuotaNear => Weight::Soon,
        TwinProblem::AskedTooMuch | TwinProblem::CertificateOld | TwinProblem::CompactionDue => {
            Weight::Note
        }
    };
    Trouble::new(&format!("twin_{}", problem.name()), weight).about(name)
}
