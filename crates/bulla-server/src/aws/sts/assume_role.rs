use bulla_service::{AssumeRoleRequest, AssumeRoleResponse, Call, Service};

use super::super::wire::Failure;
use super::Members;
use super::form::Form;
use super::xml::Xml;

/// What STS takes and this service has nothing for: managed policies, devices.
const NOT_BUILT: [&str; 4] = ["PolicyArns", "SerialNumber", "TokenCode", "ProvidedContexts"];

/// `AssumeRole`.
pub(super) async fn answer(service: &Service, call: &Call, form: &Form) -> Result<Members, Failure> {
    form.refuse(&NOT_BUILT)?;
    let keys = form.list("Tags", ".Key");
    let values = form.list("Tags", ".Value");
    if keys.len() != values.len() {
        return Err(Failure::validation("Each tag has a key and a value".to_owned()));
    }
    let owned = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
    let keys_that_pass = form.list("TransitiveTagKeys", "");
    let request = AssumeRoleRequest {
        tags: keys.into_iter().zip(values).map(owned).collect(),
        transitive_tag_keys: keys_that_pass.into_iter().map(str::to_owned).collect(),
        external_id: form.get("ExternalId").map(str::to_owned),
        source_identity: form.get("SourceIdentity").map(str::to_owned),
        ..common(form)?
    };
    let assumed = service.assume_role(call, request).await?;
    Ok(Members::new(move |xml| members(xml, &assumed)))
}

/// What both ways to assume a role take.
pub(super) fn common(form: &Form) -> Result<AssumeRoleRequest, Failure> {
    Ok(AssumeRoleRequest {
        role_arn: form.required("RoleArn")?.to_owned(),
        role_session_name: form.required("RoleSessionName")?.to_owned(),
        policy: form.get("Policy").map(str::to_owned),
        duration_seconds: form.number("DurationSeconds")?,
        ..AssumeRoleRequest::default()
    })
}

/// What both answer.
pub(super) fn members(xml: Xml, assumed: &AssumeRoleResponse) -> Xml {
    let credentials = &assumed.credentials;
    let xml = xml
        .element("AssumedRoleUser", |xml| {
            xml.text("AssumedRoleId", &assumed.assumed_role_id)
                .text("Arn", &assumed.arn)
        })
        .element("Credentials", |xml| {
            xml.text("AccessKeyId", &credentials.access_key_id)
                .secret("SecretAccessKey", &credentials.secret_access_key)
                .secret("SessionToken", &credentials.session_token)
                .text("Expiration", &credentials.expiration.to_string())
        });
    let xml = match &assumed.source_identity {
        Some(identity) => xml.text("SourceIdentity", identity),
        None => xml,
    };
    match assumed.packed_policy_size {
        Some(percent) => xml.text("PackedPolicySize", &percent.to_string()),
        None => xml,
    }
}
