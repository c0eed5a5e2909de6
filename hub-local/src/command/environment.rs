//! Variables besides those of the options: upstream templates as Microsoft's emulator reads them, and names that
//! nothing reads.

use std::collections::BTreeMap;

use hub_core::{
    names::nearest,
    setting_names::{APP, COMMAND, LOAD, is_same, lookup_form},
};
use hub_local::{Settings, SettingsError, Template};
use serde_json::{Map, Value, json};

use super::Failure;

/// The variables of templates, `UpstreamSettings__Templates__0__UrlTemplate` and its siblings, are the keys of
/// `settings.json` in .NET's form.
const TEMPLATES: &str = "upstreamsettings:templates:";
/// Variables that move the listener of Microsoft's emulator, which is a program of ASP.NET Core.
const OF_ASPNET: [&str; 4] =
    ["ASPNETCORE_URLS", "ASPNETCORE_HTTP_PORTS", "ASPNETCORE_HTTPS_PORTS", "URLS"];

/// The variables of the process that are valid text.
pub(super) fn variables() -> Vec<(String, String)> {
    let texts = std::env::vars_os();
    texts
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

/// The templates in variables; empty if there are none.
pub(super) fn templates(variables: &[(String, String)]) -> Result<Vec<Template>, Failure> {
    let mut templates: BTreeMap<u32, Map<String, Value>> = BTreeMap::new();
    for (name, value) in variables {
        if let Some((index, key)) = template_key(name) {
            templates.entry(index).or_default().insert(key, Value::from(value.as_str()));
        }
    }
    if templates.is_empty() {
        return Ok(Vec::new());
    }
    let templates: Vec<_> = templates.into_values().collect();
    let text = json!({ "UpstreamSettings": { "Templates": templates } }).to_string();
    let settings = Settings::parse("", &text).map_err(|error| {
        let problem = match error {
            SettingsError::Content { text, .. } => text,
            error => error.to_string(),
        };
        Failure::Failed(format!("the variables UpstreamSettings__Templates__…: {problem}"))
    })?;
    Ok(settings.templates)
}

/// The index and the key of a template variable.
fn template_key(name: &str) -> Option<(u32, String)> {
    let form = lookup_form(name);
    let (index, key) = form.strip_prefix(TEMPLATES)?.split_once(':')?;
    let known = ["urltemplate", "hubpattern", "categorypattern", "eventpattern"];
    Some((index.parse().ok()?, known.contains(&key).then(|| key.to_owned())?))
}

/// A warning for each variable that looks like a setting of the command, but is not read.
pub(super) fn unread(variables: &[(String, String)]) -> Vec<String> {
    let set = variables.iter().filter(|(_, value)| !value.trim().is_empty());
    set.filter_map(|(name, _)| {
        let form = lookup_form(name);
        if form.starts_with("upstreamsettings:") && template_key(name).is_none() {
            return Some(format!(
                "{name} is not read; the variables of a template are UpstreamSettings__Templates__0__UrlTemplate, …__HubPattern, …__CategoryPattern and …__EventPattern"
            ));
        }
        if OF_ASPNET.iter().any(|known| is_same(known, name)) || form.starts_with("kestrel:") {
            return Some(format!("{name} is not read; use `--port` and `--ip`, or HUB_LOCAL_PORT and HUB_LOCAL_IP"));
        }
        let mut known = COMMAND.iter().chain(&LOAD).chain(&APP);
        let letters = form.chars().filter(char::is_ascii_alphanumeric).collect::<String>();
        if !letters.starts_with("hublocal") || known.any(|known| is_same(known, name)) {
            return None;
        }
        let meant = nearest(&letters, COMMAND).map(|known| format!("; did you mean {known}?"));
        Some(format!("{name} is not read{}", meant.unwrap_or_default()))
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(variables: &[(&str, &str)]) -> Vec<(String, String)> {
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn templates_are_read_in_the_order_of_their_index() {
        let found = templates(&pairs(&[
            ("UpstreamSettings__Templates__10__UrlTemplate", "http://b/"),
            ("UpstreamSettings:Templates:2:UrlTemplate", "http://a/{hub}"),
            ("UPSTREAMSETTINGS__TEMPLATES__2__HUBPATTERN", "chat,news"),
            ("UpstreamSettings__Templates__2__CategoryPattern", "messages"),
            ("UpstreamSettings__Templates__2__EventPattern", "*"),
        ]));

        let first =
            Template::new("http://a/{hub}").unwrap().hubs("chat,news").categories("messages");
        assert_eq!(found.unwrap(), [first, Template::new("http://b/").unwrap()]);
        assert_eq!(templates(&pairs(&[("PATH", "/bin")])).unwrap(), []);
    }

    #[test]
    fn an_invalid_template_is_an_error_with_the_fix() {
        for (variable, problem) in [
            (("UpstreamSettings__Templates__0__UrlTemplate", "localhost"), "cannot be used"),
            (("UpstreamSettings__Templates__0__HubPattern", "chat"), "requires a `UrlTemplate`"),
        ] {
            let Err(Failure::Failed(text)) = templates(&pairs(&[variable])) else { panic!() };
            assert!(text.starts_with("the variables UpstreamSettings__Templates__…: "), "{text}");
            assert!(text.contains(problem), "{text}");
        }
    }

    #[test]
    fn variables_that_are_not_read_are_reported() {
        let found = unread(&pairs(&[
            ("PATH", "/bin"),
            ("HUB_LOCAL_PORT", "1"),
            ("HUB_LOCAL_LOAD_BEARER", "x"),
            ("HUB_LOCAL_EMPTY", " "),
            ("UpstreamSettings__Templates__0__UrlTemplate", "http://a/"),
            ("UpstreamSettings__Templates__0__Auth", "x"),
            ("ASPNETCORE_URLS", "http://+:9999"),
            ("HUB_LOCAL_PRT", "1"),
            ("HUBLOCAL_KEY", "topsecret"),
        ]));

        let starts = [
            "UpstreamSettings__Templates__0__Auth is not read; the variables of a template are",
            "ASPNETCORE_URLS is not read; use `--port` and `--ip`",
            "HUB_LOCAL_PRT is not read; did you mean HUB_LOCAL_PORT?",
            "HUBLOCAL_KEY is not read; did you mean HUB_LOCAL_KEY?",
        ];
        assert_eq!(found.len(), starts.len(), "{found:?}");
        for (found, start) in found.iter().zip(starts) {
            assert!(found.starts_with(start) && !found.contains("topsecret"), "{found}");
        }
    }
}
