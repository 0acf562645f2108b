//! The headers that keep pages apart: who may run, load and frame what.
//!
//! Every answer of the twin is dressed by one of these; none is sent without.

use hyper::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderMap, HeaderName,
    HeaderValue, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS,
};

use super::head::Authority;

/// A page of the shell: only the twin's own scripts, only experiences in frames.
pub(crate) fn shell(headers: &mut HeaderMap, at: &Authority) {
    let (origin, socket) = (at.origin(), at.socket_origin());
    // Paths and not 'self': the files of experiences lie on the same origin, under /x/.
    let policy = format!(
        "default-src 'none'; script-src {origin}/shell/ {origin}/sdk/; \
         style-src {origin}/shell/ {origin}/sdk/; font-src {origin}/shell/ {origin}/sdk/; \
         img-src 'self' data: blob:; media-src 'self' blob:; connect-src 'self' {socket}; \
         worker-src {origin}/shell/ {origin}/sw.js; manifest-src 'self'; frame-src {origin}/x/; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    own(headers, &policy);
    headers.insert(PERMISSIONS, HeaderValue::from_static(SHELL_PERMISSIONS));
}

/// A page of the node twin, or one that explains a problem.
pub(crate) fn plain(headers: &mut HeaderMap) {
    let policy = "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; \
                  img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; \
                  frame-ancestors 'none'";
    own(headers, policy);
    headers.insert(PERMISSIONS, HeaderValue::from_static(NO_PERMISSIONS));
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}

/// Data: never a page, never kept by the browser.
pub(crate) fn data(headers: &mut HeaderMap) {
    own(headers, "default-src 'none'; sandbox; base-uri 'none'; frame-ancestors 'none'");
    headers.insert(PERMISSIONS, HeaderValue::from_static(NO_PERMISSIONS));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
}

/// A file of an experience: sandboxed wherever it is opened, and it loads only its own files.
pub(crate) fn frame(headers: &mut HeaderMap, at: &Authority, id: &str) {
    let origin = at.origin();
    let own = format!("{origin}/x/{id}/");
    let policy = format!(
        "sandbox allow-scripts allow-forms; default-src 'none'; script-src {own}; \
         style-src {own}; img-src {own} data: blob:; font-src {own}; \
         media-src {own} data: blob:; connect-src {own}; form-action 'none'; frame-src 'none'; \
         worker-src 'none'; object-src 'none'; base-uri 'none'; frame-ancestors {origin}"
    );
    foreign(headers, &policy);
    // What no content policy covers: WebRTC, and the lookups and connections that hints ask for.
    let only = HeaderValue::from_str(&format!("(\"{own}*\")"));
    headers.insert(CONNECTIONS, only.unwrap_or(HeaderValue::from_static("()")));
}

/// A file that a person keeps: whatever is in it, and wherever it is opened, nothing in it runs.
pub(crate) fn thing(headers: &mut HeaderMap) {
    foreign(headers, "sandbox; default-src 'none'; base-uri 'none'; frame-ancestors 'none'");
}

/// Nothing under an experience's address: the same whether or not the frame exists.
pub(crate) fn no_frame(headers: &mut HeaderMap) {
    foreign(headers, "sandbox; default-src 'none'; base-uri 'none'; frame-ancestors 'self'");
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
}

fn own(headers: &mut HeaderMap, policy: &str) {
    common(headers, policy);
    headers.insert(OPENER, HeaderValue::from_static("same-origin"));
    headers.insert(RESOURCE, HeaderValue::from_static("same-origin"));
}

/// Read by a page of an opaque origin, to which all is cross-origin: the address is the secret.
fn foreign(headers: &mut HeaderMap, policy: &str) {
    common(headers, policy);
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(RESOURCE, HeaderValue::from_static("cross-origin"));
    headers.insert(PERMISSIONS, HeaderValue::from_static(NO_PERMISSIONS));
}

fn common(headers: &mut HeaderMap, policy: &str) {
    // An authority that passed the check has only letters that a header may have.
    let policy = HeaderValue::from_str(policy);
    let policy = policy.unwrap_or(HeaderValue::from_static("default-src 'none'; sandbox"));
    headers.insert(CONTENT_SECURITY_POLICY, policy);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(VARY, HeaderValue::from_static("Accept-Language, Cookie"));
}

const OPENER: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
const RESOURCE: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
const CONNECTIONS: HeaderName = HeaderName::from_static("connection-allowlist");
const PERMISSIONS: HeaderName = HeaderName::from_static("permissions-policy");

/// The shell reads cards by camera; all else that watches or reaches devices is off.
const SHELL_PERMISSIONS: &str = "accelerometer=(), browsing-topics=(), camera=(self), \
    display-capture=(), geolocation=(), gyroscope=(), hid=(), magnetometer=(), microphone=(), \
    midi=(), payment=(), serial=(), usb=()";
const NO_PERMISSIONS: &str = "accelerometer=(), browsing-topics=(), camera=(), \
    clipboard-read=(), clipboard-write=(), display-capture=(), fullscreen=(), geolocation=(), \
    gyroscope=(), hid=(), magnetometer=(), microphone=(), midi=(), payment=(), \
    publickey-credentials-create=(), publickey-credentials-get=(), serial=(), usb=()";
