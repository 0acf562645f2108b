//! The repository's own rules, as tests: `cargo tidy`.
//!
//! Every rule is a module with one `broken(..) -> Vec<String>` that takes what it judges as data
//! and returns one sentence per violation, and with a test that plants a violation. The tests at
//! the bottom of this file hold the real tree against them. Nothing here is linked into anything.
#![cfg(test)]

mod crates;
mod heads;
mod layers;
mod licences;
mod maps;
mod members;
mod messages;
mod metadata;
mod names;
mod pages;
mod promises;
mod tree;
mod unsafety;

use tree::Tree;

#[track_caller]
fn holds(broken: &[String]) {
    assert!(broken.is_empty(), "\n  {}\n", broken.join("\n  "));
}

#[test]
fn crates_use_only_the_layers_below_them() {
    holds(&layers::broken(&metadata::edges(&metadata::read())));
}

#[test]
fn licences_are_on_the_list() {
    holds(&licences::broken(&metadata::licences(&metadata::read())));
}

#[test]
fn no_banned_crate_is_in_the_tree() {
    holds(&crates::broken_banned(&metadata::versions(&metadata::read())));
}

#[test]
fn no_crate_is_built_twice_without_a_reason() {
    holds(&crates::broken_duplicates(&metadata::versions(&metadata::read())));
}

#[test]
fn members_take_lints_and_versions_from_the_workspace() {
    holds(&members::broken(&Tree::read()));
}

#[test]
fn rust_files_say_what_they_are_for() {
    holds(&heads::broken(&Tree::read()));
}

#[test]
fn unsafe_code_stands_only_where_it_is_listed() {
    holds(&unsafety::broken(&Tree::read(), unsafety::LISTED));
}

#[test]
fn folder_maps_show_the_folders_that_exist() {
    let tree = Tree::read();
    for page in ["README.md", "appliance/ARCHITECTURE.md"] {
        holds(&maps::broken(page, tree.text(page), &tree.folders()));
    }
}

#[test]
fn promises_name_their_tests() {
    let tree = Tree::read();
    holds(&promises::broken(tree.text("README.md"), &tree.paths()));
}

#[test]
fn message_files_say_the_same_in_every_language() {
    holds(&messages::broken(&Tree::read()));
}

#[test]
fn experiences_import_only_their_own_files_and_the_sdk() {
    holds(&pages::broken_imports(&Tree::read()));
}

#[test]
fn pages_hold_no_inline_code_and_no_text_for_people() {
    holds(&pages::broken_markup(&Tree::read()));
}

#[test]
fn scripts_never_turn_text_into_markup_or_code() {
    holds(&pages::broken_scripts(&Tree::read()));
}

#[test]
fn nothing_names_a_place_outside_the_repository() {
    holds(&names::broken(&Tree::read()));
}
