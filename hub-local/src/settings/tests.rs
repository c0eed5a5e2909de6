use super::*;

fn parse(text: &str) -> Settings {
    Settings::parse("settings.json", text).unwrap()
}

fn error(text: &str) -> String {
    Settings::parse("settings.json", text).unwrap_err().to_string()
}

fn with_template(members: &str) -> String {
    format!("{{\n \"UpstreamSettings\": {{\n  \"Templates\": [ {{\n{members}\n}} ] }} }}")
}

#[test]
fn the_example_is_one_template_for_everything() {
    let settings = parse(Settings::EXAMPLE);

    let url = "http://localhost:7071/runtime/webhooks/signalr";
    assert_eq!(settings.templates, [Template::new(url).unwrap()]);
    assert!(settings.warnings.is_empty());
}

#[test]
fn templates_keep_their_order_and_rules() {
    let settings = parse(
        r#"{ "UpstreamSettings": { "Templates": [
            { "UrlTemplate": "http://a/", "HubPattern": "chat", "EventPattern": "a, b" },
            { "UrlTemplate": "http://b/", "CategoryPattern": null },
        ] } } // the end"#,
    );

    let first = Template::new("http://a/").unwrap().hubs("chat").events("a,b");
    assert_eq!(settings.templates, [first, Template::new("http://b/").unwrap()]);
}

#[test]
fn keys_are_case_insensitive() {
    let text = r#"{ "upstreamSettings": { "TEMPLATES": [ { "urltemplate": "http://a/" } ] } }"#;
    assert_eq!(parse(text).templates.len(), 1);
}

#[test]
fn without_templates_there_is_no_upstream() {
    for text in ["{}", "{ \"UpstreamSettings\": null }", "{ \"UpstreamSettings\": {} }"] {
        assert_eq!(parse(text), Settings::default(), "{text}");
    }
}

#[test]
fn keys_of_other_programs_are_tolerated_silently() {
    assert_eq!(
        parse(r#"{ "Logging": { "LogLevel": {} }, "AllowedHosts": "*" }"#).warnings,
        [""; 0]
    );
}

#[test]
fn likely_typos_are_reported_with_their_line() {
    let text = with_template("\"UrlTemplate\": \"http://a/\",\n\"HubPatern\": \"x\", \"Auth\": {}");

    let warnings = parse(&text).warnings;

    let hub = "settings.json:5: unknown key `HubPatern` ignored; did you mean `HubPattern`?";
    assert_eq!(warnings[0], hub);
    assert!(warnings[1].starts_with("settings.json:5: `Auth` is ignored"), "{warnings:?}");
    let top = parse("{ \"UpstreamSetting\": {} }").warnings;
    assert!(top[0].ends_with("did you mean `UpstreamSettings`?"), "{top:?}");
}

#[test]
fn errors_contain_file_line_and_the_expected_value() {
    let url = error(&with_template("\"UrlTemplate\": \"localhost:7071/api\""));
    assert!(url.starts_with("settings.json:4:"), "{url}");
    assert!(url.contains("must be an absolute URL such as http://"), "{url}");

    let pattern = error(&with_template("\"UrlTemplate\": \"http://a/\",\n\"HubPattern\": 5"));
    assert!(pattern.starts_with("settings.json:5:"), "{pattern}");
    assert!(
        pattern.ends_with("expected a pattern: \"*\", a name, or a comma-separated list of names")
    );

    let wildcard = error(&with_template("\"HubPattern\": \"ch*\""));
    assert!(wildcard.contains("unsupported pattern \"ch*\": use \"*\""), "{wildcard}");

    let missing = error(&with_template("\"HubPattern\": \"*\""));
    assert!(missing.contains("a template requires a `UrlTemplate` such as"), "{missing}");

    let list = error("{ \"UpstreamSettings\": [] }");
    assert!(list.contains("expected the upstream settings, an object with the keys Templates"));

    let syntax = error("{\n \"a\": 1\n \"b\": 2 }");
    assert_eq!(syntax, "settings.json:3:2: expected `,` or `}`");
}

#[test]
fn errors_do_not_show_the_key_of_a_url() {
    let text = with_template("\"UrlTemplate\": \"ftp://a/?code=secret\"");
    assert!(!error(&text).contains("secret"));
}

#[cfg(unix)]
#[test]
fn a_file_without_an_end_is_refused() {
    let error = Settings::read(Path::new("/dev/zero")).unwrap_err();

    assert_eq!(error.to_string(), "/dev/zero: cannot read the settings");
    let source = Error::source(&error).unwrap().to_string();
    assert_eq!(source, "the file has more than 1048576 bytes");
}

#[test]
fn the_error_names_a_missing_file() {
    let error = Settings::read(Path::new("/does/not/exist.json")).unwrap_err();
    assert_eq!(error.to_string(), "/does/not/exist.json: cannot read the settings");
}
