//! What the tests of grants ask.

use bulla_model::{GrantConstraints, GrantOperation as O};
use bulla_service::*;

pub(crate) const ANN: &str = "arn:aws:iam::111122223333:user/ann";
pub(crate) const BOB: &str = "arn:aws:iam::111122223333:user/bob";

pub(crate) fn grant(key_id: &str, operations: &[O]) -> CreateGrantRequest {
    CreateGrantRequest {
        key_id: key_id.to_owned(),
        grantee_principal: ANN.to_owned(),
        retiring_principal: None,
        operations: operations.to_vec(),
        constraints: GrantConstraints::default(),
        name: None,
        grant_tokens: Vec::new(),
        dry_run: false,
    }
}

pub(crate) fn list(key_id: &str) -> ListGrantsRequest {
    ListGrantsRequest {
        key_id: key_id.to_owned(),
        grant_id: None,
        grantee_principal: None,
        limit: None,
        marker: None,
    }
}

pub(crate) fn revoke(key_id: &str, grant_id: &str) -> RevokeGrantRequest {
    RevokeGrantRequest {
        key_id: key_id.to_owned(),
        grant_id: grant_id.to_owned(),
        dry_run: false,
    }
}

pub(crate) fn retire(token: &str) -> RetireGrantRequest {
    RetireGrantRequest {
        grant_token: Some(token.to_owned()),
        key_id: None,
        grant_id: None,
        dry_run: false,
    }
}

pub(crate) fn pairs(pairs: &[(&str, &str)]) -> Option<std::collections::BTreeMap<String, String>> {
    Some(
        pairs
            .iter()
            .map(|(key, value)| ((*key).into(), (*value).into()))
            .collect(),
    )
}
