use std::sync::Arc;

use bulla_kms::KmsError;
use bulla_model::KeySpec;
use bulla_store::{StoreError, Table};

use crate::oidc::IdentityError;

/// An operation that was refused or failed: AWS's error kinds, with AWS's message where AWS has one.
///
/// `Display` is for logs. What goes to the wire is [`code`](Self::code) and [`message`](Self::message).
#[derive(Debug, Clone, thiserror::Error)]
pub enum ServiceError {
    /// A member out of its limits.
    #[error("{0}")]
    Validation(String),
    /// No such key or alias.
    #[error("{0}")]
    NotFound(String),
    /// No such custom key store.
    #[error("{0}")]
    CustomKeyStoreNotFound(String),
    /// An ARN that this operation does not take.
    #[error("{0}")]
    InvalidArn(String),
    /// Not allowed.
    #[error("{0}")]
    AccessDenied(String),
    /// The access key or its principal is gone or disabled.
    #[error("The security token included in the request is invalid.")]
    UnrecognizedClient,
    /// The credential has come to its end.
    #[error("The security token included in the request is expired")]
    ExpiredToken,
    /// The key is disabled.
    #[error("{0}")]
    Disabled(String),
    /// The key's state does not permit the operation.
    #[error("{0}")]
    InvalidState(String),
    /// The key is not for this.
    #[error("{0}")]
    InvalidKeyUsage(String),
    /// The ciphertext does not open; the wire says nothing more.
    #[error("the ciphertext does not open: {reason}")]
    InvalidCiphertext {
        /// For the log and the audit event.
        reason: &'static str,
    },
    /// The signature is not the key's over this message; the wire says nothing more.
    #[error("the signature is not the key's over this message")]
    InvalidSignature,
    /// The MAC is not the key's over this message; the wire says nothing more.
    #[error("the MAC is not the key's over this message")]
    InvalidMac,
    /// The ciphertext belongs to another key than the one that was named.
    #[error("{0}")]
    IncorrectKey(String),
    /// Imported material that is not the key's, or not of its spec; the wire says nothing more.
    #[error("incorrect key material: {reason}")]
    IncorrectKeyMaterial {
        /// For the log and the audit event.
        reason: &'static str,
    },
    /// An import token that is none, or another key's.
    #[error("not an import token of this key")]
    InvalidImportToken,
    /// An import token past its end.
    #[error("the import token has expired")]
    ExpiredImportToken,
    /// What was to be created exists.
    #[error("{0}")]
    AlreadyExists(String),
    /// Not the name of an alias.
    #[error("{0}")]
    InvalidAliasName(String),
    /// More than the service allows.
    #[error("{0}")]
    LimitExceeded(String),
    /// Not a policy, or one that would lock its writer out; the message says where.
    #[error("{0}")]
    MalformedPolicyDocument(String),
    /// A web identity token that is not believed.
    #[error("{0}")]
    InvalidIdentityToken(String),
    /// A web identity token past its end.
    #[error("{0}")]
    ExpiredIdentityToken(String),
    /// The issuer of a web identity token can't be reached, so that nobody can tell whether it is its.
    #[error("{0}")]
    IdpCommunication(String),
    /// Session policy and tags take more room than there is.
    #[error("{0}")]
    PackedPolicyTooLarge(String),
    /// Not a grant token that this service gave out.
    #[error("not a grant token that this service gave out")]
    InvalidGrantToken,
    /// Not the id of a grant of this key.
    #[error("{0}")]
    InvalidGrantId(String),
    /// Not a marker that this service gave out.
    #[error("not a marker that this service gave out")]
    InvalidMarker,
    /// Wrong tags.
    #[error("{0}")]
    Tag(String),
    /// An operation or a member that is not built.
    #[error("{0}")]
    Unsupported(String),
    /// An operation that keys of this spec do not have; the wire says nothing more.
    #[error("keys of spec {0} do not have this operation")]
    UnsupportedSpec(KeySpec),
    /// Everything was permitted, and nothing was done because `DryRun` was set.
    #[error("The request would have succeeded, but the DryRun option is set.")]
    DryRun,
    /// Decided again too often because what it depends on kept changing.
    #[error("Rate exceeded")]
    Throttled,
    /// A row that decides is not what the service wrote.
    #[error("the row {id} of {table} was tampered with")]
    Tampered {
        /// The table's name.
        table: &'static str,
        /// The row's primary key.
        id: String,
    },
    /// The store failed: nothing was done, or it is not known whether it was.
    #[error("the store failed")]
    Store(#[source] Arc<StoreError>),
    /// A root key could not be used.
    #[error("the root key could not be used")]
    Root(#[source] Arc<KmsError>),
    /// The service is shutting down.
    #[error("the service is shutting down")]
    ShuttingDown,
    /// A state that the code rules out; a defect.
    #[error("internal error: {0}")]
    Internal(&'static str),
}

impl ServiceError {
    /// AWS's name of the error, without a namespace.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Validation(_) => "ValidationException",
            Self::NotFound(_) => "NotFoundException",
            Self::CustomKeyStoreNotFound(_) => "CustomKeyStoreNotFoundException",
            Self::InvalidArn(_) => "InvalidArnException",
            Self::AccessDenied(_) => "AccessDeniedException",
            Self::UnrecognizedClient => "UnrecognizedClientException",
            Self::ExpiredToken => "ExpiredTokenException",
            Self::Disabled(_) => "DisabledException",
            Self::InvalidState(_) => "KMSInvalidStateException",
            Self::InvalidKeyUsage(_) => "InvalidKeyUsageException",
            Self::InvalidCiphertext { .. } => "InvalidCiphertextException",
            Self::InvalidSignature => "KMSInvalidSignatureException",
            Self::InvalidMac => "KMSInvalidMacException",
            Self::IncorrectKey(_) => "IncorrectKeyException",
            Self::IncorrectKeyMaterial { .. } => "IncorrectKeyMaterialException",
            Self::InvalidImportToken => "InvalidImportTokenException",
            Self::ExpiredImportToken => "ExpiredImportTokenException",
            Self::AlreadyExists(_) => "AlreadyExistsException",
            Self::InvalidAliasName(_) => "InvalidAliasNameException",
            Self::LimitExceeded(_) => "LimitExceededException",
            Self::MalformedPolicyDocument(_) => "MalformedPolicyDocumentException",
            Self::InvalidIdentityToken(_) => "InvalidIdentityToken",
            Self::ExpiredIdentityToken(_) => "ExpiredIdentityToken",
            Self::IdpCommunication(_) => "IDPCommunicationError",
            Self::PackedPolicyTooLarge(_) => "PackedPolicyTooLargeException",
            Self::InvalidGrantToken => "InvalidGrantTokenException",
            Self::InvalidGrantId(_) => "InvalidGrantIdException",
            Self::InvalidMarker => "InvalidMarkerException",
            Self::Tag(_) => "TagException",
            Self::Unsupported(_) | Self::UnsupportedSpec(_) => "UnsupportedOperationException",
            Self::DryRun => "DryRunOperationException",
            Self::Throttled => "ThrottlingException",
            Self::Tampered { .. } | Self::Store(_) | Self::Root(_) | Self::ShuttingDown | Self::Internal(_) => {
                "KMSInternalException"
            }
        }
    }

    /// What AWS says where a ciphertext is another key's than the one that was named.
    pub(crate) fn incorrect_key() -> Self {
        Self::IncorrectKey(
            "The key ID in the request does not identify a CMK that can perform this operation.".to_owned(),
        )
    }

    /// The message for the wire; `None` where AWS has none or where the reason must stay inside.
    pub fn message(&self) -> Option<String> {
        match self {
            // For the three of imports, not confirmed.
            Self::InvalidCiphertext { .. }
            | Self::InvalidSignature
            | Self::InvalidMac
            | Self::UnsupportedSpec(_)
            | Self::InvalidGrantToken
            | Self::InvalidMarker
            | Self::IncorrectKeyMaterial { .. }
            | Self::InvalidImportToken
            | Self::ExpiredImportToken => None,
            error if error.is_internal() => None,
            error => Some(error.to_string()),
        }
    }

    /// Tells whether it is the service's failure (HTTP 500 with a constant body) and not the caller's (400).
    pub fn is_internal(&self) -> bool {
        matches!(
            self,
            Self::Tampered { .. } | Self::Store(_) | Self::Root(_) | Self::ShuttingDown | Self::Internal(_)
        )
    }

    /// The code in the audit event: as on the wire, but a tampered row has its own.
    pub fn audit_code(&self) -> &'static str {
        match self {
            Self::Tampered { .. } => "TamperedRow",
            other => other.code(),
        }
    }
}

