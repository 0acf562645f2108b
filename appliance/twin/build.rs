//! Tells cargo that the program holds the files under `ui`: a new or changed one is embedded again.
//! It never writes anything.
fn main() {
    for folder in ["../../ui/shell", "../../ui/sdk", "../../ui/experiences", "messages"] {
        println!("cargo::rerun-if-changed={folder}");
    }
}
