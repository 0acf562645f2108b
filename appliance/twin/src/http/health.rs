//! Calls of `health`, and of `node` as an owner sees it: what is wrong is found elsewhere, here it is
//! answered in the asker's language, and what was offered is done.

use std::time::Duration;

use capability::health::v1::{Health, PutOff, Repair, Repaired};
use handover::{FromTwinExecutor, Refusal};

use super::person::Visit;
use super::problem::Trouble;
use crate::health;
use crate::site::Wish;
use crate::tls;

/// What is wrong with this twin.
pub(super) fn list(visit: &Visit<'_>) -> Result<Health, Trouble> {
    health::list(visit.site, visit.person, visit.language)
}

/// Puts a problem off.
pub(super) fn put_off(visit: &Visit<'_>, asked: &PutOff) -> Result<Health, Trouble> {
    health::put_off(visit.site, visit.person, asked.problem.as_str())?;
    list(visit)
}

/// Does what was offered for a problem of this twin.
pub(super) async fn repair(visit: &Visit<'_>, asked: &Repair) -> Result<Repaired, Trouble> {
    let found = health::look(visit.site, visit.person)?;
    let found = found.into_iter().find(|one| one.name == asked.problem.as_str());
    let found = found.filter(|_| asked.about.is_empty()).ok_or_else(Trouble::not_found)?;
    let repair = found.repairs.into_iter().find(|one| *one == asked.repair.as_str());
    let repair = repair.ok_or_else(Trouble::not_found)?;
    tracing::info!(problem = found.name, repair, "a repair was asked for");
    let person = visit.person;
    let settled = match repair {
        "check_again" => is_sound(&person.life.verify().await),
        "rebuild" => is_sound(&person.life.rebuild().await),
        "compact" => wish(visit, Wish::Restart),
        "renew" => {
            tls::renew(&person.door).map_err(|error| Trouble::inside(&error))?;
            wish(visit, Wish::NewCertificate)
        }
        "forget_copy" => {
            person.life.forget_copies()?;
            true
        }
        _ => return Err(Trouble::not_found()),
    };
    health::look_and_tell(visit.site, person);
    Ok(health::repaired(repair, settled, visit.language))
}

/// The log gets what differs; the person sees it in the list.
fn is_sound(checked: &Result<u64, String>) -> bool {
    if let Err(error) = checked {
        tracing::error!(error, "the data are not sound");
    }
    checked.is_ok()
}

fn wish(visit: &Visit<'_>, wish: Wish) -> bool {
    visit.person.wishes.send(wish).is_ok()
}

/// What is wrong with the node, for its owner.
pub(super) async fn of_node(visit: &Visit<'_>) -> Result<Health, Trouble> {
    let person = visit.person;
    let ask = |request| person.executor.tell(FromTwinExecutor::NodeHealth { request });
    let outcome = person.node.health.ask(ANSWERED_WITHIN, ask).await.ok_or_else(Trouble::failed)?;
    Ok(health::of_node(&outcome.map_err(refused)?, visit.language))
}

/// Does what was offered for a problem of the node.
pub(super) async fn repair_node(visit: &Visit<'_>, asked: &Repair) -> Result<Repaired, Trouble> {
    let person = visit.person;
    let (problem, about) = (asked.problem.to_string(), asked.about.clone());
    let repair = asked.repair.to_string();
    if about.len() > ABOUT_MAX {
        return Err(Trouble::not_found());
    }
    let ask = |request| {
        person.executor.tell(FromTwinExecutor::NodeRepair { request, problem, about, repair });
    };
    let outcome = person.node.repairs.ask(ANSWERED_WITHIN, ask).await;
    outcome.ok_or_else(Trouble::failed)?.map_err(refused)?;
    Ok(health::repaired(asked.repair.as_str(), true, visit.language))
}

fn refused(refusal: Refusal) -> Trouble {
    match refusal {
        Refusal::NotOwner => Trouble::not_owner(),
        Refusal::NotOffered | Refusal::NameUnknown => Trouble::not_found(),
        Refusal::AlreadyPaired
        | Refusal::Crashing
        | Refusal::Failed
        | Refusal::NameForm
        | Refusal::NameReserved
        | Refusal::NameTaken
        | Refusal::NodeNameForm
        | Refusal::WrongCode => Trouble::failed(),
    }
}

/// The executor's loop answers at once, or is stuck.
const ANSWERED_WITHIN: Duration = Duration::from_secs(10);
/// Longer than any name that was offered.
const ABOUT_MAX: usize = 256;
