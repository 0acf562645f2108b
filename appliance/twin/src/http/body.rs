//! Bodies of requests: read whole, within a size and a time. Never waits for a body that nobody
//! may send.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Body;
use serde::de::DeserializeOwned;

use super::problem::Trouble;

/// Most bytes of a body from somebody who is not signed in.
pub(crate) const MAX_OF_STRANGER: usize = 4 * 1024;
/// Most bytes of a call or batch.
pub(crate) const MAX_OF_CALL: usize = capability::wire::BODY_MAX;
const WITHIN: Duration = Duration::from_secs(30);

/// Reads a body.
pub(crate) async fn read<B>(body: B, limit: usize) -> Result<Bytes, Trouble>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let least = body.size_hint().lower();
    if usize::try_from(least).map_or(true, |least| least > limit) {
        return Err(Trouble::too_large().closing());
    }
    let whole = Limited::new(body, limit).collect();
    match tokio::time::timeout(WITHIN, whole).await {
        Ok(Ok(whole)) => Ok(whole.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Trouble::too_large().closing()),
        Ok(Err(_)) => Err(Trouble::bad_request().closing()),
        Err(_) => Err(Trouble::too_slow().closing()),
    }
}

/// Reads a body's JSON as a request.
pub(crate) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Trouble> {
    serde_json::from_slice(body).map_err(|error| Trouble::unread(&error))
}
