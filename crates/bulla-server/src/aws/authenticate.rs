use std::sync::Arc;

use bulla_model::{AccountId, Region};
use bulla_service::Caller;

use super::wire::Failure;
use crate::config::AuthMode;
use crate::edge::Edge;
use crate::sigv4::{Claim, Scope, SignatureError, SignedParts, SigningKey};

const DEV_REGION: &str = "us-east-1";

/// Finds who sent a request to `service` (`kms`, `sts`, `bulla`), and for which region he signed it.
pub(crate) async fn authenticate(
    edge: &Edge,
    parts: &SignedParts<'_>,
    body: &[u8],
    source_ip: &str,
    service: &'static str,
) -> Result<(Caller, Region), Failure> {
    match edge.auth {
        AuthMode::Dev => anybody(edge, parts),
        AuthMode::SignatureV4 => verify(edge, parts, body, service).await.inspect_err(|failure| {
            if !failure.is_internal() {
                edge.service.record_authentication_failure(failure.code, source_ip);
            }
        }),
    }
}

/// Verifies the signature of a request under the access key that it names.
async fn verify(
    edge: &Edge,
    parts: &SignedParts<'_>,
    body: &[u8],
    service: &'static str,
) -> Result<(Caller, Region), Failure> {
    let now = edge.clock.now().as_micros().div_euclid(1_000_000);
    let claim = Claim::parse(parts, now, service)?;
    let scope = &claim.authorization.scope;
    let region = region(edge, scope)?;
    let id = scope.access_key_id;
    let credential = match session_token(parts)? {
        Some(token) => edge.service.session_credential(id, token)?,
        // Temporary credentials without their token.
        None if id.starts_with("ASIA") => None,
        None => edge.service.credential(id).await?,
    };
    let credential = credential.ok_or(SignatureError::UnknownAccessKey)?;
    match edge.signing_keys.find(scope, credential.revision()) {
        Some(key) => claim.verify(parts, body, &key)?,
        None => {
            let key = Arc::new(SigningKey::derive(credential.secret().expose_secret(), scope));
            claim.verify(parts, body, &key)?;
            edge.signing_keys.keep(scope, credential.revision(), key);
        }
    }
    Ok((Caller::signed(credential), region))
}

fn region(edge: &Edge, scope: &Scope<'_>) -> Result<Region, SignatureError> {
    let wrong = || SignatureError::WrongRegion(scope.region.to_owned());
    let region: Region = scope.region.parse().map_err(|_| wrong())?;
    if edge.regions.is_empty() || edge.regions.contains(&region) {
        Ok(region)
    } else {
        Err(wrong())
    }
}

/// The session token of a request, if it has one.
fn session_token<'a>(parts: &SignedParts<'a>) -> Result<Option<&'a str>, SignatureError> {
    let mut values = parts.headers.get_all("x-amz-security-token").iter();
    let token = values.next().map(|value| value.to_str());
    match (token, values.next()) {
        (None, _) => Ok(None),
        (Some(Ok(token)), None) => Ok(Some(token)),
        _ => Err(SignatureError::UnknownAccessKey),
    }
}

/// The dev mode's administrator: the account is a 12-digit access key id, else zeros. Whoever has a session token of this service is that
/// session, so that roles can be tried out; his signature, whose date may not be the dev clock's, is not looked at.
fn anybody(edge: &Edge, parts: &SignedParts<'_>) -> Result<(Caller, Region), Failure> {
    let header = parts
        .headers
        .get(http::header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    let scope = header.and_then(Scope::of_unverified);
    let account = scope.as_ref().and_then(|scope| scope.access_key_id.parse().ok());
    let region = scope.as_ref().map_or(DEV_REGION, |scope| scope.region);
    let region = region
        .parse()
        .map_err(|_| SignatureError::WrongRegion(region.to_owned()))?;
    if let (Some(scope), Ok(Some(token))) = (&scope, session_token(parts))
        && let Some(credential) = edge.service.session_credential(scope.access_key_id, token)?
    {
        return Ok((Caller::signed(credential), region));
    }
    Ok((
        Caller::dev_admin(account.unwrap_or_else(|| AccountId::from_number(0))),
        region,
    ))
}
