//! The options of the inspector.

use clap::{Args, ValueEnum};
use hub_core::{Secret, secret_rule::Reach};
use hub_local::Inspector;
use hub_net::host;

use super::{Failure, values};

/// Whether something is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Switch {
    On,
    Off,
}

/// Options of the inspector.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Inspector")]
pub(super) struct InspectorArgs {
    /// Show calls, upstream requests, responses and messages on a page of the service [default: on, if the
    /// service is only on loopback and has no --url]
    #[arg(long, value_name = "on|off", env = "HUB_LOCAL_INSPECTOR", num_args = 0..=1, default_missing_value = "on", ignore_case = true)]
    inspector: Option<Switch>,
    /// Token of the page, at least 16 letters and digits: required beyond loopback [default: random at each start]
    #[arg(long, value_name = "TOKEN", env = "HUB_LOCAL_INSPECTOR_TOKEN", hide_env_values = true, value_parser = values::secret)]
    inspector_token: Option<Secret>,
    /// With `off`, the inspector keeps only sizes and types of arguments, bodies and results
    #[arg(
        long,
        value_name = "on|off",
        env = "HUB_LOCAL_INSPECTOR_PAYLOADS",
        default_value = "on",
        ignore_case = true
    )]
    inspector_payloads: Switch,
    /// Fields whose values the inspector hides, in a comma-separated list
    #[arg(long, value_name = "NAMES", env = "HUB_LOCAL_INSPECTOR_MASK", value_delimiter = ',')]
    inspector_mask: Vec<String>,
}

impl InspectorArgs {
    /// The settings of the inspector; `None` if it is off. `reach` is that of the listener, `url` the value of `--url`.
    pub(super) fn settings(
        &self,
        reach: Reach,
        url: Option<&str>,
    ) -> Result<Option<Inspector>, Failure> {
        let has_public_url = url.is_some();
        let is_beyond = reach == Reach::Beyond
            || url.is_some_and(|url| !host::of_url(url).is_some_and(host::is_loopback));
        if let Some(problem) =
            self.inspector_token.as_ref().and_then(|it| Inspector::token_problem(it.expose()))
        {
            return Err(Failure::Usage(format!("the token of `--inspector-token` {problem}")));
        }
        match self.inspector {
            Some(Switch::Off) => return Ok(None),
            None if is_beyond || has_public_url => return Ok(None),
            Some(Switch::On) if is_beyond && self.inspector_token.is_none() => {
                return Err(Failure::Usage(
                    "`--inspector` needs `--inspector-token` here, because `--ip` or `--url` allows access from other machines".to_owned(),
                ));
            }
            Some(Switch::On) | None => {}
        }
        let settings = self.hidden();
        Ok(Some(match self.inspector_token.clone() {
            Some(token) => settings.token(token),
            None => settings,
        }))
    }

    /// What is hidden in recordings, without a page.
    pub(super) fn without_page(&self) -> Inspector {
        self.hidden().without_page()
    }

    fn hidden(&self) -> Inspector {
        let names = self.inspector_mask.iter().map(|name| name.trim());
        Inspector::new()
            .payloads(self.inspector_payloads == Switch::On)
            .mask(names.map(str::to_owned))
    }

    /// Whether the operator has given the token. It is not printed then.
    pub(super) fn has_token(&self) -> bool {
        self.inspector_token.is_some()
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::{super::without_variables::parse, *};

    const TOKEN: &str = "0123456789abcdef";

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        inspector: InspectorArgs,
    }

    fn is_on(line: &[&str], reach: Reach, url: Option<&str>) -> Result<bool, Failure> {
        let line = parse::<Line>(line).unwrap();
        line.inspector.settings(reach, url).map(|settings| settings.is_some())
    }

    #[test]
    fn the_inspector_is_on_only_on_loopback_without_a_public_url() {
        let (here, beyond) = (Reach::Loopback, Reach::Beyond);

        assert!(is_on(&[], here, None).unwrap());
        for (reach, url) in [(here, Some("http://localhost:1")), (beyond, None)] {
            assert!(!is_on(&[], reach, url).unwrap());
        }
        assert!(!is_on(&["--inspector", "off"], here, None).unwrap());
        assert!(is_on(&["--inspector"], here, Some("http://localhost:1")).unwrap());
    }

    #[test]
    fn beyond_loopback_the_inspector_needs_a_token() {
        for (reach, url) in [(Reach::Beyond, None), (Reach::Loopback, Some("https://live.example"))]
        {
            let Err(Failure::Usage(text)) = is_on(&["--inspector"], reach, url) else {
                panic!("accepted")
            };
            assert!(text.contains("--inspector-token"), "{text}");
            let given = ["--inspector", "--inspector-token", TOKEN];
            assert!(is_on(&given, reach, url).unwrap());
        }
        let short = is_on(&["--inspector-token", "short"], Reach::Loopback, None);
        assert!(matches!(short, Err(Failure::Usage(text)) if !text.contains("short")));
    }
}
