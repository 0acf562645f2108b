//! `identity` 1: profile, card, devices, passkeys. It never carries a secret key or a session's token.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::wire::{Line, More, PasskeyId, PersonId, Rev, SessionId, Text, TimeMs, WriteId};

/// A display name: one line of 1 to 80 characters.
pub type DisplayName = Line<1, 80>;
/// What a person says about themselves: up to 500 characters.
pub type About = Text<0, 500>;

/// The person whose twin this is.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Me {
    /// Their id; for an experience a private one.
    pub id: PersonId,
    /// The twin's name on its node, such as `ann`. Not for experiences.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// How they want to be called.
    pub display_name: String,
    /// What they say about themselves. Not for experiences.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// Revision of the profile.
    pub rev: Rev,
}

/// Change the profile. Accepted contacts are told.
/// Problems: `conflict` when `if_rev` is not the profile's revision.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SetProfile {
    /// Names this write.
    pub id: WriteId,
    /// Only if the profile still has this revision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub if_rev: Option<Rev>,
    /// The new display name.
    pub display_name: DisplayName,
    /// The new text about oneself.
    pub about: About,
}

/// What one gives to others so that they can ask to be a contact.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Card {
    /// The card as a link.
    pub link: String,
    /// The same as a QR code, a complete SVG image.
    pub svg: String,
}

/// What a person calls a device or a passkey of theirs.
pub type OwnName = Line<1, 60>;

/// A browser that is signed in.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Session {
    /// Its public id.
    pub session: SessionId,
    /// Whether it is the one that asks.
    pub this: bool,
    /// What kind of device it said it is; may be empty.
    pub device: String,
    /// What the person calls it; missing until they have said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Since when.
    pub since_ms: TimeMs,
    /// Last use, to the hour.
    pub last_used_ms: TimeMs,
    /// How it came in.
    pub by: CameBy,
    /// How many passkeys were made on it.
    pub passkeys: u32,
    /// Nobody has said yet that it is the person's own.
    pub unseen: bool,
}

/// How a browser came in.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CameBy {
    /// With the one-time code of the console.
    Code,
    /// With a passkey.
    Passkey,
    /// Let in by another device.
    Device,
}

/// All browsers that are signed in.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Sessions {
    /// The newest first.
    pub sessions: Vec<Session>,
    /// The state that this shows; subscribe with it to hear of what comes after.
    pub at: u64,
}

/// What to hear about: one's devices. Not for experiences.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Topic {}

/// What happened to the devices.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "type")]
pub enum Event {
    /// One came in, asks to be let in, was named, called one's own or signed out: ask for the list, or how
    /// the invitation stands, again.
    Devices,
}

/// Call a device something. Problems: `not_found`.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RenameSession {
    /// Names this write.
    pub id: WriteId,
    /// The session.
    pub session: SessionId,
    /// What it is called from now on.
    pub name: OwnName,
}

/// Say that a device which came in is one's own. A device can't say so about itself.
/// Problems: `not_found`.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct KnowSession {
    /// Names this write.
    pub id: WriteId,
    /// The session.
    pub session: SessionId,
}

/// Sign out one browser. Problems: `not_found`.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct EndSession {
    /// Names this write.
    pub id: WriteId,
    /// The session.
    pub session: SessionId,
    /// Also remove the passkeys that were made on it, and sign out whoever came in with them but the
    /// browser that asks.
    #[serde(default)]
    pub passkeys: bool,
}

/// Sign this browser in with a one-time code. Needs no session; sets the cookie.
/// Problems: `bad_code`, `too_often`.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Pair {
    /// The code.
    pub code: Line<8, 128>,
}

/// The browser is signed in.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Paired {
    /// Where to go now: a path at the same origin.
    pub next: String,
}

/// Bytes as base64url without padding. Of what browsers send here, nothing is longer.
pub type Base64 = Line<1, 1400>;

/// A passkey, without what proves it.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Passkey {
    /// Its public id.
    pub passkey: PasskeyId,
    /// What kind of device it was made on; may be empty.
    pub device: String,
    /// What the person calls it; missing until they have said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// When it was made.
    pub made_ms: TimeMs,
    /// When somebody came in with it last; missing if nobody has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_ms: Option<TimeMs>,
    /// Whether it is kept on several devices, by whoever keeps it.
    pub synced: bool,
    /// Whether it fits the name that the twin has now. Browsers offer it under no other.
    pub fits: bool,
}

/// All passkeys of this twin.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Passkeys {
    /// The newest first.
    pub passkeys: Vec<Passkey>,
}

