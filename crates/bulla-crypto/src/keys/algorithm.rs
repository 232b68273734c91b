use aws_lc_rs::digest;

/// Names a signature scheme as AWS KMS does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SigningAlgorithm {
    /// RSASSA-PSS (RFC 8017, 8.1) with SHA-256, MGF1 with SHA-256, a salt of 32 bytes.
    RsassaPssSha256,
    /// RSASSA-PSS with SHA-384, MGF1 with SHA-384, a salt of 48 bytes.
    RsassaPssSha384,
    /// RSASSA-PSS with SHA-512, MGF1 with SHA-512, a salt of 64 bytes.
    RsassaPssSha512,
    /// RSASSA-PKCS1-v1_5 (RFC 8017, 8.2) with SHA-256.
    RsassaPkcs1V15Sha256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    RsassaPkcs1V15Sha384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    RsassaPkcs1V15Sha512,
    /// ECDSA (FIPS 186-5) with SHA-256, over P-256 or secp256k1.
    EcdsaSha256,
    /// ECDSA with SHA-384, over P-384.
    EcdsaSha384,
    /// ECDSA with SHA-512, over P-521.
    EcdsaSha512,
    /// Pure Ed25519 (RFC 8032); takes messages, no digests.
    Ed25519Sha512,
    /// Ed25519ph (RFC 8032) with an empty context; takes SHA-512 digests, no messages.
    Ed25519PhSha512,
    /// ML-DSA (FIPS 204) with an empty context; takes messages, or the mu of one.
    MlDsaShake256,
}

impl SigningAlgorithm {
    /// Every algorithm, in the order of the enumeration.
    pub const ALL: [Self; 12] = [
        Self::RsassaPssSha256,
        Self::RsassaPssSha384,
        Self::RsassaPssSha512,
        Self::RsassaPkcs1V15Sha256,
        Self::RsassaPkcs1V15Sha384,
        Self::RsassaPkcs1V15Sha512,
        Self::EcdsaSha256,
        Self::EcdsaSha384,
        Self::EcdsaSha512,
        Self::Ed25519Sha512,
        Self::Ed25519PhSha512,
        Self::MlDsaShake256,
    ];

    /// Gives the length in bytes of the digest that the algorithm signs; none where it takes no digest.
    #[must_use]
    pub fn digest_bytes(self) -> Option<usize> {
        self.hash().map(digest::Algorithm::output_len)
    }

    /// Hashes a message to the digest that the algorithm signs; none where it takes no digest.
    #[must_use]
    pub fn digest(self, message: &[u8]) -> Option<Vec<u8>> {
        self.hash().map(|hash| digest::digest(hash, message).as_ref().to_vec())
    }

    pub(super) fn hash(self) -> Option<&'static digest::Algorithm> {
        match self {
            Self::RsassaPssSha256 | Self::RsassaPkcs1V15Sha256 | Self::EcdsaSha256 => Some(&digest::SHA256),
            Self::RsassaPssSha384 | Self::RsassaPkcs1V15Sha384 | Self::EcdsaSha384 => Some(&digest::SHA384),
            Self::RsassaPssSha512 | Self::RsassaPkcs1V15Sha512 | Self::EcdsaSha512 | Self::Ed25519PhSha512 => {
                Some(&digest::SHA512)
            }
            Self::Ed25519Sha512 | Self::MlDsaShake256 => None,
        }
    }
}

/// Names a MAC algorithm as AWS KMS does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MacAlgorithm {
    /// HMAC (FIPS 198-1) with SHA-224: tags of 28 bytes.
    HmacSha224,
    /// HMAC with SHA-256: tags of 32 bytes.
    HmacSha256,
    /// HMAC with SHA-384: tags of 48 bytes.
    HmacSha384,
    /// HMAC with SHA-512: tags of 64 bytes.
    HmacSha512,
}

/// Names an asymmetric encryption scheme as AWS KMS does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EncryptionAlgorithm {
    /// RSAES-OAEP (RFC 8017, 7.1) with SHA-1, MGF1 with SHA-1, an empty label.
    RsaesOaepSha1,
    /// RSAES-OAEP with SHA-256, MGF1 with SHA-256, an empty label.
    RsaesOaepSha256,
}

/// Names a way to wrap key material for import, as AWS KMS does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WrappingAlgorithm {
    /// The material itself under RSAES-OAEP with SHA-1.
    RsaesOaepSha1,
    /// The material itself under RSAES-OAEP with SHA-256.
    RsaesOaepSha256,
    /// An AES-256 key under RSAES-OAEP with SHA-1, then the material under AES Key Wrap with Padding.
    RsaAesKeyWrapSha1,
    /// An AES-256 key under RSAES-OAEP with SHA-256, then the material under AES Key Wrap with Padding.
    RsaAesKeyWrapSha256,
}

impl WrappingAlgorithm {
    /// Gives the OAEP that wraps the material, or the AES key.
    pub(super) fn oaep(self) -> EncryptionAlgorithm {
        match self {
            Self::RsaesOaepSha1 | Self::RsaAesKeyWrapSha1 => EncryptionAlgorithm::RsaesOaepSha1,
            Self::RsaesOaepSha256 | Self::RsaAesKeyWrapSha256 => EncryptionAlgorithm::RsaesOaepSha256,
        }
    }
}
