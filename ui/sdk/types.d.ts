// Generated from the capability documents; do not edit.
// A test compares it, `HOMETWIN_WRITE=1 cargo test -p capability` writes it anew.

/** What all capabilities share. */
export namespace Wire {
  /**
   * The body of `POST /api/batch`: at most 32 calls that happen together or not at all. Only
   * methods of the twin's own data can be in it; a read within a batch sees the writes before it.
   */
  interface Batch {
    /** The calls, done in this order. */
    calls: Call[];
  }
  /** The answer to a batch in which every call succeeded. */
  interface BatchResults {
    /** One response per call, in their order. */
    results: unknown[];
  }
  /** One call within a batch. */
  interface Call {
    /** The method's request. */
    body: unknown;
    /** Name of the capability, such as `chat`. */
    capability: string;
    /** Its major version. */
    major: number;
    /** The method, such as `send`. */
    method: string;
  }
  /** From the browser. */
  type ClientMessage =
    /** Tell me what happens to a topic. At most 32 at a time. */
    | {
      /** The `at` of the page that is shown; without it only what happens from now on. */
      at?: number;
      /** Name of the capability. */
      capability: string;
      /** The frame token of the experience on whose behalf it is. */
      frame?: string;
      /** Its major version. */
      major: number;
      op: "subscribe";
      /** Chosen by the browser; names the subscription in what follows. */
      sub: number;
      /** What to hear about; its shape is the capability's `topic`. */
      topic: unknown;
    }
    /** No more of this. */
    | {
      op: "unsubscribe";
      /** The subscription. */
      sub: number;
    };
  /** What is wrong with one field of a request. */
  interface FieldProblem {
    /** What is wrong with it; in English, for the author of the program. */
    detail: string;
    /** Where in the request, as a path such as `calls[2].body.text`. */
    field: string;
  }
  /** A call that was not done, as `application/problem+json`. */
  interface Problem {
    /** In a batch: which call it was, counted from 0. None of the others was done. */
    call?: number;
    /** For programs: stable, such as `conflict` or `not_found`. */
    code: string;
    /** What happened, in a sentence, in the person's language. */
    detail: string;
    /** The fields that were not understood or not allowed. */
    fields?: FieldProblem[];
    /** Whether the same call can succeed when sent again. */
    retry: Retry;
    /** With `conflict`: the revision that the thing has now. */
    rev?: number;
    /** The HTTP status. */
    status: number;
    /** What happened, in a few words, in the person's language. */
    title: string;
    /** `urn:hometwin:problem:` and the code. */
    type: string;
    /** What the person can do, in a sentence, in their language. */
    what_to_do: string;
  }
  /** Whether it helps to send a call again. */
  type Retry =
    /** Not unchanged. */
    | "no"
    /** In a while. */
    | "later"
    /** At once, after reading the thing again. */
    | "now";
  /** From the twin. */
  type ServerMessage =
    /** Something happened. */
    | {
      /** The state that is reached with this event. */
      at: number;
      /** The event; its shape is the capability's `event`. */
      event: unknown;
      /** The subscription. */
      sub: number;
    }
    /** Too much happened since `at`: read the page again and subscribe from its `at`. */
    | {
      /** Always `true`. */
      resync: true;
      /** The subscription; it has ended. */
      sub: number;
    }
    /** The subscription was refused or has ended. */
    | {
      /** Why. */
      problem: Problem;
      /** The subscription. */
      sub: number;
    };
}

