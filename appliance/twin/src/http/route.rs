//! Which address leads where. Never decodes an address: files are found by their exact name.

use hyper::Method;

use super::problem::Trouble;
use crate::frames;

/// Where a request leads on a person's twin.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Route<'a> {
    /// A file of the shell.
    Shell(&'a str),
    /// What authors of experiences read, or one of its documents.
    Docs(&'a str),
    /// A file of the SDK.
    Sdk(&'a str),
    /// A file of an open experience.
    Frame {
        /// The frame's id, not looked up yet.
        id: &'a str,
        /// The rest of the address.
        path: &'a str,
    },
    /// A call of a capability.
    Call(Called<'a>),
    /// Several calls at once.
    Batch,
    /// Where uploads begin.
    Uploads,
    /// An upload, by its id, not looked up yet.
    Upload(&'a str),
    /// The event socket.
    Events,
}

/// A method of a capability's version.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Called<'a> {
    /// The capability.
    pub capability: &'a str,
    /// Its major version.
    pub major: u32,
    /// The method.
    pub method: &'a str,
}

/// Finds the way of a request.
pub(crate) fn route<'a>(method: &Method, path: &'a str) -> Result<Route<'a>, Trouble> {
    let route = find(path).ok_or_else(Trouble::not_found)?;
    let allowed: &[Method] = match route {
        Route::Shell(_) | Route::Docs(_) | Route::Sdk(_) => &[Method::GET, Method::HEAD],
        Route::Frame { .. } | Route::Events => &[Method::GET],
        Route::Call(_) | Route::Batch | Route::Uploads => &[Method::POST],
        Route::Upload(_) => &[Method::HEAD, Method::PATCH, Method::DELETE],
    };
    if allowed.contains(method) {
        return Ok(route);
    }
    let mut trouble = Trouble::wrong_method();
    trouble.allow = Some(match allowed.len() {
        2 => "GET, HEAD",
        3 => "HEAD, PATCH, DELETE",
        _ if allowed == [Method::GET] => "GET",
        _ => "POST",
    });
    Err(trouble)
}

fn find(path: &str) -> Option<Route<'_>> {
    let path = path.strip_prefix('/')?;
    match path.split_once('/') {
        None => match path {
            // The shell's own views have addresses of their own.
            "" | "contacts" | "spaces" | "history" | "settings" => Some(Route::Shell("index.html")),
            "docs" => Some(Route::Docs("")),
            "pair" => Some(Route::Shell("pair.html")),
            "events" => Some(Route::Events),
            // A service worker has to lie at the root of what it serves.
            file if file.contains('.') => Some(Route::Shell(file)),
            _ => None,
        },
        Some(("shell", file)) => Some(Route::Shell(file)),
        Some(("docs", file)) => Some(Route::Docs(file)),
        Some(("sdk", file)) => Some(Route::Sdk(file)),
        Some(("x", rest)) => find_experience(rest),
        Some(("api", "batch")) => Some(Route::Batch),
        Some(("api", "files/1/uploads")) => Some(Route::Uploads),
        Some(("api", call)) => match call.strip_prefix("files/1/uploads/") {
            Some(id) => Some(Route::Upload(id)),
            None => find_call(call),
        },
        Some(_) => None,
    }
}

fn find_experience(rest: &str) -> Option<Route<'_>> {
    match rest.split_once('/') {
        Some((id, path)) if frames::is_id(id) => Some(Route::Frame { id, path }),
        // The lasting address of an experience opens the shell, which shows the experience.
        None if is_name(rest) && !frames::is_id(rest) => Some(Route::Shell("index.html")),
        Some((name, "")) if is_name(name) => Some(Route::Shell("index.html")),
        Some(_) | None => None,
    }
}

fn find_call(call: &str) -> Option<Route<'_>> {
    let mut parts = call.split('/');
    let (capability, major, method) = (parts.next()?, parts.next()?, parts.next()?);
    let plain = major.len() <= 4 && !major.starts_with(['0', '+']);
    if parts.next().is_some() || !plain || !is_word(capability) || !is_word(method) {
        return None;
    }
    let major = major.parse().ok()?;
    Some(Route::Call(Called { capability, major, method }))
}

