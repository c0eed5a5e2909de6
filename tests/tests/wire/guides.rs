//! Everything that the deploy guides and the recipes name exists.

use std::{fs, path::PathBuf};

fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The commands of a guide, with continued lines joined.
fn commands(guide: &str) -> Vec<String> {
    let text = read(guide).replace("\\\n", " ");
    let blocks = text.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    blocks.flat_map(str::lines).map(|line| line.trim().to_owned()).collect()
}

#[test]
fn variables_are_set_before_they_are_used() {
    let steps = ["examples/functions/azure/steps.md", "hub-runtime/src/deploy/container_app.md"];
    for guide in ["docs/azure.md", "docs/aws.md"].into_iter().chain(steps) {
        let mut set = vec!["provider".to_owned()];
        for command in commands(guide) {
            for used in command.split('$').skip(1) {
                let name: String = used
                    .trim_start_matches('{')
                    .chars()
                    .take_while(char::is_ascii_lowercase)
                    .collect();
                assert!(name.is_empty() || set.contains(&name), "{guide}: ${name} in `{command}`");
            }
            if let Some((name, _)) = command.split_once('=')
                && name.chars().all(|c| c.is_ascii_lowercase())
            {
                set.push(name.to_owned());
            }
        }
    }
}

#[test]
fn the_commands_pass_the_parameters_of_the_templates() {
    let commands = commands("docs/azure.md");
    for (folder, template, required, deployments) in [
        ("azure", "examples/functions/azure/main.bicep", &["name", "claimsKey"][..], 2),
        (
            "container-apps",
            "hub-runtime/src/deploy/container_app.bicep",
            &["name", "claimsKey", "upstreamCode"],
            3,
        ),
    ] {
        let template = read(template);
        let file = format!("--template-file deploy/{folder}/main.bicep --parameters ");
        let given: Vec<_> =
            commands.iter().filter_map(|line| Some(line.split_once(&file)?.1)).collect();

        assert_eq!(given.len(), deployments);
        for parameters in given {
            let pairs = parameters.split(' ').filter_map(|pair| pair.split_once('='));
            let names: Vec<_> = pairs.map(|(name, _)| name).collect();
            assert!(required.iter().all(|name| names.contains(name)), "{parameters}");
            for name in names {
                assert!(template.contains(&format!("\nparam {name} ")), "{name}");
            }
        }
    }
}

#[test]
fn files_and_features_in_the_guides_exist() {
    let manifest = read("hub-runtime/Cargo.toml");
    let commands: Vec<_> =
        ["docs/azure.md", "docs/aws.md"].into_iter().flat_map(commands).collect();
    let after = |mark: &str| -> Vec<String> {
        let rest = commands.iter().filter_map(|command| Some(command.split_once(mark)?.1));
        rest.map(|rest| rest.split(' ').next().unwrap().to_owned()).collect()
    };

    for file in after("--file ") {
        assert!(root().join(&file).exists(), "{file}");
    }
    for package in after("--package ") {
        assert!(root().join("examples").join(&package).exists(), "{package}");
    }
    for feature in after("--features hub-runtime/") {
        assert!(manifest.contains(&format!("\n{feature} = [")), "{feature}");
    }
    let (chat, image) = (read("examples/chat/Cargo.toml"), read("examples/chat/Dockerfile"));
    for feature in after("--build-arg FEATURES=") {
        assert!(chat.contains(&format!("\n{feature} = [")), "{feature}");
        assert!(image.contains("--features \"$FEATURES\""), "{image}");
    }
    let named = ["--file ", "--features hub-runtime/", "--build-arg FEATURES="];
    assert_eq!(named.map(|mark| after(mark).len()), [1, 2, 1]);
}

#[test]
fn files_in_the_recipes_exist() {
    let text = read("CONTRIBUTING.md");
    let (_, recipes) = text.split_once("## Recipes").unwrap();
    let spans = recipes.split('`').skip(1).step_by(2);
    let is_path = |span: &&str| span.contains('/') && !span.contains(' ');
    let paths: Vec<_> = spans.filter(is_path).collect();

    let missing: Vec<_> = paths.iter().filter(|path| !root().join(path).exists()).collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert!(paths.len() > 30, "only {} paths", paths.len());
}

#[test]
fn every_setting_of_the_command_is_on_a_page() {
    use hub_core::setting_names::{COMMAND, LOAD};
    let pages = ["docs/reference/commands.md", "hub-local/README.md", "packages/npm/README.md"];
    let commands = pages.map(read).concat();

    let of_commands = COMMAND.iter().chain(&LOAD);
    let missing: Vec<_> =
        of_commands.filter(|name| !commands.contains(&format!("`{name}`"))).collect();
    assert!(missing.is_empty(), "none of {pages:?} names {missing:?}");
}