/** Conversations between two people, and the notebook with oneself. */
export namespace Chat {
  /** Between twins: a file of a message, as it is announced. */
  interface Announced {
    /** What it is. */
    media_type?: string;
    /** Its name. */
    name: string;
    /** A small picture of it. */
    preview?: string;
    /** Its bytes. */
    size: number;
    [later: string]: unknown;
  }
  /** How far a file of a message has come. */
  type Arrival =
    /** It is being fetched from the other twin. */
    | "coming"
    /** It was deleted or erased, here or by its sender. */
    | "gone"
    /** All of it is here. */
    | "here"
    /** There is no room for it: `fetch` tries again. */
    | "no_room"
    /** It is large, or there is little room: it comes when the person says so, with `fetch`. */
    | "waiting";
  /** A file to send with a message: either an upload or a file that the caller sees. */
  interface Attach {
    /** A file in the person's folders, as it is now. */
    item?: string;
    /** What it is; a file's own unless given. */
    media_type?: string;
    /** Its name; a file's own unless given. */
    name?: string;
    /** A small picture of it; a file's own unless given. */
    preview?: string;
    /** The bytes, completely sent. */
    upload?: string;
  }
  /** A file that came or goes with a message. */
  interface Attachment {
    /** How many bytes are here, while it comes. */
    here?: number;
    /** Where an experience reads its bytes, once they are here. */
    link?: string;
    /** What it is, as its sender says: never to be trusted. */
    media_type?: string;
    /** Its name, as its sender has it. */
    name: string;
    /** Where an experience reads a small picture of it, if its sender made one. */
    preview?: string;
    /** Its bytes. */
    size: number;
    /** Where its bytes are. */
    state: Arrival;
  }
  /** Between twins: everything `chat` says, told apart by `type`. */
  type Body =
    /** A message. */
    | Say & {
      type: "say";
    }
    /** A changed message. */
    | SayEdit & {
      type: "edit";
    }
    /** A deleted message. */
    | SayDelete & {
      type: "delete";
    }
    /** A read marker. */
    | SayRead & {
      type: "read";
    }
    /** Somebody wants a file of a message. */
    | Want & {
      type: "want";
    }
    /** Some of it. */
    | Piece & {
      type: "piece";
    };
  /** A conversation. */
  interface Conversation {
    /** Time of the last message, or when the conversation began. */
    active_ms: number;
    /** Its id. */
    conversation: string;
    /** The newest message. */
    last?: Message;
    /** In a space: who else is in it. Absent between two people. */
    members?: Person[];
    /**
     * Whether something can be sent now: false once the contact was blocked or removed, or when one
     * is in the space no more or only to look.
     */
    open: boolean;
    /** The newest message that the other has read. In a space nobody tells what they have read. */
    read_up_to_by_other?: string;
    /** How many messages of others are unread. */
    unread: number;
    /** The other person; oneself for the notebook; in place of a person the space, by its name. */
    with: Person;
  }
  /** One page of a list. */
  interface ConversationPage {
    /** The state of the twin that this page shows: subscribe from here and nothing is missed. */
    at: number;
    /** Where the next page starts; absent on the last one. */
    cursor?: string;
    /** The items, in the order that the method promises. */
    items: Conversation[];
  }
  /**
   * The conversations, last active first: the notebook, one for each person who is or was an
   * accepted contact, also before anything was said, and one for each space that several are in or in
   * which something was said, and that isn't put away. The conversation of a space has its id.
   */
  interface Conversations {
    /** Where to start. */
    cursor?: string;
    /** How many. */
    limit?: number;
  }
  /**
   * Delete a message of one's own, here and at the others'. What they have seen they have seen.
   * Problems: `not_found`, `not_author`.
   */
  interface Delete {
    /** Names this write. */
    id: string;
    /** The message. */
    message: string;
  }
  /** How far a message has come. */
  type Delivery =
    /** The other twin has it safely. */
    | "delivered"
    /** The other twin keeps it and can show it after its next update. */
    | "held"
    /** It waits here until the other twin can be reached. */
    | "queued"
    /** The other person has read it. */
    | "read"
    /** The other twin did not take it. */
    | "refused"
    /**
     * It was taken back here, by blocking the other or erasing its text, before it was known to
     * have arrived.
     */
    | "withdrawn";
  /** The answer to a write that has nothing more to say. */
  interface Done {
    /** Number of the journal entry that the write made, or of the newest one if it changed nothing. */
    at: number;
  }
  /**
   * Change the text of a message of one's own.
   * Problems: `not_found`, `not_author`, `conflict`, `deleted`.
   */
  interface Edit {
    /** Names this write. */
    id: string;
    /** Only if the message still has this revision. */
    if_rev?: number;
    /** The message. */
    message: string;
    /** The new text. */
    text: string;
  }
  /** What happened. */
  type Event =
    /** A conversation is new, or its unread count, its last message or who can write changed. */
    | {
      /** How it is now. */
      conversation: Conversation;
      type: "conversation";
    }
    /** A message is new or changed. Put it where its time says, not where it arrived. */
    | {
      /** How it is now. */
      message: Message;
      type: "message";
    };
  /**
   * Fetch a file of a message that waits. Problems: `not_found`; `closed` when its sender is no
   * contact any more; `gone`.
   */
  interface Fetch {
    /** Who wrote it, should two messages have the same id. */
    author?: string;
    /** Names this write. */
    id: string;
    /** The message. */
    message: string;
    /** Which of its files, from 0 on. */
    number: number;
  }
  /** A file or a folder. */
  interface Item {
    /** When its content last changed. */
    changed_ms: number;
    /** The folder that it is in; absent for the topmost that the caller sees. */
    folder?: string;
    /** Its id. */
    item: string;
    /** What it is. */
    kind: ItemKind;
    /**
     * Where an experience reads a file's bytes, within its own address; absent when its content
     * was erased. Another version has another link.
     */
    link?: string;
    /** Since when it is there. */
    made_ms: number;
    /** What is in a file, as whoever sent it says: never to be trusted. */
    media_type?: string;
    /** Its name; absent when that was erased. */
    name?: string;
    /** Where an experience reads a small picture of it, if whoever sent it made one. */
    preview?: string;
    /** Revision. */
    rev: number;
    /** The bytes of a file. */
    size?: number;
    /** When it was put into the trash; what is in a folder goes with it. */
    trashed_ms?: number;
    /** The version of a file. */
    version?: number;
  }
  /** What an item is. */
  type ItemKind =
    /** Bytes, with their versions. */
    | "file"
    /** Holds others. */
    | "folder";
  /**
   * Put a file of a message into a folder of one's own, where it stays whatever becomes of the
   * message. It gets another name, if its own is taken there. Problems: `not_found`, also when the
   * caller may put nothing there; `gone` when its bytes aren't here.
   */
  interface Keep {
    /** Who wrote it, should two messages have the same id. */
    author?: string;
    /**
     * In which folder; the topmost one unless given. For an experience that is the folder it was
     * given.
     */
    folder?: string;
    /** Names this write and becomes the id of the file. */
    id: string;
    /** The message. */
    message: string;
    /** Which of its files, from 0 on. */
    number: number;
  }
  /** A message. */
  interface Message {
    /** The files that came with it. */
    attachments?: Attachment[];
    /** Who wrote it. */
    author: Person;
    /** The conversation that it is in. */
    conversation: string;
    /** Its author deleted it. */
    deleted: boolean;
    /** When its author last edited it. */
    edited_ms?: number;
    /** Its text was erased here, for good. */
    erased?: boolean;
    /** Its id, made by its author. Unique together with the author. */
    message: string;
    /** What a newer version said about it that this one does not know. */
    more?: Record<string, unknown>;
    /** It was written by a newer twin: this one keeps it and shows it after its next update. */
    needs_update?: boolean;
    /** The message that it answers. */
    reply_to?: string;
    /** Revision. */
    rev: number;
    /** How far one's own message to somebody else has come; not told in a space. */
    state?: Delivery;
    /** The text; absent when deleted, erased or in need of an update. */
    text?: string;
    /** When its author wrote it. */
    time_ms: number;
  }
  /** One page of a list. */
  interface MessagePage {
    /** The state of the twin that this page shows: subscribe from here and nothing is missed. */
    at: number;
    /** Where the next page starts; absent on the last one. */
    cursor?: string;
    /** The items, in the order that the method promises. */
    items: Message[];
  }
  /**
   * The messages of a conversation, newest first. Order: time, author, id.
   * Problems: `not_found`.
   */
  interface Messages {
    /** The conversation. */
    conversation: string;
    /** Where to start. */
    cursor?: string;
    /** How many. */
    limit?: number;
  }
  /** A person in a conversation. */
  interface Person {
    /** Their id, as this caller may know it. */
    id: string;
    /** Whether it is oneself. */
    me: boolean;
    /** What they are called here. */
    name: string;
  }
  /** Between twins: bytes that were wanted; without any, the file is gone. */
  interface Piece {
    /** The bytes, in base64. */
    bytes?: string;
    /** The message. */
    message: string;
    /** Which of its files. */
    number: number;
    /** Where they belong. */
    offset: number;
    [later: string]: unknown;
  }
  /**
   * Mark a conversation as read up to a message. Never goes back.
   * Problems: `not_found`.
   */
  interface Read {
    /** Who wrote that message, should two messages have the same id; the newest otherwise. */
    author?: string;
    /** The conversation. */
    conversation: string;
    /** Names this write. */
    id: string;
    /** The newest message that was seen. */
    up_to: string;
  }
  /** Between twins: a message. */
  interface Say {
    /** Files that can be wanted. */
    attachments?: Announced[];
    /** Its id. */
    message: string;
    /** The message that it answers. */
    reply_to?: string;
    /** The text. */
    text: string;
    /** The author's clock. */
    time_ms: number;
    [later: string]: unknown;
  }
  /** Between twins: the author deleted a message. */
  interface SayDelete {
    /** The message. */
    message: string;
    /** The author's clock. */
    time_ms: number;
    [later: string]: unknown;
  }
  /** Between twins: the author changed a message. The newest `time_ms` wins. */
  interface SayEdit {
    /** The message. */
    message: string;
    /** Its new text. */
    text: string;
    /** The author's clock. */
    time_ms: number;
    [later: string]: unknown;
  }
  /** Between twins: the sender has read the conversation up to this message. */
  interface SayRead {
    /** Its author. */
    author: string;
    /** The sender's clock. */
    time_ms: number;
    /** The message. */
    up_to: string;
    [later: string]: unknown;
  }
  /**
   * Write a message, also with files and then perhaps without a text. In a space it goes to everybody
   * who is in it, and has no files.
   * Problems: `not_found`; `no_upload`; `closed` when the other is no contact any more or one has left
   * the space; `only_see` in a space where one only looks; `no_files_there`; `id_taken` when the id
   * already names something else.
   */
  interface Send {
    /** Files to send with it. */
    attachments?: Attach[];
    /** The conversation. */
    conversation: string;
    /** Names this write and becomes the id of the message. */
    id: string;
    /** The message that it answers. */
    reply_to?: string;
    /** The text; only empty with files. */
    text: string;
  }
  /** What to hear about: one conversation, or all of them. */
  interface Topic {
    /** Only this one. */
    conversation?: string;
  }
  /** Between twins: the receiver of a message wants the bytes of one of its files. */
  interface Want {
    /** The message. */
    message: string;
    /** Which of its files. */
    number: number;
    /** From here on. */
    offset: number;
    [later: string]: unknown;
  }
}

/** People one knows: asking, accepting, blocking, names for them. */
export namespace Contacts {
  /** Between twins: yes, we are contacts. */
  interface Accept {
    /** What they say about themselves. */
    about?: string;
    /** What the sender calls themselves. */
    display_name: string;
    /** The sender's clock. */
    time_ms: number;
    [later: string]: unknown;
  }
  /** Between twins: may I be your contact? The sender's chain and pre-key come with the link. */
  interface Ask {
    /** What they say about themselves. */
    about?: string;
    /** What the sender calls themselves. */
    display_name: string;
    /** A few words. */
    note?: string;
    /** The sender's clock. */
    time_ms: number;
    [later: string]: unknown;
  }
  /** Between twins: everything `contacts` says, told apart by `type`. */
  type Body =
    /** A request. */
    | Ask & {
      type: "ask";
    }
    /** The answer yes. */
    | Accept & {
      type: "accept";
    };
  /**
   * Names a contact to be accepted, denied, blocked, unblocked or removed, or whose `double` was
   * taken note of.
   * Problems: `not_found`; `wrong_state` when that cannot be done with how things stand.
   */
  interface Choose {
    /** The contact. */
    contact: string;
    /** Names this write. */
    id: string;
    /** Only if the contact still has this revision. */
    if_rev?: number;
  }
  /** A person one knows or is being asked by. */
  interface Contact {
    /** What they say about themselves. */
    about?: string;
    /** Their twin id. */
    contact: string;
    /** The conversation with them, once accepted. */
    conversation?: string;
    /** What they call themselves. */
    display_name: string;
    /** Somebody else has used their keys; until `acknowledge`. */
    double?: Double;
    /** The words that came with the request. */
    note?: string;
    /** What one calls them. */
    petname?: string;
    /** Revision. */
    rev: number;
    /** Since when it stands so. */
    since_ms: number;
    /** How things stand. */
    state: ContactState;
  }
  /** One page of a list. */
  interface ContactPage {
    /** The state of the twin that this page shows: subscribe from here and nothing is missed. */
    at: number;
    /** Where the next page starts; absent on the last one. */
    cursor?: string;
    /** The items, in the order that the method promises. */
    items: Contact[];
  }
  /** How things stand with a contact. */
  type ContactState =
    /** Both have said yes. */
    | "accepted"
    /** We asked and wait for an answer. */
    | "asked"
    /** They ask and wait for ours. */
    | "asks"
    /**
     * Nothing from them is kept or shown, and nothing is sent to them. They are not told: what they
     * say is acknowledged and lost.
     */
    | "blocked"
    /** We said no; they are not told. */
    | "denied";
  /** The answer to a write that has nothing more to say. */
  interface Done {
    /** Number of the journal entry that the write made, or of the newest one if it changed nothing. */
    at: number;
  }
  /**
   * Two different histories of a contact's keys were seen, so somebody else holds, or held, one of
   * them. What is said in their name may be somebody else's.
   */
  interface Double {
    /**
     * Whether they have taken their identity back since, with their recovery key. Otherwise the
     * keys that were known first count, whoever holds them.
     */
    recovered: boolean;
    /** When it was noticed. */
    since_ms: number;
  }
  /** What happened to the contacts. */
  type Event =
    /** A contact is new or changed. */
    | {
      /** How it is now. */
      contact: Contact;
      type: "contact";
    }
    /** A contact is gone. */
    | {
      /** Which. */
      contact: string;
      type: "removed";
    };
  /** The contacts by name: requests that wait for us first. */
  interface List {
    /** Where to start. */
    cursor?: string;
    /** How many. */
    limit?: number;
  }
  /**
   * Call a contact something else; only oneself sees it.
   * Problems: `not_found`, `conflict`.
   */
  interface Rename {
    /** The contact. */
    contact: string;
    /** Names this write. */
    id: string;
    /** Only if the contact still has this revision. */
    if_rev?: number;
    /** The name; empty takes it away. */
    petname: string;
  }
  /**
   * Ask a person to be a contact. If they asked already, this accepts.
   * Problems: `bad_card`, `own_card`, `already` (accepted or blocked).
   */
  interface Request {
    /** Their card: a link or the text of one. */
    card: string;
    /** Names this write. */
    id: string;
    /** A few words for them. */
    note?: string;
  }
  /** What to hear about: all contacts. */
  interface Topic {
  }
}

