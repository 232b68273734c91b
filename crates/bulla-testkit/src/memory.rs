//! Scans this process's own memory for a secret that the test never holds in a row itself.

use std::fs::{self, File};
use std::hint::black_box;
use std::io;
use std::os::unix::fs::FileExt;

/// Counts where 16 bytes of a 32-byte secret in a row, from its start or from its middle, lie in writable memory.
///
/// `byte` gives the secret one byte at a time, so that the scan itself leaves no copy. A whole copy counts as two.
///
/// # Errors
/// `/proc/self` can't be read.
pub fn copies(byte: fn(usize) -> u8) -> io::Result<usize> {
    let maps = fs::read_to_string("/proc/self/maps")?;
    let memory = File::open("/proc/self/mem")?;
    let mut buffer = vec![0; 1 << 20];
    let own = buffer.as_ptr() as u64..buffer.as_ptr() as u64 + buffer.len() as u64;
    let mut found = 0;
    for (mut at, end) in maps.lines().filter(|line| line.contains(" rw")).filter_map(range) {
        while at < end {
            let wanted = (end - at).min(1 << 20) as usize;
            let Ok(read) = memory.read_at(&mut buffer[..wanted], at) else {
                break;
            };
            for half in [0, 16] {
                let first = byte(half);
                let windows = buffer[..read].windows(16).enumerate();
                found += windows
                    .filter(|(offset, window)| {
                        window[0] == first
                            && !own.contains(&(at + *offset as u64))
                            && window.iter().enumerate().all(|(i, found)| *found == byte(half + i))
                    })
                    .count();
            }
            if read < 32 {
                break;
            }
            // Windows overlap, so that a copy across two reads is seen.
            at += if at + read as u64 == end {
                read as u64
            } else {
                read as u64 - 15
            };
        }
    }
    // What was found also lies in the buffer.
    buffer.fill(0);
    black_box(&buffer);
    Ok(found)
}

fn range(line: &str) -> Option<(u64, u64)> {
    let (start, end) = line.split_once(' ')?.0.split_once('-')?;
    Some((u64::from_str_radix(start, 16).ok()?, u64::from_str_radix(end, 16).ok()?))
}
