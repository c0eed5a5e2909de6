use std::collections::HashSet;

use hub_net::host::AllowedHosts;

use super::*;
use crate::reference_page;

const INTRODUCTION: &str = "\
What a failure means, and what to check. Each cause has a name, which never changes:

- A line of the log of [hub-local](../../hub-local/README.md#troubleshooting) has it in the field `cause`, beside the text of the cause, mostly with values, and the field `check`. The lines
  of `idle_sockets` and `accept_failed` have their texts only. `wrong_host` and `wrong_origin` are in the response and in the inspector, not in the log.
- The [inspector](../inspect.md) shows it below the advice. Its events and recordings have it in the member `cause`.

`…` stands for a value, such as a host. For hosts and pages see [Pages and hosts](../../hub-local/README.md#pages-and-hosts).
";

fn all() -> impl Iterator<Item = &'static Cause> {
    Cause::GROUPS.iter().flat_map(|(_, causes)| *causes)
}

/// The section of a cause. Its heading is the name, so that the name is the fragment of its address.
fn section(cause: Cause) -> String {
    format!("### {}\n\nText: {}.\n\nCheck {}.\n", cause.id(), cause.text(), cause.check())
}

#[test]
fn the_page_of_causes_has_the_texts_of_the_code() {
    let mut page = reference_page::head(
        "Causes of failures",
        "the table in `hub-local/src/causes`",
        "--lib the_page_of_causes",
    );
    page += INTRODUCTION;
    for (title, causes) in Cause::GROUPS {
        page += &format!("\n## {title}\n");
        for cause in *causes {
            page += &format!("\n{}", section(*cause));
        }
    }
    reference_page::check("causes.md", &page);
}

#[test]
fn each_cause_has_a_name_of_its_own_and_fits_into_a_line_and_a_sentence() {
    let ids: HashSet<_> = all().map(|cause| cause.id()).collect();
    assert_eq!(ids.len(), all().count());

    for cause in all() {
        let (id, text, check) = (cause.id(), cause.text(), cause.check());
        assert!(id.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{id}");
        for part in [text, check] {
            assert!(!part.is_empty() && !part.contains('\n'), "{id}: {part}");
            assert!(!part.ends_with(['.', ':']), "{id}: {part}");
            assert_eq!(part.matches('`').count() % 2, 0, "{id}: {part}");
        }
    }
}

#[test]
fn the_refusal_of_a_host_begins_with_the_text_of_its_cause() {
    let text = Cause::WrongHost.text().replace('…', "app.example");
    assert!(AllowedHosts::refusal("app.example").starts_with(&text));
}