/** What is installed, opening it in a frame, and what each may use. */
export namespace Experiences {
  /** Who made an experience. */
  interface Author {
    /** Whether it is the person themselves. */
    me: boolean;
    /** What they are called here, if they are a contact. */
    name?: string;
    /** The twin that signed it. */
    twin: string;
  }
  /** The frame is gone. Closing it again is no problem. */
  interface Close {
    /** The frame. */
    frame: string;
  }
  /** The answer to a write that has nothing more to say. */
  interface Done {
    /** Number of the journal entry that the write made, or of the newest one if it changed nothing. */
    at: number;
  }
  /** What happened to the grants. */
  type Event =
    /** A grant was given. */
    | {
      /** How it is. */
      grant: Grant;
      type: "grant";
    }
    /** A grant was taken back. */
    | {
      /** Which. */
      grant: string;
      type: "revoked";
    };
  /** An installed experience. */
  interface Experience {
    /** Who made it: the twin that signed it; absent for what comes with the twin. */
    author?: Author;
    /** What it may use. */
    grants: Grant[];
    /** Its name: also its address, `/x/<name>`. */
    name: string;
    /** The release that is used; absent for one that was given with the node's command line. */
    release?: number;
    /** What it is called, by language tag. */
    title: Record<string, string>;
    /** Its version, for people. */
    version: string;
    /** The kinds of things it works with, such as `conversation`. */
    wants: string[];
  }
  /** How much of the past of a thing may be seen. */
  type From =
    /** All of it. */
    | "history"
    /** Only what comes after the grant was given. */
    | "now";
  /** What an experience may use, and how. */
  interface Grant {
    /** Who may. */
    experience: string;
    /** How much of its past may be seen. */
    from: From;
    /** Its id. */
    grant: string;
    /** What kind of thing. */
    kind: ThingKind;
    /** Last use, to the hour. */
    last_used_ms?: number;
    /** Since when. */
    since_ms: number;
    /** Which: its id, or `all`. */
    thing: string;
    /** What the person sees of the thing: the name of the other in a conversation. */
    title?: string;
    /** Of a space: the types of records. */
    types?: string[];
    /** What may be done with it. */
    verbs: Verb[];
  }
  /**
   * Give an experience a thing that the person chose. Only the shell can.
   * Problems: `not_found` when there is no such thing.
   */
  interface GrantRequest {
    /** To whom. */
    experience: string;
    /** How much of its past may be seen. */
    from: From;
    /** Names this write and becomes the id of the grant. */
    id: string;
    /** What kind of thing. */
    kind: ThingKind;
    /** Which: its id, or `all`. */
    thing: string;
    /** Of a space: the types of records. */
    types?: string[];
    /** What may be done with it; `see` is always part of it. */
    verbs: Verb[];
  }
  /** All grants that hold. */
  interface Grants {
    /** The state of the twin that this shows. */
    at: number;
    /** The newest first. */
    items: Grant[];
  }
  /**
   * What a package is and what would change with it. Nothing is installed by that.
   * Problems: `no_package`, `bad_package`, `bad_signature`.
   */
  interface Inspect {
    /** Where it is. */
    source: Source;
  }
  /** A package that is whole and signed. */
  interface Inspected {
    /** Who made it. */
    author: Author;
    /** What the installed version wanted and used, and this one does not. */
    dropped: string[];
    /** The hash that names this release for ever. */
    hash: string;
    /** The version that is used now, if it is installed. */
    installed?: string;
    /** Its name. */
    name: string;
    /** Of what it wants and uses, what the installed version did not. */
    new: string[];
    /** What it is called, by language tag. */
    title: Record<string, string>;
    /** The types of records that it reads or writes. */
    types: string[];
    /** The capabilities that it uses. */
    uses: string[];
    /** Its version. */
    version: string;
    /** The kinds of things that it works with. */
    wants: string[];
  }
  /**
   * Install a package. What it may see is chosen when it asks. Installing what is used already
   * changes nothing. Problems: `no_package`, `bad_package`, `bad_signature`, `other_author`,
   * `older_version`, `same_version`.
   */
  interface Install {
    /** The hash that was shown: another package is not installed. */
    hash: string;
    /** Where it is. */
    source: Source;
  }
  /** What is installed. */
  interface Installed {
    /** By name. */
    items: Experience[];
  }
  /** List grants, newest first. */
  interface ListGrants {
    /** Only of this experience. */
    experience?: string;
  }
  /** The releases of an experience that are kept, newest first. Problems: `not_found`. */
  interface ListReleases {
    /** Its name. */
    name: string;
  }
  /** A request without any parameters. */
  interface Nothing {
  }
  /** Open an experience in a frame. Problems: `not_found`, `too_many` (frames of this session). */
  interface Open {
    /** Its name. */
    name: string;
  }
  /** A frame is ready to be shown. */
  interface Opened {
    /** The unguessable id of the frame. */
    frame: string;
    /** What the shell sends as `Experience` header with its calls. Not for the experience itself. */
    token: string;
    /** The address to load. */
    url: string;
  }
  /** A release that is kept. */
  interface Release {
    /** Its number. */
    release: number;
    /** When it was installed. */
    since_ms: number;
    /** Whether it is the one in use. */
    used: boolean;
    /** Its version. */
    version: string;
  }
  /** Releases. */
  interface Releases {
    /** The newest first. */
    items: Release[];
  }
  /**
   * Remove an experience with all its releases; what it may use ends. What was made with it is the
   * person's and stays. Problems: `not_found`.
   */
  interface Remove {
    /** Names this write. */
    id: string;
    /** The experience. */
    name: string;
  }
  /** Take a grant back, at once. Problems: `not_found`. */
  interface Revoke {
    /** The grant. */
    grant: string;
    /** Names this write. */
    id: string;
  }
  /** Use another release that is kept; grants stay as they are. Problems: `not_found`. */
  interface RollBack {
    /** Names this write. */
    id: string;
    /** The experience. */
    name: string;
    /** The release. */
    release: number;
  }
  /** Where a package is: an upload, or a link of a file or of a file of a message. */
  interface Source {
    /** A link such as an item of `files` has. */
    link?: string;
    /** The bytes, completely sent. */
    upload?: string;
  }
  /** A kind of thing that can be chosen. */
  type ThingKind =
    /** A conversation. */
    | "conversation"
    /** A folder with all that is in it. */
    | "folder"
    /** A space: its records of some types. */
    | "space";
  /** What to hear about: all grants. */
  interface Topic {
  }
  /** What may be done with a thing. */
  type Verb =
    /** Read what is in it. */
    | "see"
    /** Put something new into it. */
    | "add"
    /** Change or delete what the person themselves put there. */
    | "change";
}

