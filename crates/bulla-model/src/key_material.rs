use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::ParseError;
use crate::key::aws_enum;

aws_enum! {
    /// What a version of a key's material is to its key.
    KeyMaterialState, "key material state" {
        /// An earlier one: it decrypts only.
        NonCurrent = "NON_CURRENT",
        /// The one that encrypts.
        Current = "CURRENT",
        /// Imported, and waits for a rotation on demand.
        PendingRotation = "PENDING_ROTATION",
        /// Imported into the primary of a multi-Region key, and waits until every replica has it.
        PendingMultiRegionImportAndRotation = "PENDING_MULTI_REGION_IMPORT_AND_ROTATION",
    }
}

aws_enum! {
    /// Whether imported material is there.
    ImportState, "import state" {
        /// It is.
        Imported = "IMPORTED",
        /// It was deleted, expired, or never came.
        PendingImport = "PENDING_IMPORT",
    }
}

aws_enum! {
    /// What an import brings.
    ImportType, "import type" {
        /// Material that the key did not have before.
        NewKeyMaterial = "NEW_KEY_MATERIAL",
        /// Material that the key had, again.
        ExistingKeyMaterial = "EXISTING_KEY_MATERIAL",
    }
}

aws_enum! {
    /// Whether imported material ends by itself.
    ExpirationModel, "expiration model" {
        /// At its `ValidTo`.
        Expires = "KEY_MATERIAL_EXPIRES",
        /// Never.
        DoesNotExpire = "KEY_MATERIAL_DOES_NOT_EXPIRE",
    }
}
