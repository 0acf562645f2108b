//! A person's ways in: coming in, and for whoever is in, their devices and passkeys.
//!
//! Never tells somebody who is not signed in whether there is a passkey, and never answers an
//! experience.

use capability::identity::v1 as identity;
use capability::wire::Nothing;
use handover::{FromTwinExecutor, network};
use hyper::header::USER_AGENT;

use super::api::answer;
use super::person::{Visit, set_cookie};
use super::problem::Trouble;
use super::{Answer, body, head};
use crate::clock_ms;
use crate::invite::{Answer as Let, Seen};
use crate::life::{Caller, picture};
use crate::passkeys::{ALGORITHMS, At, Kept, Maker, Refused};
use crate::session::{CameBy, NotPaired, Session, device_of};

/// What is answered without a session.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum WayIn {
    /// The code of the console.
    Pair,
    /// What a passkey signs.
    BeginSignIn,
    /// A passkey.
    SignIn,
    /// The link that another device made.
    Knock,
    /// Whether the number was chosen.
    Enter,
}

impl WayIn {
    pub(crate) fn find(capability: &str, major: u32, method: &str) -> Option<Self> {
        match (capability, major, method) {
            ("identity", 1, "pair") => Some(Self::Pair),
            ("identity", 1, "begin_sign_in") => Some(Self::BeginSignIn),
            ("identity", 1, "sign_in") => Some(Self::SignIn),
            ("identity", 1, "knock") => Some(Self::Knock),
            ("identity", 1, "enter") => Some(Self::Enter),
            _ => None,
        }
    }
}

/// What whoever is signed in asks about their ways in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Asked {
    /// Which devices there are.
    Sessions,
    /// Call one something.
    RenameSession,
    /// Say that one is one's own.
    KnowSession,
    /// Sign one out.
    EndSession,
    /// Sign out here.
    SignOut,
    /// Which passkeys there are.
    Passkeys,
    /// What a browser needs to make one.
    BeginPasskey,
    /// Keep one.
    AddPasskey,
    /// Call one something.
    RenamePasskey,
    /// Remove one.
    RemovePasskey,
    /// Make a link for a further device.
    Invite,
    /// How that goes.
    Invitation,
    /// Choose the number that it shows.
    ChooseNumber,
    /// Leave it.
    Uninvite,
}

impl Asked {
    pub(crate) fn find(major: u32, method: &str) -> Option<Self> {
        match (major, method) {
            (1, "sessions") => Some(Self::Sessions),
            (1, "rename_session") => Some(Self::RenameSession),
            (1, "know_session") => Some(Self::KnowSession),
            (1, "end_session") => Some(Self::EndSession),
            (1, "sign_out") => Some(Self::SignOut),
            (1, "passkeys") => Some(Self::Passkeys),
            (1, "begin_passkey") => Some(Self::BeginPasskey),
            (1, "add_passkey") => Some(Self::AddPasskey),
            (1, "rename_passkey") => Some(Self::RenamePasskey),
            (1, "remove_passkey") => Some(Self::RemovePasskey),
            (1, "invite") => Some(Self::Invite),
            (1, "invitation") => Some(Self::Invitation),
            (1, "choose_number") => Some(Self::ChooseNumber),
            (1, "uninvite") => Some(Self::Uninvite),
            _ => None,
        }
    }
}

