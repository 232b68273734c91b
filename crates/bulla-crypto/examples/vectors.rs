//! Writes `spec/vectors/*.json` and the seed corpora of `fuzz/corpus/`: `cargo run -p bulla-crypto --example vectors`.
//!
//! Vectors of a released format version never change: the only reason to run this is a new version, or more vectors.

#[path = "../tests/support/vectors.rs"]
mod vectors;

use std::path::Path;
use std::{fs, io};

fn main() -> io::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let (contexts, records, blobs) = (vectors::contexts(), vectors::records(), vectors::blobs());
    write_json(&root.join("spec/vectors/context.json"), &contexts)?;
    write_json(&root.join("spec/vectors/record.json"), &records)?;
    write_json(&root.join("spec/vectors/ciphertext-blob.json"), &blobs)?;

    let decode = |hex: &String| hex::decode(hex).map_err(io::Error::other);
    let valid = contexts.valid.iter().map(|v| &v.canonical);
    write_corpus(
        &root,
        "context",
        valid.chain(contexts.invalid.iter().map(|v| &v.bytes)).map(decode),
    )?;
    let valid = records.valid.iter().map(|v| &v.record);
    write_corpus(
        &root,
        "record_binary",
        valid.chain(records.invalid.iter().map(|v| &v.bytes)).map(decode),
    )?;
    write_corpus(
        &root,
        "record_text",
        records.valid.iter().map(|v| Ok(v.text.clone().into_bytes())),
    )?;
    write_corpus(
        &root,
        "record_json",
        records.valid.iter().map(|v| Ok(v.json.clone().into_bytes())),
    )?;
    let valid = blobs.valid.iter().map(|v| &v.blob);
    write_corpus(
        &root,
        "blob",
        valid.chain(blobs.invalid.iter().map(|v| &v.bytes)).map(decode),
    )
}

fn write_json(path: &Path, vectors: &impl serde::Serialize) -> io::Result<()> {
    fs::create_dir_all(path.parent().unwrap_or(path))?;
    fs::write(path, serde_json::to_string_pretty(vectors)? + "\n")
}

/// Small inputs only: a corpus is a place to start from.
fn write_corpus(root: &Path, target: &str, inputs: impl Iterator<Item = io::Result<Vec<u8>>>) -> io::Result<()> {
    let folder = root.join("fuzz/corpus").join(target);
    fs::create_dir_all(&folder)?;
    for (number, input) in inputs.enumerate() {
        let input = input?;
        if input.len() <= 5000 {
            fs::write(folder.join(format!("vector-{number:02}")), input)?;
        }
    }
    Ok(())
}