/** Folders and files with their versions. Bytes are sent and read beside it. */
export namespace Files {
  /**
   * Put an item into the trash, take it back from there, or delete it for good with all that is in
   * it; only what is in the trash can be deleted. Taken back it may get another name, if its own was
   * given away, and lies on top, if its folder is gone. Problems: `not_found`, `conflict`,
   * `not_in_trash`, `too_many`.
   */
  interface Choose {
    /** Names this write. */
    id: string;
    /** Only if it still has this revision. */
    if_rev?: number;
    /** Which. */
    item: string;
  }
  /** The answer to a write that has nothing more to say. */
  interface Done {
    /** Number of the journal entry that the write made, or of the newest one if it changed nothing. */
    at: number;
  }
  /** What happened there. */
  type Event =
    /** An item is there, like this. */
    | {
      /** How it is. */
      item: Item;
      type: "item";
    }
    /** An item is not there, or not any more. */
    | {
      /** Which. */
      item: string;
      type: "removed";
    };
  /** One item as it is. Problems: `not_found`, also when the experience was given no folder. */
  interface Get {
    /** Which; the topmost folder unless given. */
    item?: string;
  }
  /** A file or a folder. */
  interface Item {
    /** When its content last changed. */
    changed_ms: number;
    /** The folder that it is in; absent for the topmost that the caller sees. */
    folder?: string;
    /** Its id. */
    item: string;
    /** What it is. */
    kind: ItemKind;
    /**
     * Where an experience reads a file's bytes, within its own address; absent when its content
     * was erased. Another version has another link.
     */
    link?: string;
    /** Since when it is there. */
    made_ms: number;
    /** What is in a file, as whoever sent it says: never to be trusted. */
    media_type?: string;
    /** Its name; absent when that was erased. */
    name?: string;
    /** Where an experience reads a small picture of it, if whoever sent it made one. */
    preview?: string;
    /** Revision. */
    rev: number;
    /** The bytes of a file. */
    size?: number;
    /** When it was put into the trash; what is in a folder goes with it. */
    trashed_ms?: number;
    /** The version of a file. */
    version?: number;
  }
  /** What an item is. */
  type ItemKind =
    /** Bytes, with their versions. */
    | "file"
    /** Holds others. */
    | "folder";
  /** One page of a list. */
  interface ItemPage {
    /** The state of the twin that this page shows: subscribe from here and nothing is missed. */
    at: number;
    /** Where the next page starts; absent on the last one. */
    cursor?: string;
    /** The items, in the order that the method promises. */
    items: Item[];
  }
  /**
   * What is in a folder: folders first, by name, in the order of their characters; or the trash,
   * newest first. Problems: `not_found`.
   */
  interface List {
    /** Where to start. */
    cursor?: string;
    /** The folder; the topmost one unless given. For an experience that is the folder it was given. */
    folder?: string;
    /** How many. */
    limit?: number;
    /** The trash instead. */
    trash?: boolean;
  }
  /** Make a folder. Problems: `not_found`, `file_exists`, `too_deep`, `id_taken`. */
  interface MakeFolder {
    /** In which folder; the topmost one unless given. */
    folder?: string;
    /** Names this write and becomes the id of the folder. */
    id: string;
    /** Its name: nothing else in there may have it. */
    name: string;
  }
  /**
   * Give an item another name, another folder or both. Problems: `not_found`, `file_exists`,
   * `into_itself`, `too_deep`, `conflict`.
   */
  interface Move {
    /** Where to. */
    folder?: string;
    /** Names this write. */
    id: string;
    /** Only if it still has this revision. */
    if_rev?: number;
    /** Which. */
    item: string;
    /** Its new name. */
    name?: string;
  }
  /**
   * Put what was sent into a folder. Problems: `not_found`, `file_exists`, `no_upload` when it is not
   * complete or was given up, `id_taken`.
   */
  interface Put {
    /** In which folder; the topmost one unless given. */
    folder?: string;
    /** Names this write and becomes the id of the file. */
    id: string;
    /** What it is. */
    media_type?: string;
    /** Its name: nothing else in there may have it. */
    name: string;
    /** A small picture of it, made by the browser that sends it. */
    preview?: string;
    /** The bytes, completely sent. */
    upload: string;
  }
  /**
   * Give a file another content. What it had stays as a version; the 50 newest are kept.
   * Problems: `not_found`, `no_upload`, `conflict`.
   */
  interface Replace {
    /** Names this write. */
    id: string;
    /** Only if it still has this revision. */
    if_rev?: number;
    /** The file. */
    item: string;
    /** What it is. */
    media_type?: string;
    /** A small picture of it, made by the browser that sends it. */
    preview?: string;
    /** The bytes, completely sent. */
    upload: string;
  }
  /** Give a file the content that it had once, as a new version. Problems: `not_found`, `conflict`. */
  interface RestoreVersion {
    /** Names this write. */
    id: string;
    /** Only if the file still has this revision. */
    if_rev?: number;
    /** The file. */
    item: string;
    /** Which version. */
    version: number;
  }
  /** What to hear about: what is in one folder, or the trash. */
  interface Topic {
    /** The folder; the topmost one unless given. */
    folder?: string;
    /** The trash instead. */
    trash?: boolean;
  }
  /** What a file held at some time. */
  interface Version {
    /** Where its bytes are read; absent when they were erased. */
    link?: string;
    /** Since when. */
    made_ms: number;
    /** What it is, as whoever sent it says. */
    media_type?: string;
    /** Its bytes. */
    size: number;
    /** Its number: larger than that of every earlier one. */
    version: number;
  }
  /** One page of a list. */
  interface VersionPage {
    /** The state of the twin that this page shows: subscribe from here and nothing is missed. */
    at: number;
    /** Where the next page starts; absent on the last one. */
    cursor?: string;
    /** The items, in the order that the method promises. */
    items: Version[];
  }
  /** What a file held, newest first; the first one is what it holds now. Problems: `not_found`. */
  interface Versions {
    /** Where to start. */
    cursor?: string;
    /** The file. */
    item: string;
    /** How many. */
    limit?: number;
  }
}

/** What is not as it should be with one's own twin, and what can be done about it. */
export namespace Health {
  /** Everything that is not as it should be, the most pressing first. */
  interface Health {
    /** Empty when all is well. */
    items: Item[];
  }
  /** One problem. */
  interface Item {
    /** Which of several, where there can be several: the name of a twin, a disk or a wall. */
    about?: string;
    /** Whether it may be put off for a while. */
    can_wait: boolean;
    /** What happened and what it means. */
    detail: string;
    /** Stable name of the problem, such as `verify_failed`. */
    problem: string;
    /** Until when it was put off: till then it needs no mark. */
    put_off_until_ms?: number;
    /** What can be done here and now. */
    repairs: Offer[];
    /** What it is, in a few words. */
    title: string;
    /** How pressing it is. */
    weight: Weight;
    /** What the person can do. */
    what_to_do: string;
  }
  /** A request without any parameters. */
  interface Nothing {
  }
  /** Something that can be done about a problem. */
  interface Offer {
    /** What its button says. */
    label: string;
    /** Its stable name, to be sent back. */
    repair: string;
    /** What happens then, to be said before it is done. */
    what_happens: string;
  }
  /**
   * Not now: the problem stays in the list, but needs no mark for a while.
   * Problems: `not_found` when there is no such problem or it can't wait.
   */
  interface PutOff {
    /** Names this write. */
    id: string;
    /** The problem. */
    problem: string;
  }
  /**
   * Do what was offered. Doing it again is harmless. Problems: `not_found` when the problem is gone
   * or this was not offered for it, `full`, `failed`.
   */
  interface Repair {
    /** Which of several: `about` of the item. */
    about?: string;
    /** Names this write. */
    id: string;
    /** The problem. */
    problem: string;
    /** The offer. */
    repair: string;
  }
  /** What came of it. */
  interface Repaired {
    /** Whether the problem is settled. */
    settled: boolean;
    /** What came of it, in a sentence. */
    text: string;
  }
  /** How pressing a problem is. */
  type Weight =
    /** Something does not work, or is in danger. */
    | "now"
    /** Something will not work one day. */
    | "soon"
    /** Worth knowing. */
    | "note";
}

