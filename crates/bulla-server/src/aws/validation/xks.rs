use serde::Deserialize;
use zeroize::Zeroizing;

use super::rules::{Rule, XKS_ACCESS_KEY_ID, XKS_SECRET_ACCESS_KEY};
use super::{Checks, Object, Text};

/// `XksProxyAuthenticationCredentialType`, as a request has it.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(in crate::aws) struct XksCredential {
    access_key_id: Option<Text>,
    raw_secret_access_key: Option<Text>,
}

impl Checks {
    /// A credential of an external key store's proxy. Nothing uses it: it is checked and wiped.
    pub(in crate::aws) fn xks_credential(&mut self, value: Option<Object<XksCredential>>) {
        let Some(Object(credential)) = value else { return };
        let member = |name: &str| format!("xksProxyAuthenticationCredential.{name}");
        self.require_secret(&member("accessKeyId"), credential.access_key_id, &XKS_ACCESS_KEY_ID);
        let secret = credential.raw_secret_access_key;
        self.require_secret(&member("rawSecretAccessKey"), secret, &XKS_SECRET_ACCESS_KEY);
    }

    /// A secret that nothing uses: it is checked and wiped.
    pub(in crate::aws) fn secret_text(&mut self, member: &str, value: Option<Text>, rule: &Rule) {
        drop(self.text(member, value, rule).map(Zeroizing::new));
    }

    fn require_secret(&mut self, member: &str, value: Option<Text>, rule: &Rule) {
        drop(Zeroizing::new(self.required_text(member, value, rule)));
    }
}
