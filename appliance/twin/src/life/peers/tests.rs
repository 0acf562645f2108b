//! Two twins over socket pairs, with and without accidents.