/** What happened, undoing it and erasing it. */
export namespace History {
  /** Who did something. */
  type Actor =
    /** Another person. */
    | {
      /** Their twin id. */
      contact: string;
      /** What they are called here. */
      name: string;
      type: "contact";
    }
    /** Oneself, in a browser. */
    | {
      /** The public id of its session. */
      device: string;
      type: "device";
    }
    /** Oneself, through an experience. */
    | {
      /** Its name. */
      name: string;
      type: "experience";
    }
    /** The twin itself. */
    | {
      type: "system";
    };
  /**
   * Erase the content of things for good. That they happened stays in the history.
   * Problems: `not_found` when an entry does not exist; `nothing_to_erase` when none of them has
   * content. Entries without content are passed over.
   */
  interface Erase {
    /** Names this write. */
    id: string;
    /** The journal entries. */
    seqs: number[];
  }
  /** The content can't be read any more. */
  interface Erased {
    /** When the last copy of it on this node is overwritten. */
    complete_by_ms: number;
    /** How many entries had content. */
    erased: number;
  }
  /** What happened. */
  type Event =
    /** Something new in the history, or an entry that was undone or erased since. */
    | {
      /** How it is now. */
      item: Item;
      type: "entry";
    };
  /** One thing that happened. */
  interface Item {
    /** Who did it. */
    actor: Actor;
    /** What to fill into the sentence. */
    args: Record<string, string>;
    /** The contact it has to do with. */
    contact?: string;
    /** Whether it has content that can be erased. */
    erasable: boolean;
    /** Its content was erased. */
    erased: boolean;
    /** The kind, such as `chat.message`. */
    kind: string;
    /** Names the sentence in which to say it, such as `history.chat.message`. */
    line: string;
    /** Number of the journal entry. */
    seq: number;
    /** When. */
    time_ms: number;
    /** Whether and how it can be undone. */
    undo: Undo;
    /** The entry that undid it. */
    undone_by?: number;
  }
  /** One page of a list. */
  interface ItemPage {
    /** The state of the twin that this page shows: subscribe from here and nothing is missed. */
    at: number;
    /** Where the next page starts; absent on the last one. */
    cursor?: string;
    /** The items, in the order that the method promises. */
    items: Item[];
  }
  /** What happened, newest first. */
  interface List {
    /** Only what has to do with this contact. */
    contact?: string;
    /** Where to start. */
    cursor?: string;
    /**
     * Only these kinds, such as `chat.message`; `chat.` takes all that begin so. Read markers
     * (`chat.read`) are left out unless they are asked for here.
     */
    kinds?: string[];
    /**
     * How many. A filter reads a bounded stretch at a time: a page can be short, even empty,
     * and still have a cursor.
     */
    limit?: number;
    /** Only what has these words in its content, upper or lower case alike. */
    text?: string;
  }
  /** What to hear about: everything. */
  interface Topic {
  }
  /** How something can be undone. */
  type Undo =
    /** Here, and the other person's twin is asked to do the same; what they saw they saw. */
    | "ask_peer"
    /** Here, completely. */
    | "local"
    /** Not at all. */
    | "none";
  /**
   * Undo one thing.
   * Problems: `not_found`; `cannot_undo` for a kind that has no undo or was undone already;
   * `built_upon` when something later stands on it (the problem's `rev` names that entry).
   */
  interface UndoRequest {
    /** Names this write. */
    id: string;
    /** The journal entry. */
    seq: number;
  }
  /** It was undone. */
  interface Undone {
    /** Whether another twin was asked to do the same. */
    asked_peer: boolean;
    /** The journal entry of the undoing. */
    seq: number;
  }
}

/** Who the person is, to themselves and to their contacts. */
export namespace Identity {
  /**
   * Keep a passkey that the browser has just made.
   * Problems: `bad_passkey`, `passkey_late`, `passkey_known`, `too_many_passkeys`.
   */
  interface AddPasskey {
    /** What `getAuthenticatorData()` gives. */
    authenticator_data: string;
    /** `clientDataJSON`. */
    client_data: string;
    /** Names this write. */
    id: string;
    /** What `getPublicKey()` gives: a `SubjectPublicKeyInfo`. */
    public_key: string;
  }
  /** Between twins: everything `identity` says, told apart by `type`. */
  type Body =
    /** The profile changed. */
    | Profile & {
      type: "profile";
    };
  /** How a browser came in. */
  type CameBy =
    /** With the one-time code of the console. */
    | "code"
    /** With a passkey. */
    | "passkey"
    /** Let in by another device. */
    | "device";
  /** What one gives to others so that they can ask to be a contact. */
  interface Card {
    /** The card as a link. */
    link: string;
    /** The same as a QR code, a complete SVG image. */
    svg: string;
  }
  /** Choose the number that the new device shows. Counts once. */
  interface ChooseNumber {
    /** Names this write. */
    id: string;
    /** The number; missing when it is none of them. */
    number?: number;
  }
  /** Sign out one browser. Problems: `not_found`. */
  interface EndSession {
    /** Names this write. */
    id: string;
    /**
     * Also remove the passkeys that were made on it, and sign out whoever came in with them but the
     * browser that asks.
     */
    passkeys?: boolean;
    /** The session. */
    session: string;
  }
  /** Come in, if the number was chosen. Needs no session; sets the cookie when it says `in`. */
  interface Enter {
    /** What knocking gave. */
    wait: string;
  }
  /** Whether a device was let in. */
  interface Entered {
    /** How it stands. */
    state: EnteredState;
  }
  /** How it stands with a device that asked to be let in. */
  type EnteredState =
    /** Nothing was chosen yet: ask again in a second. */
    | "waits"
    /** It is in. */
    | "in"
    /** Another number was chosen, or none. */
    | "wrong"
    /** It took too long, or the twin was started anew. */
    | "over";
  /** What happened to the devices. */
  type Event =
    /**
     * One came in, asks to be let in, was named, called one's own or signed out: ask for the list, or how
     * the invitation stands, again.
     */
    | {
      type: "devices";
    };
  /** How letting a further device in goes, from the one that made the link. */
  interface Invitation {
    /** The state of the devices; subscribe with it to hear of what comes after. */
    at: number;
    /** What the new device said it is; may be empty. Only while it asks. */
    device?: string;
    /** Three numbers; the new device shows one of them. Only while it asks. */
    numbers?: number[];
    /** How far it is. */
    state: InvitationState;
  }
  /** How far letting a further device in is. */
  type InvitationState =
    /** Nobody has opened the link. */
    | "open"
    /** A device has, and shows a number. */
    | "asks"
    /** Its number was chosen; it comes in now. */
    | "chosen"
    /** Another number was chosen, or none: it stays out. */
    | "wrong"
    /** There is no link, it took too long, or the device is in. */
    | "over";
  /**
   * Make a link that lets one further device in: two minutes, one use, and only when the number that the
   * new device shows is chosen here. A link made before is worthless.
   */
  interface Invite {
    /** Names this write. */
    id: string;
  }
  /** The link for a further device. */
  interface Invited {
    /** For how long, in milliseconds. */
    for_ms: number;
    /** To be opened on the new device; the code is in its fragment. */
    link: string;
    /** The same as a QR code, a complete SVG image. */
    svg: string;
  }
  /** Ask to be let in, with the code of a link. Needs no session. Problems: `bad_link`. */
  interface Knock {
    /** The code. */
    code: string;
  }
  /** What a device that asks to be let in shows and does. */
  interface Knocked {
    /** To be shown. */
    number: number;
    /** What it enters with. */
    wait: string;
  }
  /**
   * Say that a device which came in is one's own. A device can't say so about itself.
   * Problems: `not_found`.
   */
  interface KnowSession {
    /** Names this write. */
    id: string;
    /** The session. */
    session: string;
  }
  /** The person whose twin this is. */
  interface Me {
    /** What they say about themselves. Not for experiences. */
    about?: string;
    /** How they want to be called. */
    display_name: string;
    /** Their id; for an experience a private one. */
    id: string;
    /** The twin's name on its node, such as `ann`. Not for experiences. */
    name?: string;
    /** Revision of the profile. */
    rev: number;
  }
  /** A request without any parameters. */
  interface Nothing {
  }
  /**
   * Sign this browser in with a one-time code. Needs no session; sets the cookie.
   * Problems: `bad_code`, `too_often`.
   */
  interface Pair {
    /** The code. */
    code: string;
  }
  /** The browser is signed in. */
  interface Paired {
    /** Where to go now: a path at the same origin. */
    next: string;
  }
  /** A passkey, without what proves it. */
  interface Passkey {
    /** What kind of device it was made on; may be empty. */
    device: string;
    /** Whether it fits the name that the twin has now. Browsers offer it under no other. */
    fits: boolean;
    /** When somebody came in with it last; missing if nobody has. */
    last_used_ms?: number;
    /** When it was made. */
    made_ms: number;
    /** What the person calls it; missing until they have said so. */
    name?: string;
    /** Its public id. */
    passkey: string;
    /** Whether it is kept on several devices, by whoever keeps it. */
    synced: boolean;
  }
  /** What a browser needs to make a passkey; good for five minutes and one use. */
  interface PasskeyBegun {
    /** Which signatures are understood, as COSE numbers, the best first. */
    algorithms: number[];
    /** The challenge, base64url. */
    challenge: string;
    /** What the authenticator shows besides: the person's name. */
    display_name: string;
    /** Credentials that exist already, base64url: an authenticator that has one makes no other. */
    exclude: string[];
    /** For which host name: the twin's own. */
    host: string;
    /** What the authenticator shows: the twin's name. */
    name: string;
    /** The user handle, base64url: random, the same for all passkeys of this twin. */
    user: string;
  }
  /** All passkeys of this twin. */
  interface Passkeys {
    /** The newest first. */
    passkeys: Passkey[];
  }
  /** Between twins: how the sender wants to be shown. */
  interface Profile {
    /** What they say about themselves. */
    about: string;
    /** Their display name. */
    display_name: string;
    /** The sender's clock. */
    time_ms: number;
    [later: string]: unknown;
  }
  /**
   * Remove a passkey; whoever came in with it is signed out, but the browser that asks.
   * Problems: `not_found`.
   */
  interface RemovePasskey {
    /** Names this write. */
    id: string;
    /** The passkey. */
    passkey: string;
  }
  /** Call a passkey something. Problems: `not_found`. */
  interface RenamePasskey {
    /** Names this write. */
    id: string;
    /** What it is called from now on. */
    name: string;
    /** The passkey. */
    passkey: string;
  }
  /** Call a device something. Problems: `not_found`. */
  interface RenameSession {
    /** Names this write. */
    id: string;
    /** What it is called from now on. */
    name: string;
    /** The session. */
    session: string;
  }
  /** A browser that is signed in. */
  interface Session {
    /** How it came in. */
    by: CameBy;
    /** What kind of device it said it is; may be empty. */
    device: string;
    /** Last use, to the hour. */
    last_used_ms: number;
    /** What the person calls it; missing until they have said so. */
    name?: string;
    /** How many passkeys were made on it. */
    passkeys: number;
    /** Its public id. */
    session: string;
    /** Since when. */
    since_ms: number;
    /** Whether it is the one that asks. */
    this: boolean;
    /** Nobody has said yet that it is the person's own. */
    unseen: boolean;
  }
  /** All browsers that are signed in. */
  interface Sessions {
    /** The state that this shows; subscribe with it to hear of what comes after. */
    at: number;
    /** The newest first. */
    sessions: Session[];
  }
  /**
   * Change the profile. Accepted contacts are told.
   * Problems: `conflict` when `if_rev` is not the profile's revision.
   */
  interface SetProfile {
    /** The new text about oneself. */
    about: string;
    /** The new display name. */
    display_name: string;
    /** Names this write. */
    id: string;
    /** Only if the profile still has this revision. */
    if_rev?: number;
  }
  /**
   * Sign this browser in with a passkey, without a name. Needs no session; sets the cookie.
   * Problems: `bad_passkey`, `passkey_late`, `passkey_unknown`.
   */
  interface SignIn {
    /** The authenticator's data. */
    authenticator_data: string;
    /** `clientDataJSON`. */
    client_data: string;
    /** The credential's id. */
    credential: string;
    /** The signature over both. */
    signature: string;
    /** The user handle. */
    user: string;
  }
  /**
   * What a browser needs to sign in with a passkey; good for five minutes and one use.
   * Needs no session, and is the same whether or not there is a passkey.
   */
  interface SignInBegun {
    /** The challenge, base64url. */
    challenge: string;
    /** For which host name: the twin's own. */
    host: string;
  }
  /** What to hear about: one's devices. Not for experiences. */
  interface Topic {
  }
}

