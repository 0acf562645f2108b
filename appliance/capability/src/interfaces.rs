//! The list of everything that is served: capability, major, methods, events, envelopes. The
//! documents are generated from it and the twin's routing is tested against it. It never lists
//! what is not served.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::DeserializeOwned;

use crate::{
    chat, contacts, experiences, files, health, history, identity, node, records, spaces,
    wire::{Done, Nothing, Page},
};

/// Describes a type, adding what it uses to the generator's definitions.
pub type Describe = fn(&mut SchemaGenerator) -> Schema;

/// One major version of one capability.
#[derive(Clone, Copy, Debug)]
pub struct Interface {
    /// Its name, such as `chat`.
    pub name: &'static str,
    /// Its major version.
    pub major: u32,
    /// What it is for.
    pub about: &'static str,
    /// What can be asked.
    pub methods: &'static [Method],
    /// What can be subscribed to, and what is heard then.
    pub events: Option<(Describe, Describe)>,
    /// What twins say to each other.
    pub envelope: Option<Envelope>,
}

/// One method: `POST /api/<capability>/<major>/<name>`.
#[derive(Clone, Copy, Debug)]
pub struct Method {
    /// Its name.
    pub name: &'static str,
    /// Whether it changes something.
    pub writes: bool,
    /// Whether an experience can call it, within its grants.
    pub experience: bool,
    /// Its request.
    pub request: Describe,
    /// Its answer.
    pub response: Describe,
    /// Whether these bytes are a request of this method.
    pub understands: fn(&[u8]) -> bool,
}

/// The body of envelopes of one capability.
#[derive(Clone, Copy, Debug)]
pub struct Envelope {
    /// The values of `type`.
    pub types: &'static [&'static str],
    /// The body.
    pub body: Describe,
}

/// Everything that is served, by name and major.
#[must_use]
pub fn all() -> &'static [Interface] {
    ALL
}

/// One of them.
#[must_use]
pub fn find(name: &str, major: u32) -> Option<&'static Interface> {
    ALL.iter().find(|one| one.name == name && one.major == major)
}

impl Interface {
    /// One of its methods.
    #[must_use]
    pub fn method(&self, name: &str) -> Option<&'static Method> {
        self.methods.iter().find(|one| one.name == name)
    }
}

const fn read<Q: DeserializeOwned + JsonSchema, A: JsonSchema>(name: &'static str) -> Method {
    let (request, response) = (describe::<Q> as Describe, describe::<A> as Describe);
    Method {
        name,
        writes: false,
        experience: false,
        request,
        response,
        understands: understands::<Q>,
    }
}

const fn write<Q: DeserializeOwned + JsonSchema, A: JsonSchema>(name: &'static str) -> Method {
    Method { writes: true, ..read::<Q, A>(name) }
}

const fn shared(method: Method) -> Method {
    Method { experience: true, ..method }
}

fn understands<Q: DeserializeOwned>(bytes: &[u8]) -> bool {
    serde_json::from_slice::<Q>(bytes).is_ok()
}

fn describe<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

const ALL: &[Interface] =
    &[CHAT, CONTACTS, EXPERIENCES, FILES, HEALTH, HISTORY, IDENTITY, NODE, RECORDS, SPACES];

const CHAT: Interface = {
    use chat::v1::{
        Body, Conversation, Conversations, Delete, Edit, Event, Fetch, Keep, Message, Messages,
        Read, Send, Topic,
    };
    Interface {
        name: "chat",
        major: 1,
        about: "Conversations between two people, and the notebook with oneself.",
        methods: &[
            shared(read::<Conversations, Page<Conversation>>("conversations")),
            shared(read::<Messages, Page<Message>>("messages")),
            shared(write::<Send, Message>("send")),
            shared(write::<Edit, Message>("edit")),
            shared(write::<Delete, Message>("delete")),
            shared(write::<Read, Done>("read")),
            shared(write::<Fetch, Message>("fetch")),
            shared(write::<Keep, files::v1::Item>("keep")),
        ],
        events: Some((describe::<Topic>, describe::<Event>)),
        envelope: Some(Envelope {
            types: &["say", "edit", "delete", "read", "want", "piece"],
            body: describe::<Body>,
        }),
    }
};

