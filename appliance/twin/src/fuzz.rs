//! Entry points for fuzzing what browsers send. They only have to return.

use capability::wire::Batch;

use crate::events;
use crate::http::body::parse;

/// The body of any call that the door reads itself.
pub fn http_body(bytes: &[u8]) {
    let _ = parse::<capability::identity::v1::Pair>(bytes);
    let _ = parse::<capability::identity::v1::EndSession>(bytes);
    let _ = parse::<capability::experiences::v1::Open>(bytes);
    let _ = parse::<capability::experiences::v1::Close>(bytes);
    let _ = parse::<capability::node::v1::Claim>(bytes);
    let _ = parse::<Batch>(bytes);
}

/// A message on the event socket.
pub fn event_message(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = events::read_message(text);
    }
}