/** The box: setting it up, and for its owners how it is. */
export namespace Node {
  /**
   * Make the first person's twin on a fresh node. Needs the one-time code from the node's console;
   * without it nothing is offered to anyone.
   * Problems: `bad_code`, `too_often`, `bad_name`, `name_taken`, `claimed`.
   */
  interface Claim {
    /** The one-time code. */
    code: string;
    /** The name of the new twin: 1 to 32 letters a-z, digits and `-`. */
    name: string;
  }
  /** The twin exists. */
  interface Claimed {
    /** The address of the new twin's pairing page, with a code in its fragment. */
    next: string;
  }
  /** Everything that is not as it should be, the most pressing first. */
  interface Health {
    /** Empty when all is well. */
    items: Item[];
  }
  /** One problem. */
  interface Item {
    /** Which of several, where there can be several: the name of a twin, a disk or a wall. */
    about?: string;
    /** Whether it may be put off for a while. */
    can_wait: boolean;
    /** What happened and what it means. */
    detail: string;
    /** Stable name of the problem, such as `verify_failed`. */
    problem: string;
    /** Until when it was put off: till then it needs no mark. */
    put_off_until_ms?: number;
    /** What can be done here and now. */
    repairs: Offer[];
    /** What it is, in a few words. */
    title: string;
    /** How pressing it is. */
    weight: Weight;
    /** What the person can do. */
    what_to_do: string;
  }
  /** A request without any parameters. */
  interface Nothing {
  }
  /** Something that can be done about a problem. */
  interface Offer {
    /** What its button says. */
    label: string;
    /** Its stable name, to be sent back. */
    repair: string;
    /** What happens then, to be said before it is done. */
    what_happens: string;
  }
  /**
   * Do what was offered. Doing it again is harmless. Problems: `not_found` when the problem is gone
   * or this was not offered for it, `full`, `failed`.
   */
  interface Repair {
    /** Which of several: `about` of the item. */
    about?: string;
    /** Names this write. */
    id: string;
    /** The problem. */
    problem: string;
    /** The offer. */
    repair: string;
  }
  /** What came of it. */
  interface Repaired {
    /** Whether the problem is settled. */
    settled: boolean;
    /** What came of it, in a sentence. */
    text: string;
  }
  /** How pressing a problem is. */
  type Weight =
    /** Something does not work, or is in danger. */
    | "now"
    /** Something will not work one day. */
    | "soon"
    /** Worth knowing. */
    | "note";
}

/** Typed records in spaces, such as tasks, notes and events. */
export namespace Records {
  /** Remove a record, or bring it back. Problems: as for `put`. */
  interface Choose {
    /** Names this write. */
    id: string;
    /** Only if it still has this revision. */
    if_rev?: number;
    /** The record. */
    record: string;
    /** The space. */
    space: string;
    /** The type. */
    type: string;
  }
  /**
   * Define a type, or add fields and indexes to one. An experience defines types of its own name
   * only: `<experience>/<name>@<major>`. Problems: `not_yours`; `bad_type` when it isn't possible, or
   * not compatible with what was defined before.
   */
  interface Define {
    /** The type. */
    definition: Definition;
    /** Names this write. */
    id: string;
  }
  /**
   * A type of records. A major never changes what it means: fields can be added to it, never taken
   * away or given another type.
   */
  interface Definition {
    /**
     * What records can be found and sorted by: up to 8 lists of up to 3 fields each, named by their
     * place. Texts count with their first 48 bytes; numbers with a fraction, lists and objects don't
     * count.
     */
    indexes?: string[][];
    /** The fields of its records. */
    schema: Shape;
    /** Its name. */
    type: string;
  }
  /** What happened to records. */
  type Event =
    /** A record is new or has changed. */
    | {
      /** How it is. */
      record: Item;
      type: "record";
    }
    /** A record was removed, or is none of those that are followed any more. */
    | {
      /** Which. */
      record: string;
      type: "removed";
    };
  /**
   * All records of a space as a text to read and edit, type by type: pages of it, to be put together.
   * Problems: `not_found`.
   */
  interface Export {
    /** Where to start. */
    cursor?: string;
    /** How many records. */
    limit?: number;
    /** The space. */
    space: string;
  }
  /** A part of the text. */
  interface Exported {
    /** Where the next part starts; absent with the last one. */
    cursor?: string;
    /** The part, of whole lines. */
    text: string;
  }
  /** What a field holds. */
  interface Field {
    /** What it is for. */
    description?: string;
    /** The texts that it can be. */
    enum?: string[];
    /** What a list holds. */
    items?: Field;
    /** Most items of a list. */
    maxItems?: number;
    /** Most characters of a text. */
    maxLength?: number;
    /** Largest number. */
    maximum?: number;
    /** Fewest characters of a text. */
    minLength?: number;
    /** Smallest number. */
    minimum?: number;
    /** The text is the id of a record of this type in the same space. */
    ref?: string;
    /** What kind of value. */
    type: FieldKind;
  }
  /** A kind of value. */
  type FieldKind =
    /** A list. */
    | "array"
    /** Yes or no. */
    | "boolean"
    /** A whole number. */
    | "integer"
    /** A number. */
    | "number"
    /** Anything with fields of its own. */
    | "object"
    /** A text. */
    | "string";
  /** One record. Problems: `not_found`. */
  interface Get {
    /** The record. */
    record: string;
    /** The space. */
    space: string;
    /** The type. */
    type: string;
  }
  /**
   * Do what a text says: `record` gives one other values, `new` makes one, `remove` removes one. What
   * it doesn't name stays. All of it is done, or nothing. Problems: `not_found`; `only_see`.
   */
  interface Import {
    /** Only look what it would do. */
    check?: boolean;
    /** Names this write. */
    id: string;
    /** The space. */
    space: string;
    /** The text. */
    text: string;
  }
  /** What a text does. */
  interface Imported {
    /** Records that are new. */
    added: number;
    /** Records with other values. */
    changed: number;
    /** It was done. */
    done: boolean;
    /** Why nothing was done. */
    mistakes?: Mistake[];
    /** Records that are removed. */
    removed: number;
  }
  /** A record. */
  interface Item {
    /** Who changed it last. */
    changed_by: Person;
    /** When, by their clock. */
    changed_ms: number;
    /** Fields whose value was erased here, for good. */
    erased?: string[];
    /** What it holds, also what its type doesn't name. */
    fields: Record<string, unknown>;
    /** Who made it. */
    made_by: Person;
    /** When, by their clock. */
    made_ms: number;
    /** Its id, made by whoever made the record. */
    record: string;
    /** It was removed. Putting something into it doesn't bring it back, `restore` does. */
    removed?: boolean;
    /** Revision: of this twin, others have their own. */
    rev: number;
    /** The space that it is in. */
    space: string;
    /** Its type. */
    type: string;
  }
  /** One page of a list. */
  interface ItemPage {
    /** The state of the twin that this page shows: subscribe from here and nothing is missed. */
    at: number;
    /** Where the next page starts; absent on the last one. */
    cursor?: string;
    /** The items, in the order that the method promises. */
    items: Item[];
  }
  /** A mistake in a text. */
  interface Mistake {
    /** The line, the first being 1. */
    line: number;
    /** The field that it is about, or nothing. */
    what?: string;
    /** What is wrong in it. */
    wrong: Wrong;
  }
  /** A request without any parameters. */
  interface Nothing {
  }
  /** A person in a conversation. */
  interface Person {
    /** Their id, as this caller may know it. */
    id: string;
    /** Whether it is oneself. */
    me: boolean;
    /** What they are called here. */
    name: string;
  }
  /**
   * Make a record, or change fields of one. Fields that are not named stay; `null` takes one away.
   * Problems: `not_found`; `conflict`; `only_see` for who may only look at the space; `bad_record`
   * when a field isn't what its type says; `id_taken`.
   */
  interface Put {
    /** Its new values. */
    fields: Record<string, unknown>;
    /** Names this write. Of a new record it becomes the id. */
    id: string;
    /** Only if it still has this revision. */
    if_rev?: number;
    /** The record that is changed; a new one without. */
    record?: string;
    /** The space. */
    space: string;
    /** The type. */
    type: string;
  }
  /**
   * Records of one type in a space, in the order in which they were made, or by an index. Removed
   * ones are left out. Problems: `not_found`; `bad_type` when there is no such index.
   */
  interface Query {
    /** The last ones first. */
    backward?: boolean;
    /** The fields of an index of the type. Records without a value come first. */
    by?: string[];
    /** Where to start. */
    cursor?: string;
    /** Only records that have these values in the first fields of the index; `null`: no value. */
    equals?: unknown[];
    /** How many. */
    limit?: number;
    /** The space. */
    space: string;
    /** The type. */
    type: string;
  }
  /**
   * The fields of an object. What it doesn't name may be there as well: a newer experience has put it
   * there, and it is kept.
   */
  interface Shape {
    /** What it is for. */
    description?: string;
    /** Its fields. */
    properties: Record<string, unknown>;
    /** Fields that a new record must have. */
    required?: string[];
  }
  /** What to hear about: the records of one type in a space, all or those that a query would give. */
  interface Topic {
    /** As in the query. */
    by?: string[];
    /** As in the query. */
    equals?: unknown[];
    /** The space. */
    space: string;
    /** The type. */
    type: string;
  }
  /** The types that are known: the well-known ones and those that were defined. */
  interface Types {
    /** By name. */
    items: Definition[];
  }
  /** What can be wrong in a line. */
  type Wrong =
    /** The id of a record isn't one. */
    | "bad_id"
    /** It is neither a field nor `record`, `new` or `remove`. */
    | "bad_line"
    /** A field can't have this name. */
    | "bad_name"
    /** The name of a type isn't one. */
    | "bad_type"
    /** The value isn't what the type says, or is missing. */
    | "bad_value"
    /** Somebody changed the record since the text was made. */
    | "changed"
    /** What is removed has no fields. */
    | "field_of_removed"
    /** The record has this field already. */
    | "field_twice"
    /** A field of no record. */
    | "no_record"
    /** The text doesn't begin as one of these does. */
    | "not_ours"
    /** The record has more than one can hold. */
    | "too_long"
    /** More records change than can at a time. */
    | "too_many"
    /** The record comes twice. */
    | "twice"
    /** There is no such record, or it was removed. */
    | "unknown"
    /** The type isn't known here. */
    | "unknown_type";
}