const CONTACTS: Interface = {
    use contacts::v1::{Body, Choose, Contact, Event, List, Rename, Request, Topic};
    Interface {
        name: "contacts",
        major: 1,
        about: "People one knows: asking, accepting, blocking, names for them.",
        methods: &[
            read::<List, Page<Contact>>("list"),
            write::<Request, Contact>("request"),
            write::<Choose, Contact>("accept"),
            write::<Choose, Contact>("deny"),
            write::<Choose, Contact>("block"),
            write::<Choose, Contact>("unblock"),
            write::<Rename, Contact>("rename"),
            write::<Choose, Contact>("acknowledge"),
            write::<Choose, Done>("remove"),
        ],
        events: Some((describe::<Topic>, describe::<Event>)),
        envelope: Some(Envelope { types: &["ask", "accept"], body: describe::<Body> }),
    }
};

const EXPERIENCES: Interface = {
    use experiences::v1::{
        Close, Event, Give, Grant, Grants, Inspect, Inspected, Install, Installed, ListGrants,
        ListReleases, Open, Opened, Releases, Remove, Revoke, RollBack, Topic,
    };
    Interface {
        name: "experiences",
        major: 1,
        about: "What is installed, opening it in a frame, and what each may use.",
        methods: &[
            read::<Nothing, Installed>("list"),
            write::<Open, Opened>("open"),
            write::<Close, Nothing>("close"),
            read::<Inspect, Inspected>("inspect"),
            write::<Install, Installed>("install"),
            read::<ListReleases, Releases>("releases"),
            write::<RollBack, Done>("roll_back"),
            write::<Remove, Done>("remove"),
            read::<ListGrants, Grants>("grants"),
            write::<Give, Grant>("grant"),
            write::<Revoke, Done>("revoke"),
        ],
        events: Some((describe::<Topic>, describe::<Event>)),
        envelope: None,
    }
};

const FILES: Interface = {
    use files::v1::{
        Choose, Event, Get, Item, List, MakeFolder, Move, Put, Replace, RestoreVersion, Topic,
        Version, Versions,
    };
    Interface {
        name: "files",
        major: 1,
        about: "Folders and files with their versions. Bytes are sent and read beside it.",
        methods: &[
            shared(read::<List, Page<Item>>("list")),
            shared(read::<Get, Item>("get")),
            shared(read::<Versions, Page<Version>>("versions")),
            shared(write::<MakeFolder, Item>("make_folder")),
            shared(write::<Put, Item>("put")),
            shared(write::<Replace, Item>("replace")),
            shared(write::<Move, Item>("move")),
            shared(write::<Choose, Item>("trash")),
            shared(write::<Choose, Item>("restore")),
            shared(write::<RestoreVersion, Item>("restore_version")),
            shared(write::<Choose, Done>("delete")),
        ],
        events: Some((describe::<Topic>, describe::<Event>)),
        envelope: None,
    }
};

const HEALTH: Interface = {
    use health::v1::{Health, PutOff, Repair, Repaired};
    Interface {
        name: "health",
        major: 1,
        about: "What is not as it should be with one's own twin, and what can be done about it.",
        methods: &[
            read::<Nothing, Health>("list"),
            write::<Repair, Repaired>("repair"),
            write::<PutOff, Health>("put_off"),
        ],
        events: None,
        envelope: None,
    }
};

const HISTORY: Interface = {
    use history::v1::{Erase, Erased, Event, Item, List, Topic, UndoIt, Undone};
    Interface {
        name: "history",
        major: 1,
        about: "What happened, undoing it and erasing it.",
        methods: &[
            read::<List, Page<Item>>("list"),
            write::<UndoIt, Undone>("undo"),
            write::<Erase, Erased>("erase"),
        ],
        events: Some((describe::<Topic>, describe::<Event>)),
        envelope: None,
    }
};