fn is_word(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
}

fn is_name(text: &str) -> bool {
    let letter = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=64).contains(&text.len()) && text.bytes().all(letter)
}

/// What the log says about an address: never what is below `/x/`, and no unknown address.
pub(crate) fn about(path: &str) -> &'static str {
    match find(path) {
        Some(Route::Shell(_)) => "page",
        Some(Route::Docs(_)) => "docs",
        Some(Route::Sdk(_)) => "sdk",
        Some(Route::Frame { .. }) => "experience",
        Some(Route::Call(_)) => "call",
        Some(Route::Batch) => "batch",
        Some(Route::Uploads | Route::Upload(_)) => "upload",
        Some(Route::Events) => "events",
        None => "nothing",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: &str = "00112233445566778899aabbccddeeff";

    #[test]
    fn addresses_lead_where_they_should() {
        let frame = format!("/x/{FRAME}/a/b.js");
        let call = Called { capability: "chat", major: 1, method: "send" };
        let ways = [
            ("/", Some(Route::Shell("index.html"))),
            ("/pair", Some(Route::Shell("pair.html"))),
            ("/contacts", Some(Route::Shell("index.html"))),
            ("/spaces", Some(Route::Shell("index.html"))),
            ("/history", Some(Route::Shell("index.html"))),
            ("/settings", Some(Route::Shell("index.html"))),
            ("/contacts/x", None),
            ("/sw.js", Some(Route::Shell("sw.js"))),
            ("/shell/a/b.js", Some(Route::Shell("a/b.js"))),
            ("/docs", Some(Route::Docs(""))),
            ("/docs/chat/1.json", Some(Route::Docs("chat/1.json"))),
            ("/sdk/twin.js", Some(Route::Sdk("twin.js"))),
            ("/x/chat", Some(Route::Shell("index.html"))),
            ("/x/chat/", Some(Route::Shell("index.html"))),
            ("/x/chat/index.html", None),
            (frame.as_str(), Some(Route::Frame { id: FRAME, path: "a/b.js" })),
            ("/api/batch", Some(Route::Batch)),
            ("/api/files/1/uploads", Some(Route::Uploads)),
            ("/api/files/1/uploads/ab", Some(Route::Upload("ab"))),
            ("/api/chat/1/send", Some(Route::Call(call))),
            ("/api/chat/1/send/", None),
            ("/api/chat/01/send", None),
            ("/api/chat/+1/send", None),
            ("/api/Chat/1/send", None),
            ("/api/chat/1/", None),
            ("/api", None),
            ("/events", Some(Route::Events)),
            ("/events/", None),
            ("/other", None),
            ("*", None),
            ("", None),
        ];
        for (path, way) in ways {
            assert_eq!(find(path), way, "{path}");
        }
        assert_eq!(find(&format!("/x/{FRAME}")), None);
    }

    #[test]
    fn only_the_methods_of_an_address_are_taken() {
        assert!(route(&Method::HEAD, "/").is_ok());
        for (method, path, allow) in [
            (Method::POST, "/", "GET, HEAD"),
            (Method::GET, "/api/batch", "POST"),
            (Method::OPTIONS, "/api/chat/1/send", "POST"),
            (Method::POST, "/events", "GET"),
            (Method::GET, "/api/files/1/uploads", "POST"),
            (Method::PUT, "/api/files/1/uploads/ab", "HEAD, PATCH, DELETE"),
        ] {
            let trouble = route(&method, path).unwrap_err();
            assert_eq!((trouble.status, trouble.allow), (405, Some(allow)), "{path}");
        }
        let frame = format!("/x/{FRAME}/index.html");
        assert_eq!(route(&Method::HEAD, &frame).unwrap_err().status, 405);
        assert_eq!(route(&Method::PUT, "/nothing").unwrap_err().status, 404);
    }

    proptest::proptest! {
        #[test]
        fn any_address_leads_somewhere_or_nowhere(path in ".{0,80}") {
            let _ = route(&Method::GET, &path);
            let _ = about(&path);
        }
    }
}
