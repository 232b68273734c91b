//! What commands that work on bytes read and write.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use anyhow::Context as _;
use zeroize::Zeroizing;

use crate::failure::Explained;

/// Reads all of a file, or of stdin.
///
/// # Errors
/// It can't be read, or is longer than `limit` bytes; `why` says what the limit is.
pub(crate) fn read(input: Option<&Path>, limit: usize, why: &str) -> Result<Zeroizing<Vec<u8>>, anyhow::Error> {
    let (mut source, name): (Box<dyn Read>, String) = match input {
        Some(path) => {
            let file = File::open(path).with_context(|| format!("reading {}", path.display()))?;
            (Box::new(file), path.display().to_string())
        }
        None => (Box::new(io::stdin().lock()), "stdin".to_owned()),
    };
    // One buffer that never grows leaves no copies behind; a small one first, as most values are small.
    let mut bytes = Zeroizing::new(Vec::with_capacity(64 * 1024));
    loop {
        let room = bytes.capacity() - bytes.len();
        let read = source
            .by_ref()
            .take(room as u64)
            .read_to_end(&mut bytes)
            .with_context(|| format!("reading {name}"))?;
        if read < room {
            break;
        }
        if bytes.len() > limit {
            return Err(too_long(&name, limit, why));
        }
        let mut larger = Zeroizing::new(Vec::with_capacity(
            (bytes.capacity() * 4).min(limit.max(bytes.capacity()) + 1),
        ));
        larger.extend_from_slice(&bytes);
        bytes = larger;
    }
    if bytes.len() > limit {
        return Err(too_long(&name, limit, why));
    }
    Ok(bytes)
}

/// Writes all to a file (0600, whole or not at all), or to stdout.
///
/// # Errors
/// It can't be written.
pub(crate) fn write(output: Option<&Path>, bytes: &[u8]) -> Result<(), anyhow::Error> {
    match output {
        None => crate::output::bytes(bytes),
        Some(path) => write_whole(path, bytes).with_context(|| format!("writing {}", path.display())),
    }
}

fn too_long(name: &str, limit: usize, why: &str) -> anyhow::Error {
    let what = format!("{name} is longer than {} MiB, {why}", limit >> 20);
    Explained::new(what).hint("split the file").into()
}

/// Writes beside the file, then renames: a crash leaves the old file or the new one.
fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), io::Error> {
    let dir = path
        .parent()
        .filter(|dir| !dir.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(dir)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    File::open(dir)?.sync_all()
}