const IDENTITY: Interface = {
    use identity::v1::{
        AddPasskey, Body, Card, ChooseNumber, EndSession, Enter, Entered, Event, Invitation,
        Invite, Invited, Knock, Knocked, KnowSession, Me, Pair, Paired, PasskeyBegun, Passkeys,
        RemovePasskey, RenamePasskey, RenameSession, Sessions, SetProfile, SignIn, SignInBegun,
        Topic,
    };
    Interface {
        name: "identity",
        major: 1,
        about: "Who the person is, to themselves and to their contacts.",
        methods: &[
            shared(read::<Nothing, Me>("me")),
            write::<SetProfile, Me>("set_profile"),
            read::<Nothing, Card>("card"),
            read::<Nothing, Sessions>("sessions"),
            write::<RenameSession, Sessions>("rename_session"),
            write::<KnowSession, Sessions>("know_session"),
            write::<EndSession, Nothing>("end_session"),
            write::<Nothing, Nothing>("sign_out"),
            write::<Pair, Paired>("pair"),
            read::<Nothing, Passkeys>("passkeys"),
            read::<Nothing, PasskeyBegun>("begin_passkey"),
            write::<AddPasskey, Passkeys>("add_passkey"),
            write::<RenamePasskey, Passkeys>("rename_passkey"),
            write::<RemovePasskey, Passkeys>("remove_passkey"),
            read::<Nothing, SignInBegun>("begin_sign_in"),
            write::<SignIn, Paired>("sign_in"),
            write::<Invite, Invited>("invite"),
            read::<Nothing, Invitation>("invitation"),
            write::<ChooseNumber, Invitation>("choose_number"),
            write::<Invite, Invitation>("uninvite"),
            write::<Knock, Knocked>("knock"),
            write::<Enter, Entered>("enter"),
        ],
        events: Some((describe::<Topic>, describe::<Event>)),
        envelope: Some(Envelope { types: &["profile"], body: describe::<Body> }),
    }
};

const NODE: Interface = {
    use health::v1::{Health, Repair, Repaired};
    use node::v1::{Claim, Claimed};
    Interface {
        name: "node",
        major: 1,
        about: "The box: setting it up, and for its owners how it is.",
        methods: &[
            write::<Claim, Claimed>("claim"),
            read::<Nothing, Health>("health"),
            write::<Repair, Repaired>("repair"),
        ],
        events: None,
        envelope: None,
    }
};

const RECORDS: Interface = {
    use records::v1::{
        Choose, Define, Definition, Event, Export, Exported, Get, Import, Imported, Put, Query,
        Record, Topic, Types,
    };
    Interface {
        name: "records",
        major: 1,
        about: "Typed records in spaces, such as tasks, notes and events.",
        methods: &[
            shared(read::<Nothing, Types>("types")),
            shared(write::<Define, Definition>("define")),
            shared(read::<Query, Page<Record>>("query")),
            shared(read::<Get, Record>("get")),
            shared(write::<Put, Record>("put")),
            shared(write::<Choose, Record>("remove")),
            shared(write::<Choose, Record>("restore")),
            read::<Export, Exported>("export"),
            write::<Import, Imported>("import"),
        ],
        events: Some((describe::<Topic>, describe::<Event>)),
        envelope: None,
    }
};

const SPACES: Interface = {
    use spaces::v1::{
        Archive, Ask, Body, Choose, Create, Event, Get, List, Rename, SetRole, Space, Topic,
    };
    Interface {
        name: "spaces",
        major: 1,
        about: "What several people have in common: who is in it and what it is called.",
        methods: &[
            shared(read::<List, Page<Space>>("list")),
            shared(read::<Get, Space>("get")),
            write::<Create, Space>("create"),
            write::<Rename, Space>("rename"),
            write::<Archive, Space>("archive"),
            write::<Ask, Space>("invite"),
            write::<Choose, Space>("accept"),
            write::<Choose, Space>("decline"),
            write::<Choose, Space>("leave"),
            write::<SetRole, Space>("set_role"),
        ],
        events: Some((describe::<Topic>, describe::<Event>)),
        envelope: Some(Envelope {
            types: &["invite", "join", "bye", "roster", "ops", "have"],
            body: describe::<Body>,
        }),
    }
};
