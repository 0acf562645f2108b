//! Letting a further device in from one that is in: a link for the new one, and a number that it shows
//! and that the person chooses on the old one, so that nobody who has seen the link comes in with it.
//!
//! In memory only, one at a time, for two minutes. Whoever doesn't have the link can change nothing.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use data_encoding::BASE64URL_NOPAD;

use crate::session::{Hash, hash_of, random};

/// The invitation of one twin.
#[derive(Default)]
pub(crate) struct Invites(RefCell<Option<Invite>>);

struct Invite {
    code: Hash,
    /// The public id of the session that made it.
    by: String,
    made: Instant,
    state: State,
}

enum State {
    /// Nobody has opened the link.
    Open,
    /// Somebody has, and waits for the number to be chosen.
    Asked(Asking),
    /// The right number was chosen: whoever waits comes in.
    Chosen(Asking),
    /// Another number, or none, was chosen.
    Wrong(Asking),
}

#[derive(Clone)]
struct Asking {
    /// What proves that it is the one that opened the link.
    wait: Hash,
    /// What it said it is.
    device: String,
    number: u8,
    choices: [u8; 3],
}

/// How it looks from the device that is in.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Seen {
    /// There is none, or it is over.
    Over,
    /// Nobody has opened the link yet.
    Open,
    /// Somebody asks, who is shown one of these numbers.
    Asked { device: String, choices: [u8; 3] },
    /// The right number was chosen.
    Chosen,
    /// A wrong one was.
    Wrong,
}

/// How it looks from the new device.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Answer {
    /// Nothing was chosen yet.
    Waits,
    /// Come in: let in by the session of this public id.
    In { by: String },
    /// Another number was chosen.
    Wrong,
    /// It took too long, or the twin was started anew.
    Over,
}

impl Invites {
    /// Makes a link's code; whatever was under way is over.
    pub(crate) fn begin(&self, session: &str) -> String {
        let code = format!("{CODE_HEAD}{}", BASE64URL_NOPAD.encode(&random::<16>()));
        let invite = Invite {
            code: hash_of(code.as_bytes()),
            by: session.to_owned(),
            made: Instant::now(),
            state: State::Open,
        };
        self.0.replace(Some(invite));
        code
    }

    /// Ends what this session, or whoever ended it, has under way.
    pub(crate) fn end_session(&self, session: &str) {
        self.0.borrow_mut().take_if(|invite| invite.by == session);
    }

    /// How long the twin is waited for.
    pub(crate) fn waits(&self) -> Option<Duration> {
        let left = LIVES.checked_sub(self.0.borrow().as_ref()?.made.elapsed());
        left.filter(|left| !left.is_zero())
    }

    /// A new device has opened the link: the number that it is to show, and what it asks with from now
    /// on. `None`: the link is wrong, used or old.
    pub(crate) fn knock(&self, code: &str, device: String) -> Option<(u8, String)> {
        let mut slot = self.0.borrow_mut();
        let invite = alive(&mut slot)?;
        // By their hashes, so the time that it takes tells nothing.
        if invite.code != hash_of(code.as_bytes()) || !matches!(invite.state, State::Open) {
            return None;
        }
        let choices = choices();
        let number = choices[usize::from(random::<1>()[0] % 3)];
        let wait = random::<32>();
        invite.state = State::Asked(Asking { wait: hash_of(&wait), device, number, choices });
        Some((number, BASE64URL_NOPAD.encode(&wait)))
    }

    /// How it looks from the device that is in.
    pub(crate) fn seen(&self, session: &str) -> Seen {
        let mut slot = self.0.borrow_mut();
        let Some(invite) = alive(&mut slot).filter(|invite| invite.by == session) else {
            return Seen::Over;
        };
        match &invite.state {
            State::Open => Seen::Open,
            State::Asked(asking) => {
                Seen::Asked { device: asking.device.clone(), choices: asking.choices }
            }
            State::Chosen(_) => Seen::Chosen,
            State::Wrong(_) => Seen::Wrong,
        }
    }

    /// The person has chosen a number, or none of them. Counts once.
    pub(crate) fn choose(&self, session: &str, chosen: Option<u8>) -> Seen {
        let mut slot = self.0.borrow_mut();
        if let Some(invite) = alive(&mut slot).filter(|invite| invite.by == session)
            && let State::Asked(asking) = &invite.state
        {
            let right = chosen == Some(asking.number);
            let asking = asking.clone();
            invite.state = if right { State::Chosen(asking) } else { State::Wrong(asking) };
        }
        drop(slot);
        self.seen(session)
    }

    /// The new device asks whether it may come in; once it may, the invitation is used up.
    pub(crate) fn enter(&self, wait: &str) -> Answer {
        let mut slot = self.0.borrow_mut();
        let Some(invite) = alive(&mut slot) else { return Answer::Over };
        let wait = BASE64URL_NOPAD.decode(wait.as_bytes()).unwrap_or_default();
        let mine = |asking: &Asking| asking.wait == hash_of(&wait);
        match &invite.state {
            State::Asked(asking) if mine(asking) => Answer::Waits,
            State::Wrong(asking) if mine(asking) => Answer::Wrong,
            State::Chosen(asking) if mine(asking) => {
                let by = invite.by.clone();
                *slot = None;
                Answer::In { by }
            }
            State::Open | State::Asked(_) | State::Wrong(_) | State::Chosen(_) => Answer::Over,
        }
    }
}