impl From<IdentityError> for ServiceError {
    fn from(error: IdentityError) -> Self {
        let text = error.to_string();
        match error {
            IdentityError::Expired { .. } => Self::ExpiredIdentityToken(text),
            IdentityError::Unreachable => Self::IdpCommunication(text),
            _ => Self::InvalidIdentityToken(text),
        }
    }
}

impl From<bulla_model::KeyRefError> for ServiceError {
    fn from(error: bulla_model::KeyRefError) -> Self {
        use bulla_model::KeyRefError as E;
        match error {
            E::Malformed(_) | E::MalformedInArn(_) | E::OtherRegion(_) => Self::NotFound(error.to_string()),
            E::NotKms(_) => Self::InvalidArn(error.to_string()),
        }
    }
}

impl From<StoreError> for ServiceError {
    fn from(error: StoreError) -> Self {
        Self::Store(Arc::new(error))
    }
}

/// A service that could not be initialised or opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Nothing was initialised there.
    #[error("the store was not initialised")]
    NotInitialised,
    /// There is a service in the store already.
    #[error("the store is initialised already")]
    AlreadyInitialised,
    /// `--dev` on a production store, or the reverse.
    #[error("the store was made for {found}, not for {wanted}")]
    WrongMode {
        /// What the store is.
        found: crate::Mode,
        /// What was asked for.
        wanted: crate::Mode,
    },
    /// No root was given, or none of them wraps this store's key.
    #[error("none of the given root keys ({given}) opens this store; it was made with {wanted}")]
    WrongRoot {
        /// The resolved roots that were given.
        given: String,
        /// The resolved roots that wrap the store key.
        wanted: String,
    },
    /// The right root did not unwrap the store key.
    #[error("the root key did not unwrap the store key")]
    Root(#[source] KmsError),
    /// A row that decides is not what the service wrote.
    #[error("the row {id} of {table} was tampered with")]
    Tampered {
        /// The table's name.
        table: &'static str,
        /// The row's primary key.
        id: String,
    },
    /// The change feed has a gap, a surplus or a change that is not what the service wrote.
    #[error("the change feed was tampered with at revision {revision}, or before")]
    TamperedChanges {
        /// The first revision that is not as it was written.
        revision: u64,
    },
    /// The head or its checkpoint is not what the service wrote.
    #[error("the audit head was tampered with: {0}")]
    TamperedHead(&'static str),
    /// The store failed.
    #[error("the store failed")]
    Store(#[source] StoreError),
    /// No randomness.
    #[error("the random generator failed")]
    Random,
    /// A name or value that the service can't take.
    #[error("{0}")]
    Invalid(String),
}

impl From<StoreError> for OpenError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl OpenError {
    pub(crate) fn tampered(table: Table, id: impl Into<String>) -> Self {
        Self::Tampered {
            table: table.name(),
            id: id.into(),
        }
    }
}