/// Answers somebody who wants to come in.
pub(crate) fn come_in(visit: &Visit<'_>, way: WayIn, body: &[u8]) -> Result<Answer, Trouble> {
    let person = visit.person;
    match way {
        WayIn::Pair => {
            let asked: identity::Pair = body::parse(body)?;
            let from = network(visit.arrival.peer.ip());
            let paired = person.sessions.pair(&asked.code, from, device(visit), clock_ms());
            let (_, token) = paired.map_err(|error| match error {
                NotPaired::BadCode => Trouble::bad_code(),
                NotPaired::TooOften => Trouble::too_often(),
                NotPaired::Door(error) => Trouble::inside(&error),
            })?;
            person.executor.tell(FromTwinExecutor::Paired);
            admitted(visit, &token)
        }
        WayIn::BeginSignIn => {
            let Nothing {} = body::parse(body)?;
            let host = visit.site.host();
            let origin = visit.at.origin();
            let begun = person.passkeys.begin_sign_in(at(&host, &origin));
            let challenge = begun.map_err(|error| Trouble::inside(&error))?;
            answer(&identity::SignInBegun { challenge, host })
        }
        WayIn::SignIn => {
            let asked: identity::SignIn = body::parse(body)?;
            let (host, origin) = (visit.site.host(), visit.at.origin());
            let passkey = person.passkeys.sign_in(&asked, at(&host, &origin)).map_err(refused)?;
            if let Ok((_, _hold)) = visit.session() {
                // It was in all along, perhaps by another of its pages.
                return answer(&identity::Paired { next: "/".to_owned() });
            }
            let by = CameBy::Passkey(passkey);
            let admission = person.sessions.admit(by, device(visit), clock_ms());
            let (_, token) = admission.map_err(|error| Trouble::inside(&error))?;
            admitted(visit, &token)
        }
        WayIn::Knock => {
            let asked: identity::Knock = body::parse(body)?;
            let knocked = person.invites.knock(&asked.code, device(visit));
            let (number, wait) = knocked.ok_or_else(Trouble::bad_link)?;
            person.sessions.changed();
            answer(&identity::Knocked { number, wait })
        }
        WayIn::Enter => enter(visit, &body::parse(body)?),
    }
}

/// A device that showed its number asks whether it may come in.
fn enter(visit: &Visit<'_>, asked: &identity::Enter) -> Result<Answer, Trouble> {
    let person = visit.person;
    let state = match person.invites.enter(&asked.wait) {
        Let::Waits => identity::EnteredState::Waits,
        Let::Wrong => identity::EnteredState::Wrong,
        Let::Over => identity::EnteredState::Over,
        Let::In { by } => {
            let admission = person.sessions.admit(CameBy::Device(by), device(visit), clock_ms());
            let (_, token) = admission.map_err(|error| Trouble::inside(&error))?;
            is_in(visit);
            let mut answer = answer(&identity::Entered { state: identity::EnteredState::In })?;
            set_cookie(&mut answer, Some(&token));
            return Ok(answer);
        }
    };
    answer(&identity::Entered { state })
}

/// Whoever asks is in from now on.
fn is_in(visit: &Visit<'_>) {
    visit.arrival.is_known();
    drop(visit.site.idle.hold());
}

fn admitted(visit: &Visit<'_>, token: &str) -> Result<Answer, Trouble> {
    is_in(visit);
    let mut answer = answer(&identity::Paired { next: "/".to_owned() })?;
    set_cookie(&mut answer, Some(token));
    Ok(answer)
}