fn alive(slot: &mut Option<Invite>) -> Option<&mut Invite> {
    slot.take_if(|invite| invite.made.elapsed() >= LIVES);
    slot.as_mut()
}

/// Three different numbers of two digits, in their order.
fn choices() -> [u8; 3] {
    loop {
        // Of 256 values the first 180 are two times each of the 90 numbers.
        let random = random::<3>();
        let mut choices = random.map(|byte| 10 + byte % 90);
        choices.sort_unstable();
        let even = random.iter().all(|byte| *byte < 180);
        if even && choices[0] != choices[1] && choices[1] != choices[2] {
            return choices;
        }
    }
}

/// What tells such a code from one of the console.
const CODE_HEAD: &str = "new-";
/// For the whole of it.
const LIVES: Duration = Duration::from_secs(120);

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(invites: &Invites) -> (u8, String, [u8; 3]) {
        let code = invites.begin("old");
        assert_eq!(invites.seen("old"), Seen::Open);
        let (number, wait) = invites.knock(&code, "Chrome, Android".into()).unwrap();
        assert!(invites.knock(&code, String::new()).is_none(), "one use");
        let Seen::Asked { choices, device } = invites.seen("old") else { panic!("nobody asks") };
        assert!(choices.contains(&number) && device == "Chrome, Android");
        (number, wait, choices)
    }

    #[test]
    fn the_right_number_lets_one_device_in_once() {
        let invites = Invites::default();
        let (number, wait, _) = asked(&invites);
        assert_eq!(invites.enter(&wait), Answer::Waits);
        assert_eq!(invites.choose("another", Some(number)), Seen::Over);
        assert_eq!(invites.enter(&wait), Answer::Waits, "another device chooses nothing");
        assert_eq!(invites.choose("old", Some(number)), Seen::Chosen);
        assert_eq!(invites.enter("AAAA"), Answer::Over);
        assert_eq!(invites.enter(&wait), Answer::In { by: "old".into() });
        assert_eq!(invites.enter(&wait), Answer::Over);
        assert_eq!(invites.seen("old"), Seen::Over);
    }

    #[test]
    fn a_wrong_number_or_none_ends_it_for_good() {
        for none in [false, true] {
            let invites = Invites::default();
            let (number, wait, choices) = asked(&invites);
            let wrong = choices.into_iter().find(|one| *one != number).filter(|_| !none);
            assert_eq!(invites.choose("old", wrong), Seen::Wrong);
            assert_eq!(invites.enter(&wait), Answer::Wrong);
            assert_eq!(invites.choose("old", Some(number)), Seen::Wrong, "it counts once");
            assert_eq!(invites.enter(&wait), Answer::Wrong);
        }
    }

    #[test]
    fn after_two_minutes_all_of_it_is_over() {
        let old = |invites: &Invites| {
            invites.0.borrow_mut().as_mut().unwrap().made -= LIVES;
        };
        let invites = Invites::default();
        let code = invites.begin("old");
        assert!(invites.waits().is_some());
        old(&invites);
        assert!(invites.waits().is_none());
        assert!(invites.knock(&code, String::new()).is_none());
        let (number, wait, _) = asked(&invites);
        old(&invites);
        assert_eq!(invites.choose("old", Some(number)), Seen::Over);
        assert_eq!(invites.enter(&wait), Answer::Over);
        let (number, wait, _) = asked(&invites);
        assert_eq!(invites.choose("old", Some(number)), Seen::Chosen);
        old(&invites);
        assert_eq!(invites.enter(&wait), Answer::Over);
    }

    #[test]
    fn who_has_not_the_link_changes_nothing_and_a_signed_out_device_lets_nobody_in() {
        let invites = Invites::default();
        let code = invites.begin("old");
        for guess in ["", "new-", "new-AAAAAAAAAAAAAAAAAAAAAA"] {
            (0..1000).for_each(|_| assert!(invites.knock(guess, String::new()).is_none()));
        }
        let (number, wait) = invites.knock(&code, String::new()).unwrap();
        assert_eq!(invites.choose("old", Some(number)), Seen::Chosen);
        invites.end_session("another");
        assert_eq!(invites.seen("old"), Seen::Chosen);
        invites.end_session("old");
        assert_eq!(invites.enter(&wait), Answer::Over);
    }

    #[test]
    fn a_new_link_makes_the_old_one_worthless() {
        let invites = Invites::default();
        let (_, wait, _) = asked(&invites);
        invites.begin("old");
        assert_eq!(invites.enter(&wait), Answer::Over);
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_asked_with_nobody_comes_in(code in ".{0,40}", wait in ".{0,60}") {
            let invites = Invites::default();
            invites.begin("old");
            proptest::prop_assert!(invites.knock(&code, String::new()).is_none());
            proptest::prop_assert_eq!(invites.enter(&wait), Answer::Over);
        }

        #[test]
        fn numbers_are_three_and_have_two_digits(_ in 0..100) {
            let all = choices();
            proptest::prop_assert!(all[0] < all[1] && all[1] < all[2]);
            proptest::prop_assert!(all.iter().all(|one| (10..100).contains(one)));
        }
    }
}