/// What a browser needs to make a passkey; good for five minutes and one use.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct PasskeyBegun {
    /// The challenge, base64url.
    pub challenge: String,
    /// For which host name: the twin's own.
    pub host: String,
    /// The user handle, base64url: random, the same for all passkeys of this twin.
    pub user: String,
    /// What the authenticator shows: the twin's name.
    pub name: String,
    /// What the authenticator shows besides: the person's name.
    pub display_name: String,
    /// Which signatures are understood, as COSE numbers, the best first.
    pub algorithms: Vec<i32>,
    /// Credentials that exist already, base64url: an authenticator that has one makes no other.
    pub exclude: Vec<String>,
}

/// Keep a passkey that the browser has just made.
/// Problems: `bad_passkey`, `passkey_late`, `passkey_known`, `too_many_passkeys`.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct AddPasskey {
    /// Names this write.
    pub id: WriteId,
    /// `clientDataJSON`.
    pub client_data: Base64,
    /// What `getAuthenticatorData()` gives.
    pub authenticator_data: Base64,
    /// What `getPublicKey()` gives: a `SubjectPublicKeyInfo`.
    pub public_key: Base64,
}

/// Call a passkey something. Problems: `not_found`.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RenamePasskey {
    /// Names this write.
    pub id: WriteId,
    /// The passkey.
    pub passkey: PasskeyId,
    /// What it is called from now on.
    pub name: OwnName,
}

/// Remove a passkey; whoever came in with it is signed out, but the browser that asks.
/// Problems: `not_found`.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RemovePasskey {
    /// Names this write.
    pub id: WriteId,
    /// The passkey.
    pub passkey: PasskeyId,
}

/// What a browser needs to sign in with a passkey; good for five minutes and one use.
/// Needs no session, and is the same whether or not there is a passkey.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct SignInBegun {
    /// The challenge, base64url.
    pub challenge: String,
    /// For which host name: the twin's own.
    pub host: String,
}

/// Sign this browser in with a passkey, without a name. Needs no session; sets the cookie.
/// Problems: `bad_passkey`, `passkey_late`, `passkey_unknown`.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SignIn {
    /// The credential's id.
    pub credential: Base64,
    /// `clientDataJSON`.
    pub client_data: Base64,
    /// The authenticator's data.
    pub authenticator_data: Base64,
    /// The signature over both.
    pub signature: Base64,
    /// The user handle.
    pub user: Base64,
}

/// Make a link that lets one further device in: two minutes, one use, and only when the number that the
/// new device shows is chosen here. A link made before is worthless.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Invite {
    /// Names this write.
    pub id: WriteId,
}

/// The link for a further device.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Invited {
    /// To be opened on the new device; the code is in its fragment.
    pub link: String,
    /// The same as a QR code, a complete SVG image.
    pub svg: String,
    /// For how long, in milliseconds.
    pub for_ms: u32,
}

/// How letting a further device in goes, from the one that made the link.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Invitation {
    /// How far it is.
    pub state: InvitationState,
    /// What the new device said it is; may be empty. Only while it asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// Three numbers; the new device shows one of them. Only while it asks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub numbers: Vec<u8>,
    /// The state of the devices; subscribe with it to hear of what comes after.
    pub at: u64,
}

/// How far letting a further device in is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum InvitationState {
    /// Nobody has opened the link.
    Open,
    /// A device has, and shows a number.
    Asks,
    /// Its number was chosen; it comes in now.
    Chosen,
    /// Another number was chosen, or none: it stays out.
    Wrong,
    /// There is no link, it took too long, or the device is in.
    Over,
}

/// Choose the number that the new device shows. Counts once.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ChooseNumber {
    /// Names this write.
    pub id: WriteId,
    /// The number; missing when it is none of them.
    #[serde(default)]
    pub number: Option<u8>,
}

/// Ask to be let in, with the code of a link. Needs no session. Problems: `bad_link`.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Knock {
    /// The code.
    pub code: Line<8, 128>,
}

/// What a device that asks to be let in shows and does.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Knocked {
    /// To be shown.
    pub number: u8,
    /// What it enters with.
    pub wait: String,
}

/// Come in, if the number was chosen. Needs no session; sets the cookie when it says `in`.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Enter {
    /// What knocking gave.
    pub wait: Base64,
}

/// Whether a device was let in.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Entered {
    /// How it stands.
    pub state: EnteredState,
}

/// How it stands with a device that asked to be let in.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EnteredState {
    /// Nothing was chosen yet: ask again in a second.
    Waits,
    /// It is in.
    In,
    /// Another number was chosen, or none.
    Wrong,
    /// It took too long, or the twin was started anew.
    Over,
}

/// Between twins: how the sender wants to be shown.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Profile {
    /// Their display name.
    pub display_name: DisplayName,
    /// What they say about themselves.
    pub about: About,
    /// The sender's clock.
    pub time_ms: TimeMs,
    /// Fields of later versions.
    #[serde(flatten)]
    pub more: More,
}

/// Between twins: everything `identity` says, told apart by `type`.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "type")]
pub enum Body {
    /// The profile changed.
    Profile(Profile),
}