/// Answers whoever is signed in.
pub(crate) async fn answer_known(
    visit: &Visit<'_>,
    session: &Session,
    caller: &Caller,
    asked: Asked,
    body: &[u8],
) -> Result<Answer, Trouble> {
    let person = visit.person;
    match asked {
        Asked::Sessions => {
            let Nothing {} = body::parse(body)?;
            sessions(visit, session)
        }
        Asked::RenameSession => {
            let asked: identity::RenameSession = body::parse(body)?;
            let other = person.sessions.of_id(asked.session.as_str());
            let other = other.ok_or_else(Trouble::not_found)?;
            person.sessions.rename(&other, &asked.name).map_err(|error| Trouble::inside(&error))?;
            sessions(visit, session)
        }
        Asked::KnowSession => {
            let asked: identity::KnowSession = body::parse(body)?;
            // Who came in can't vouch for themselves.
            let other = person.sessions.of_id(asked.session.as_str());
            let other = other.filter(|other| other.id != session.id);
            let other = other.ok_or_else(Trouble::not_found)?;
            person.sessions.know(&other).map_err(|error| Trouble::inside(&error))?;
            sessions(visit, session)
        }
        Asked::EndSession => {
            let asked: identity::EndSession = body::parse(body)?;
            let other = person.sessions.of_id(asked.session.as_str());
            let other = other.ok_or_else(Trouble::not_found)?;
            // First what could let it in again.
            if asked.passkeys {
                remove(visit, session, |kept| kept.session == other.id)?;
            }
            end(visit, &other)?;
            answer(&Nothing {})
        }
        Asked::SignOut => {
            let Nothing {} = body::parse(body)?;
            end(visit, session)?;
            let mut answer = answer(&Nothing {})?;
            set_cookie(&mut answer, None);
            Ok(answer)
        }
        Asked::Passkeys => {
            let Nothing {} = body::parse(body)?;
            passkeys(visit)
        }
        Asked::BeginPasskey => {
            let Nothing {} = body::parse(body)?;
            begin_passkey(visit, session, caller).await
        }
        Asked::AddPasskey => {
            let asked: identity::AddPasskey = body::parse(body)?;
            let (host, origin) = (visit.site.host(), visit.at.origin());
            let maker = Maker { session: &session.id, device: &session.device };
            person.passkeys.add(&asked, &maker, at(&host, &origin)).map_err(refused)?;
            passkeys(visit)
        }
        Asked::RenamePasskey => {
            let asked: identity::RenamePasskey = body::parse(body)?;
            let renamed = person.passkeys.rename(asked.passkey.as_str(), &asked.name);
            let renamed = renamed.map_err(|error| Trouble::inside(&error))?;
            if renamed { passkeys(visit) } else { Err(Trouble::not_found()) }
        }
        Asked::RemovePasskey => {
            let asked: identity::RemovePasskey = body::parse(body)?;
            let gone = remove(visit, session, |kept| kept.id == asked.passkey.as_str())?;
            if gone == 0 { Err(Trouble::not_found()) } else { passkeys(visit) }
        }
        Asked::Invite => {
            let _: identity::Invite = body::parse(body)?;
            let code = person.invites.begin(&session.id);
            let link = format!("{}/pair#{code}", visit.at.origin());
            let svg = picture(&link).map_err(|error| Trouble::inside(&error))?;
            let for_ms = person.invites.waits().unwrap_or_default().as_millis();
            let for_ms = u32::try_from(for_ms).unwrap_or(u32::MAX);
            answer(&identity::Invited { link, svg, for_ms })
        }
        Asked::Invitation => {
            let Nothing {} = body::parse(body)?;
            invitation(visit, &person.invites.seen(&session.id))
        }
        Asked::ChooseNumber => {
            let asked: identity::ChooseNumber = body::parse(body)?;
            let seen = person.invites.choose(&session.id, asked.number);
            person.sessions.changed();
            invitation(visit, &seen)
        }
        Asked::Uninvite => {
            let _: identity::Invite = body::parse(body)?;
            person.invites.end_session(&session.id);
            invitation(visit, &person.invites.seen(&session.id))
        }
    }
}

fn invitation(visit: &Visit<'_>, seen: &Seen) -> Result<Answer, Trouble> {
    use identity::InvitationState as State;
    let at = *visit.person.sessions.watch().borrow();
    let (device, numbers) = match seen {
        Seen::Asked { device, choices } => (Some(device.clone()), choices.to_vec()),
        Seen::Over | Seen::Open | Seen::Chosen | Seen::Wrong => (None, Vec::new()),
    };
    let state = match seen {
        Seen::Over => State::Over,
        Seen::Open => State::Open,
        Seen::Asked { .. } => State::Asks,
        Seen::Chosen => State::Chosen,
        Seen::Wrong => State::Wrong,
    };
    answer(&identity::Invitation { state, device, numbers, at })
}

/// Removes passkeys, and signs out whoever came in with them but the browser that asks.
fn remove(
    visit: &Visit<'_>,
    this: &Session,
    fits: impl Fn(&Kept) -> bool,
) -> Result<usize, Trouble> {
    let gone = visit.person.passkeys.remove(fits).map_err(|error| Trouble::inside(&error))?;
    for session in visit.person.sessions.list() {
        let by_it = matches!(&session.by, CameBy::Passkey(id) if gone.contains(id));
        if by_it && session.id != this.id {
            end(visit, &session)?;
        }
    }
    Ok(gone.len())
}