/** What several people have in common: who is in it and what it is called. */
export namespace Spaces {
  /** Put a space away, or take it out again. Only this twin knows. Problems: `not_found`. */
  interface Archive {
    /** Whether it is put away. */
    archived: boolean;
    /** Names this write. */
    id: string;
    /** The space. */
    space: string;
  }
  /** Between twins: everything `spaces` says, told apart by `type`. */
  type Body =
    /** An invitation. */
    | SayInvite & {
      type: "invite";
    }
    /** Somebody has come. */
    | SayJoin & {
      type: "join";
    }
    /** Somebody has gone. */
    | SayBye & {
      type: "bye";
    }
    /** Who is in it. */
    | SayRoster & {
      type: "roster";
    }
    /** Changes. */
    | SayOps & {
      type: "ops";
    }
    /** A question for changes. */
    | SayHave & {
      type: "have";
    };
  /**
   * Say yes or no to an invitation, or leave a space. Who made a space can't leave it.
   * Problems: `not_found`, `wrong_state`, `only_owner`.
   */
  interface Choose {
    /** Names this write. */
    id: string;
    /** The space. */
    space: string;
  }
  /** Make a space. */
  interface Create {
    /** Names this write. */
    id: string;
    /** Its name. */
    name: string;
  }
  /** What happened to the spaces. */
  type Event =
    /** A space is new or has changed. */
    | {
      /** How it is. */
      space: Space;
      type: "space";
    };
  /** One space. Problems: `not_found`. */
  interface Get {
    /** The space. */
    space: string;
  }
  /**
   * Ask a contact into a space. Problems: `not_found`, `only_owner`, `wrong_state` when they are no
   * contact, `too_many` when it is full.
   */
  interface InviteRequest {
    /** The contact. */
    contact: string;
    /** Names this write. */
    id: string;
    /** Words that go with it. */
    note?: string;
    /** As what: editor or viewer. */
    role: Role;
    /** The space. */
    space: string;
  }
  /** The spaces, those of last activity first. Those that were left or put away come only when asked for. */
  interface List {
    /** Also those that were left, declined or put away. */
    all?: boolean;
    /** Where to start. */
    cursor?: string;
    /** How many. */
    limit?: number;
  }
  /** Somebody in a space. */
  interface Member {
    /** Whether they have said yes. */
    joined: boolean;
    /** Who. */
    person: Person;
    /** As what. */
    role: Role;
  }
  /** A person in a conversation. */
  interface Person {
    /** Their id, as this caller may know it. */
    id: string;
    /** Whether it is oneself. */
    me: boolean;
    /** What they are called here. */
    name: string;
  }
  /** Give a space another name. Problems: `not_found`, `only_owner`. */
  interface Rename {
    /** Names this write. */
    id: string;
    /** Its name from now on. */
    name: string;
    /** The space. */
    space: string;
  }
  /** What somebody is in a space. */
  type Role =
    /** Made it: writes, names it and says who is in it. */
    | "owner"
    /** Reads and writes. */
    | "editor"
    /** Reads. */
    | "viewer"
    /** Is in it no more, or not at all. */
    | "none";
  /** Between twins: the sender said no, or has left. */
  interface SayBye {
    /** The space. */
    space: string;
    [later: string]: unknown;
  }
  /** Between twins: tell what the sender doesn't have. */
  interface SayHave {
    /** Up to which number the sender has them. */
    marks: Record<string, unknown>;
    /** Whose changes; everybody's if there are none. */
    of?: string[];
    /** The space. */
    space: string;
    [later: string]: unknown;
  }
  /** Between twins: come into this space. */
  interface SayInvite {
    /** Words that go with it. */
    note?: string;
    /** How to reach the others: an introduction of each, base64. */
    people: string[];
    /** Who is in it, the receiver as well. */
    roster: Signed;
    [later: string]: unknown;
  }
  /** Between twins: the sender is in the space from now on. */
  interface SayJoin {
    /** Answers somebody who came later: the sender is in it already. */
    answer?: boolean;
    /** Says that they may be. */
    roster: Signed;
    [later: string]: unknown;
  }
  /** Between twins: what has changed in a space. */
  interface SayOps {
    /** Whether it answers `have`. */
    answer?: boolean;
    /** There is more: ask again with these marks. */
    next?: Record<string, unknown>;
    /** The changes: the sender's own, or of others. */
    ops: Signed[];
    /** The space. */
    space: string;
    [later: string]: unknown;
  }
  /** Between twins: who is in a space has changed. */
  interface SayRoster {
    /** Who is in it now. */
    roster: Signed;
    [later: string]: unknown;
  }
  /**
   * Make somebody an editor or a viewer, or take them out with the role `none`: they get nothing that
   * comes after. Problems: `not_found`, `only_owner`.
   */
  interface SetRole {
    /** Names this write. */
    id: string;
    /** Who. */
    person: string;
    /** As what. */
    role: Role;
    /** The space. */
    space: string;
  }
  /** A text and whose it is. */
  interface Signed {
    /** Who signed it. */
    by: string;
    /** Their signature over the text, base64. */
    sig: string;
    /** What they say: an `Op` or a `Roster` as JSON. */
    text: string;
  }
  /** A space. */
  interface Space {
    /** Put away by the person; nobody else sees that. */
    archived?: boolean;
    /** Who is in it, the owner first. */
    members: Member[];
    /** Its name; absent when that was erased. */
    name?: string;
    /** The words of the invitation. */
    note?: string;
    /** Revision. */
    rev: number;
    /** What one is in it. */
    role: Role;
    /** Since when it is known here. */
    since_ms: number;
    /** Its id. */
    space: string;
    /** How one stands to it. */
    state: State;
    /** The types of its records that the caller sees. */
    types: string[];
  }
  /** One page of a list. */
  interface SpacePage {
    /** The state of the twin that this page shows: subscribe from here and nothing is missed. */
    at: number;
    /** Where the next page starts; absent on the last one. */
    cursor?: string;
    /** The items, in the order that the method promises. */
    items: Space[];
  }
  /** How one stands to a space. */
  type State =
    /** Somebody asks one in. */
    | "invited"
    /** One is in it. */
    | "member"
    /** One has left it, or said no; what came until then stays here. */
    | "left"
    /** One was taken out of it; what came until then stays here. */
    | "removed";
  /** What to hear about: all spaces. */
  interface Topic {
  }
}

