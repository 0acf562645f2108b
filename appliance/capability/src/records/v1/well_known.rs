//! Types that every twin knows, so that experiences of different authors work with the same things.
//! They are written as an author would write them, and change as any type may: by new fields.

use std::{collections::BTreeMap, sync::LazyLock};

use super::Definition;

/// The well-known types, by name.
#[must_use]
pub fn well_known() -> &'static BTreeMap<String, Definition> {
    &ALL
}

static ALL: LazyLock<BTreeMap<String, Definition>> = LazyLock::new(|| {
    let read = |text: &&str| serde_json::from_str::<Definition>(text).ok();
    TEXTS.iter().filter_map(read).map(|one| (one.kind.as_str().to_owned(), one)).collect()
});

const TEXTS: &[&str] = &[
    include_str!("types/album.json"),
    include_str!("types/event.json"),
    include_str!("types/note.json"),
    include_str!("types/place.json"),
    include_str!("types/task.json"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::v1::{INDEX_FIELDS_MAX, INDEXES_MAX};

    #[test]
    fn all_are_read_and_their_indexes_name_their_fields() {
        assert_eq!(well_known().len(), TEXTS.len());
        for one in well_known().values() {
            assert_eq!(one.kind.publisher(), "hometwin");
            assert!(one.indexes.len() <= INDEXES_MAX);
            for index in &one.indexes {
                assert!((1..=INDEX_FIELDS_MAX).contains(&index.len()), "{}", one.kind);
                assert!(index.iter().all(|field| one.schema.properties.contains_key(field)));
            }
            let known = |field| one.schema.properties.contains_key(field);
            assert!(one.schema.required.iter().all(known), "{}", one.kind);
        }
    }
}
