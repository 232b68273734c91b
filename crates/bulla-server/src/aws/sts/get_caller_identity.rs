use bulla_service::{Call, Service};

use super::super::wire::Failure;
use super::Members;

/// `GetCallerIdentity`.
pub(super) async fn answer(service: &Service, call: &Call) -> Result<Members, Failure> {
    let identity = service.get_caller_identity(call).await?;
    Ok(Members::new(move |xml| {
        xml.text("Arn", &identity.arn)
            .text("UserId", &identity.user_id)
            .text("Account", &identity.account)
    }))
}
