use bulla_model::Tag;
use serde::Deserialize;

use super::rules::{TAG_KEY, TAG_VALUE};
use super::{Checks, List, Object, Text};

/// `Tag`, as a request has it.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(in crate::aws) struct TagInput {
    tag_key: Option<Text>,
    tag_value: Option<Text>,
}

impl Checks {
    /// Tags; none when absent.
    pub(in crate::aws) fn tags(&mut self, tags: Option<List<Object<TagInput>>>) -> Vec<Tag> {
        let list = tags.map(|list| list.0).unwrap_or_default();
        let numbered = list.into_iter().zip(1_u32..);
        numbered
            .map(|(tag, number)| {
                let TagInput { tag_key, tag_value } = tag.map(|object| object.0).unwrap_or_default();
                Tag {
                    key: self.required_text(&format!("tags.{number}.member.tagKey"), tag_key, &TAG_KEY),
                    value: self.required_text(&format!("tags.{number}.member.tagValue"), tag_value, &TAG_VALUE),
                }
            })
            .collect()
    }

    /// Tags that must be there.
    pub(in crate::aws) fn required_tags(&mut self, tags: Option<List<Object<TagInput>>>) -> Vec<Tag> {
        self.require("tags", tags.is_none());
        self.tags(tags)
    }
}