fn end(visit: &Visit<'_>, session: &Session) -> Result<(), Trouble> {
    // First the session: a frame without one is dropped at the next start.
    visit.person.sessions.end(session).map_err(|error| Trouble::inside(&error))?;
    visit.person.invites.end_session(&session.id);
    visit.person.frames.end_session(&session.id).map_err(|error| Trouble::inside(&error))
}

fn sessions(visit: &Visit<'_>, this: &Session) -> Result<Answer, Trouble> {
    let at = *visit.person.sessions.watch().borrow();
    let all = visit.person.sessions.list().into_iter().map(|session| {
        let made = visit.person.passkeys.made_in(&session.id);
        Ok(identity::Session {
            session: session.id.parse().map_err(|error| Trouble::inside(&error))?,
            this: session.id == this.id,
            device: session.device.clone(),
            name: session.name(),
            since_ms: session.since_ms,
            last_used_ms: session.last_used_ms(),
            by: match session.by {
                CameBy::Code => identity::CameBy::Code,
                CameBy::Passkey(_) => identity::CameBy::Passkey,
                CameBy::Device(_) => identity::CameBy::Device,
            },
            passkeys: u32::try_from(made).unwrap_or(u32::MAX),
            // Who let it in was asked already.
            unseen: session.is_unseen() && session.by != CameBy::Device(this.id.clone()),
        })
    });
    answer(&identity::Sessions { sessions: all.collect::<Result<_, Trouble>>()?, at })
}

fn passkeys(visit: &Visit<'_>) -> Result<Answer, Trouble> {
    let host = visit.site.host();
    let all = visit.person.passkeys.list().into_iter().map(|kept| {
        Ok(identity::Passkey {
            passkey: kept.id.parse().map_err(|error| Trouble::inside(&error))?,
            device: kept.device,
            name: kept.name,
            made_ms: kept.made_ms,
            last_used_ms: kept.last_used_ms,
            synced: kept.synced,
            fits: kept.host == host,
        })
    });
    answer(&identity::Passkeys { passkeys: all.collect::<Result<_, Trouble>>()? })
}

async fn begin_passkey(
    visit: &Visit<'_>,
    session: &Session,
    caller: &Caller,
) -> Result<Answer, Trouble> {
    let me = visit.person.life.call(caller, "identity", 1, "me", b"{}").await?;
    let me: identity::Me = serde_json::from_slice(&me).map_err(|error| Trouble::inside(&error))?;
    let (host, origin) = (visit.site.host(), visit.at.origin());
    let begun = visit.person.passkeys.begin_adding(&session.id, at(&host, &origin));
    let begun = begun.map_err(|error| Trouble::inside(&error))?;
    answer(&identity::PasskeyBegun {
        challenge: begun.challenge,
        user: begun.user,
        name: me.name.unwrap_or_else(|| host.clone()),
        display_name: me.display_name,
        algorithms: ALGORITHMS.to_vec(),
        exclude: begun.exclude,
        host,
    })
}

fn at<'a>(host: &'a str, origin: &'a str) -> At<'a> {
    At { host, origin, now_ms: clock_ms() }
}

/// What the browser says it is.
fn device(visit: &Visit<'_>) -> String {
    device_of(head::text(&visit.head.headers, &USER_AGENT).unwrap_or_default())
}

fn refused(why: Refused) -> Trouble {
    match why {
        Refused::Bad(reason) => {
            tracing::info!(reason, "a passkey was refused");
            Trouble::bad_passkey()
        }
        Refused::Late => Trouble::passkey_late(),
        Refused::Unknown => Trouble::passkey_unknown(),
        Refused::Known => Trouble::passkey_known(),
        Refused::TooMany => Trouble::too_many_passkeys(),
        Refused::Door(error) => Trouble::inside(&error),
    }
}