/** Every method with its request and its answer. */
export interface Methods {
  "chat/1/conversations": { request: Chat.Conversations; response: Chat.ConversationPage };
  "chat/1/messages": { request: Chat.Messages; response: Chat.MessagePage };
  "chat/1/send": { request: Chat.Send; response: Chat.Message };
  "chat/1/edit": { request: Chat.Edit; response: Chat.Message };
  "chat/1/delete": { request: Chat.Delete; response: Chat.Message };
  "chat/1/read": { request: Chat.Read; response: Chat.Done };
  "chat/1/fetch": { request: Chat.Fetch; response: Chat.Message };
  "chat/1/keep": { request: Chat.Keep; response: Chat.Item };
  "contacts/1/list": { request: Contacts.List; response: Contacts.ContactPage };
  "contacts/1/request": { request: Contacts.Request; response: Contacts.Contact };
  "contacts/1/accept": { request: Contacts.Choose; response: Contacts.Contact };
  "contacts/1/deny": { request: Contacts.Choose; response: Contacts.Contact };
  "contacts/1/block": { request: Contacts.Choose; response: Contacts.Contact };
  "contacts/1/unblock": { request: Contacts.Choose; response: Contacts.Contact };
  "contacts/1/rename": { request: Contacts.Rename; response: Contacts.Contact };
  "contacts/1/acknowledge": { request: Contacts.Choose; response: Contacts.Contact };
  "contacts/1/remove": { request: Contacts.Choose; response: Contacts.Done };
  "experiences/1/list": { request: Experiences.Nothing; response: Experiences.Installed };
  "experiences/1/open": { request: Experiences.Open; response: Experiences.Opened };
  "experiences/1/close": { request: Experiences.Close; response: Experiences.Nothing };
  "experiences/1/inspect": { request: Experiences.Inspect; response: Experiences.Inspected };
  "experiences/1/install": { request: Experiences.Install; response: Experiences.Installed };
  "experiences/1/releases": { request: Experiences.ListReleases; response: Experiences.Releases };
  "experiences/1/roll_back": { request: Experiences.RollBack; response: Experiences.Done };
  "experiences/1/remove": { request: Experiences.Remove; response: Experiences.Done };
  "experiences/1/grants": { request: Experiences.ListGrants; response: Experiences.Grants };
  "experiences/1/grant": { request: Experiences.GrantRequest; response: Experiences.Grant };
  "experiences/1/revoke": { request: Experiences.Revoke; response: Experiences.Done };
  "files/1/list": { request: Files.List; response: Files.ItemPage };
  "files/1/get": { request: Files.Get; response: Files.Item };
  "files/1/versions": { request: Files.Versions; response: Files.VersionPage };
  "files/1/make_folder": { request: Files.MakeFolder; response: Files.Item };
  "files/1/put": { request: Files.Put; response: Files.Item };
  "files/1/replace": { request: Files.Replace; response: Files.Item };
  "files/1/move": { request: Files.Move; response: Files.Item };
  "files/1/trash": { request: Files.Choose; response: Files.Item };
  "files/1/restore": { request: Files.Choose; response: Files.Item };
  "files/1/restore_version": { request: Files.RestoreVersion; response: Files.Item };
  "files/1/delete": { request: Files.Choose; response: Files.Done };
  "health/1/list": { request: Health.Nothing; response: Health.Health };
  "health/1/repair": { request: Health.Repair; response: Health.Repaired };
  "health/1/put_off": { request: Health.PutOff; response: Health.Health };
  "history/1/list": { request: History.List; response: History.ItemPage };
  "history/1/undo": { request: History.UndoRequest; response: History.Undone };
  "history/1/erase": { request: History.Erase; response: History.Erased };
  "identity/1/me": { request: Identity.Nothing; response: Identity.Me };
  "identity/1/set_profile": { request: Identity.SetProfile; response: Identity.Me };
  "identity/1/card": { request: Identity.Nothing; response: Identity.Card };
  "identity/1/sessions": { request: Identity.Nothing; response: Identity.Sessions };
  "identity/1/rename_session": { request: Identity.RenameSession; response: Identity.Sessions };
  "identity/1/know_session": { request: Identity.KnowSession; response: Identity.Sessions };
  "identity/1/end_session": { request: Identity.EndSession; response: Identity.Nothing };
  "identity/1/sign_out": { request: Identity.Nothing; response: Identity.Nothing };
  "identity/1/pair": { request: Identity.Pair; response: Identity.Paired };
  "identity/1/passkeys": { request: Identity.Nothing; response: Identity.Passkeys };
  "identity/1/begin_passkey": { request: Identity.Nothing; response: Identity.PasskeyBegun };
  "identity/1/add_passkey": { request: Identity.AddPasskey; response: Identity.Passkeys };
  "identity/1/rename_passkey": { request: Identity.RenamePasskey; response: Identity.Passkeys };
  "identity/1/remove_passkey": { request: Identity.RemovePasskey; response: Identity.Passkeys };
  "identity/1/begin_sign_in": { request: Identity.Nothing; response: Identity.SignInBegun };
  "identity/1/sign_in": { request: Identity.SignIn; response: Identity.Paired };
  "identity/1/invite": { request: Identity.Invite; response: Identity.Invited };
  "identity/1/invitation": { request: Identity.Nothing; response: Identity.Invitation };
  "identity/1/choose_number": { request: Identity.ChooseNumber; response: Identity.Invitation };
  "identity/1/uninvite": { request: Identity.Invite; response: Identity.Invitation };
  "identity/1/knock": { request: Identity.Knock; response: Identity.Knocked };
  "identity/1/enter": { request: Identity.Enter; response: Identity.Entered };
  "node/1/claim": { request: Node.Claim; response: Node.Claimed };
  "node/1/health": { request: Node.Nothing; response: Node.Health };
  "node/1/repair": { request: Node.Repair; response: Node.Repaired };
  "records/1/types": { request: Records.Nothing; response: Records.Types };
  "records/1/define": { request: Records.Define; response: Records.Definition };
  "records/1/query": { request: Records.Query; response: Records.ItemPage };
  "records/1/get": { request: Records.Get; response: Records.Item };
  "records/1/put": { request: Records.Put; response: Records.Item };
  "records/1/remove": { request: Records.Choose; response: Records.Item };
  "records/1/restore": { request: Records.Choose; response: Records.Item };
  "records/1/export": { request: Records.Export; response: Records.Exported };
  "records/1/import": { request: Records.Import; response: Records.Imported };
  "spaces/1/list": { request: Spaces.List; response: Spaces.SpacePage };
  "spaces/1/get": { request: Spaces.Get; response: Spaces.Space };
  "spaces/1/create": { request: Spaces.Create; response: Spaces.Space };
  "spaces/1/rename": { request: Spaces.Rename; response: Spaces.Space };
  "spaces/1/archive": { request: Spaces.Archive; response: Spaces.Space };
  "spaces/1/invite": { request: Spaces.InviteRequest; response: Spaces.Space };
  "spaces/1/accept": { request: Spaces.Choose; response: Spaces.Space };
  "spaces/1/decline": { request: Spaces.Choose; response: Spaces.Space };
  "spaces/1/leave": { request: Spaces.Choose; response: Spaces.Space };
  "spaces/1/set_role": { request: Spaces.SetRole; response: Spaces.Space };
}

/** What can be subscribed to. */
export interface Events {
  "chat/1": { topic: Chat.Topic; event: Chat.Event };
  "contacts/1": { topic: Contacts.Topic; event: Contacts.Event };
  "experiences/1": { topic: Experiences.Topic; event: Experiences.Event };
  "files/1": { topic: Files.Topic; event: Files.Event };
  "history/1": { topic: History.Topic; event: History.Event };
  "identity/1": { topic: Identity.Topic; event: Identity.Event };
  "records/1": { topic: Records.Topic; event: Records.Event };
  "spaces/1": { topic: Spaces.Topic; event: Spaces.Event };
}
