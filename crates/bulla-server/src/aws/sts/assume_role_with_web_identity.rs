use bulla_service::{Service, Unsigned};

use super::super::wire::Failure;
use super::Members;
use super::assume_role::{common, members};
use super::form::Form;

const NOT_BUILT: [&str; 2] = ["PolicyArns", "ProviderId"];

/// `AssumeRoleWithWebIdentity`: nobody signs it, the token says who asks.
pub(super) async fn answer(service: &Service, from: Unsigned, form: &Form) -> Result<Members, Failure> {
    form.refuse(&NOT_BUILT)?;
    let token = form.required("WebIdentityToken")?;
    let answer = service
        .assume_role_with_web_identity(from, common(form)?, token)
        .await?;
    Ok(Members::new(move |xml| {
        members(xml, &answer.assumed)
            .text("SubjectFromWebIdentityToken", &answer.subject)
            .text("Provider", &answer.provider)
            .text("Audience", &answer.audience)
    }))
}
