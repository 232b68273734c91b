use std::fs;
use std::path::Path;

/// Replays the committed corpus of a fuzz target (`fuzz/corpus/<target>`) through the target's body, on stable: each input as it is, and
/// at up to `places` places each: cut before and after, with every bit of the byte flipped, with the byte doubled.
///
/// # Panics
/// Where the body does, and where the corpus has fewer than five inputs.
pub fn replay_corpus(target: &str, places: usize, body: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fuzz/corpus")
        .join(target);
    let entries = fs::read_dir(&folder).expect("every target has a corpus");
    let mut inputs = 0;
    for entry in entries {
        let input = fs::read(entry.expect("the corpus can be listed").path()).expect("the corpus can be read");
        inputs += 1;
        body(&input);
        for at in (0..input.len()).step_by(input.len().div_ceil(places).max(1)) {
            body(&input[..at]);
            body(&input[at..]);
            let mut changed = input.clone();
            for bit in 0..8 {
                changed[at] = input[at] ^ 1 << bit;
                body(&changed);
            }
            changed[at] = input[at];
            changed.insert(at, input[at]);
            body(&changed);
        }
    }
    assert!(inputs >= 5, "{} holds {inputs} inputs", folder.display());
}
