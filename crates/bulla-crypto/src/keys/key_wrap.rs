use aws_lc_rs::key_wrap::{AES_256, AesKek, KeyWrapPadded};

use crate::{DataKey, OpenError, SealError, SecretBytes};

/// Wraps bytes with AES-256 Key Wrap with Padding (RFC 5649): 1 byte and more; the result is up to 15 bytes longer.
///
/// # Errors
/// [`SealError`] where there is nothing to wrap, or the library fails.
pub fn wrap_with_padding(key: &DataKey, plaintext: &[u8]) -> Result<Vec<u8>, SealError> {
    let kek = AesKek::new(&AES_256, key.expose_secret()).map_err(|_| SealError::Library)?;
    let mut out = vec![0; plaintext.len().next_multiple_of(8) + 8];
    let length = kek
        .wrap_with_padding(plaintext, &mut out)
        .map_err(|_| SealError::Library)?
        .len();
    out.truncate(length);
    Ok(out)
}

/// Unwraps what [`wrap_with_padding`] wrapped.
///
/// # Errors
/// [`OpenError`], whatever was wrong.
pub fn unwrap_with_padding(key: &DataKey, wrapped: &[u8]) -> Result<SecretBytes, OpenError> {
    let kek = AesKek::new(&AES_256, key.expose_secret()).map_err(|_| OpenError)?;
    let mut out = SecretBytes::from_vec(vec![0; wrapped.len()]);
    let length = kek
        .unwrap_with_padding(wrapped, out.bytes_mut())
        .map_err(|_| OpenError)?
        .len();
    out.truncate(length);
    Ok(out)
}
