//! Layered settings: flags go before the environment, the environment before the TOML file, the file before defaults.
//!
//! A service has one struct of settings (`Serialize`, `Deserialize`, `Default`, `#[serde(default)]`) and one of flags
//! whose optional fields have the same names; flags that are no settings carry `#[serde(skip)]`. The setting
//! `vote_timeout_ms` is `--vote-timeout-ms`, `CONCORDANCE_VOTE_TIMEOUT_MS`, and `vote_timeout_ms` in the file. Lists are
//! separated by commas in the environment. Read once, in `main`, and passed on as values.
//!
//! Every value is tried alone on top of the defaults, which is how an error can say what it came from. Keys of the file
//! are checked here, so settings need no `deny_unknown_fields` (which does not go together with `flatten`). Variables
//! of the environment that are no setting of this service are left alone: others share the prefix.

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// What the names of environment variables begin with.
pub const ENVIRONMENT_PREFIX: &str = "CONCORDANCE_";

/// Gives the settings that flags, environment, file and defaults come to.
///
/// # Errors
/// If the file cannot be read or has an unknown key, or a value does not fit; the error names the key and its source.
pub fn load<Settings>(flags: &impl Serialize, file: Option<&Path>) -> Result<Settings, ConfigError>
where
    Settings: Serialize + DeserializeOwned + Default,
{
    load_with(flags, file, |name| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned()))
}

fn load_with<Settings>(
    flags: &impl Serialize,
    file: Option<&Path>,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Settings, ConfigError>
where
    Settings: Serialize + DeserializeOwned + Default,
{
    let defaults = table(&Settings::default())?;
    let mut layers = defaults.clone();
    let mut lay = |key: String, readings: Vec<Value>, source_name: Source| {
        if !defaults.contains_key(&key) {
            return Err(ConfigError::UnknownKey { key, source_name });
        }
        match fitting::<Settings>(&defaults, &key, readings) {
            Ok(value) => layers.insert(key, value),
            Err(problem) => {
                return Err(ConfigError::Unfit { key, source_name, problem });
            }
        };
        Ok(())
    };

    if let Some(path) = file {
        for (key, value) in read(path)? {
            lay(key, vec![value], Source::File { path: path.to_owned() })?;
        }
    }
    for (key, default) in &defaults {
        let name = format!("{ENVIRONMENT_PREFIX}{}", key.to_uppercase());
        // An empty variable counts as absent: scripts clear one by setting it empty.
        if let Some(text) = variable(&name).filter(|text| !text.is_empty()) {
            lay(key.clone(), readings(text, default), Source::Environment { name })?;
        }
    }
    for (key, value) in table(flags)?.into_iter().filter(|(_, value)| !value.is_null()) {
        let flag = format!("--{}", key.replace('_', "-"));
        lay(key, vec![value], Source::Flag { flag })?;
    }
    deserialize(layers).map_err(|problem| ConfigError::Together { problem: problem.to_string() })
}

/// The value in the first of the readings under which the settings take it.
fn fitting<Settings: DeserializeOwned>(
    defaults: &Map<String, Value>,
    key: &str,
    readings: Vec<Value>,
) -> Result<Value, String> {
    let mut problem = String::new();
    for reading in readings {
        let mut table = defaults.clone();
        table.insert(key.to_owned(), reading.clone());
        match deserialize::<Settings>(table) {
            Ok(_) => return Ok(reading),
            // The last reading is the plainest one, and its problem the one that a person understands.
            Err(error) => problem = error.to_string(),
        }
    }
    Err(problem)
}

/// What a variable of the environment may mean: a number, a truth value, a list, or just its text. The default tells
/// which of them to try first.
fn readings(text: String, default: &Value) -> Vec<Value> {
    let mut readings = Vec::new();
    if default.is_array() {
        let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
        readings.push(items.collect());
    }
    readings.extend(text.parse::<i64>().map(Value::from));
    readings.extend(text.parse::<u64>().map(Value::from));
    readings.extend(text.parse::<f64>().map(Value::from));
    readings.extend(text.parse::<bool>().map(Value::from));
    // Text is text where the settings want text, even if it looks like a number.
    let text_first = default.is_string() || default.is_null();
    readings.insert(if text_first { 0 } else { readings.len() }, text.into());
    readings
}

fn deserialize<T: DeserializeOwned>(table: Map<String, Value>) -> Result<T, serde_json::Error> {
    serde_json::from_value(Value::Object(table))
}

/// The fields of a struct by name.
fn table(values: &impl Serialize) -> Result<Map<String, Value>, ConfigError> {
    let together = |problem: String| ConfigError::Together { problem };
    match serde_json::to_value(values).map_err(|error| together(error.to_string()))? {
        Value::Object(fields) => Ok(fields),
        other => Err(together(format!("settings are a struct with named fields, not {other}"))),
    }
}

fn read(path: &Path) -> Result<Map<String, Value>, ConfigError> {
    let unreadable = |problem: String| ConfigError::File { path: path.to_owned(), problem };
    let text = std::fs::read_to_string(path).map_err(|error| unreadable(error.to_string()))?;
    toml::from_str(&text).map_err(|error| unreadable(error.to_string().trim_end().to_owned()))
}

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Source {
    /// The command line.
    #[error("the flag {flag}")]
    Flag {
        /// As it is written, with hyphens.
        flag: String,
    },
    /// The environment.
    #[error("the environment variable {name}")]
    Environment {
        /// The variable.
        name: String,
    },
    /// The settings file.
    #[error("the file {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
    },
}

/// Why there are no settings.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The settings file cannot be read or is not TOML.
    #[error("cannot read the settings file {}: {problem}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A source names a setting that this service does not have.
    #[error("there is no setting `{key}` (from {source_name}); see --help for those there are")]
    UnknownKey {
        /// What it is called there.
        key: String,
        /// Where it stands.
        source_name: Source,
    },
    /// A value has the wrong type or form.
    #[error("the setting `{key}` (from {source_name}) does not fit: {problem}")]
    Unfit {
        /// The setting.
        key: String,
        /// Where its value stands.
        source_name: Source,
        /// What was expected.
        problem: String,
    },
    /// Values that fit one by one do not fit together.
    #[error("the settings do not fit together: {problem}")]
    Together {
        /// What was expected.
        problem: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use std::collections::HashMap;
    use std::net::SocketAddr;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(default)]
    struct Settings {
        vote_timeout_ms: u64,
        members: Vec<String>,
        title: String,
        lab: bool,
        ratio: f64,
        listen: SocketAddr,
        id: Option<String>,
        limit: Option<u32>,
        #[serde(flatten)]
        inner: Inner,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(default)]
    struct Inner {
        heartbeat_ms: u64,
        policy: Policy,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Policy {
        All,
        Majority,
    }

    impl Default for Inner {
        fn default() -> Self {
            Inner { heartbeat_ms: 500, policy: Policy::All }
        }
    }

    impl Default for Settings {
        fn default() -> Self {
            Settings {
                vote_timeout_ms: 1,
                members: Vec::new(),
                title: "catalogue".to_owned(),
                lab: false,
                ratio: 0.5,
                listen: "127.0.0.1:7410".parse().unwrap(),
                id: None,
                limit: None,
                inner: Inner::default(),
            }
        }
    }

    #[derive(Default, Serialize)]
    struct Flags {
        vote_timeout_ms: Option<u64>,
        members: Option<Vec<String>>,
        heartbeat_ms: Option<u64>,
        lab: Option<bool>,
    }

    fn load(flags: &Flags, toml: Option<&str>, environment: &[(&str, &str)]) -> Result<Settings, ConfigError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("settings.toml");
        if let Some(toml) = toml {
            std::fs::write(&path, toml).unwrap();
        }
        let environment: HashMap<_, _> = environment.iter().copied().collect();
        load_with(flags, toml.map(|_| path.as_path()), |name| environment.get(name).map(|&value| value.to_owned()))
    }

    #[test]
    fn nothing_given_is_the_defaults() {
        assert_eq!(load(&Flags::default(), None, &[]).unwrap(), Settings::default());
    }

    #[test]
    fn flags_go_before_environment_before_file_before_defaults() {
        let file = "vote_timeout_ms = 2\nheartbeat_ms = 2\ntitle = 'from the file'\n";
        let environment = [("CONCORDANCE_VOTE_TIMEOUT_MS", "3"), ("CONCORDANCE_HEARTBEAT_MS", "3")];
        let flags = Flags { vote_timeout_ms: Some(4), ..Flags::default() };
        let settings = load(&flags, Some(file), &environment).unwrap();
        assert_eq!(settings.vote_timeout_ms, 4);
        assert_eq!(settings.inner.heartbeat_ms, 3);
        assert_eq!(settings.title, "from the file");
        assert_eq!(settings.ratio, 0.5);
    }

    #[test]
    fn environment_carries_every_type() {
        let environment = [
            ("CONCORDANCE_MEMBERS", "replicator-1, replicator-2"),
            ("CONCORDANCE_TITLE", "007"),
            ("CONCORDANCE_LAB", "true"),
            ("CONCORDANCE_RATIO", "2"),
            ("CONCORDANCE_LISTEN", "127.0.0.1:0"),
            ("CONCORDANCE_ID", "12"),
            ("CONCORDANCE_LIMIT", "12"),
            ("CONCORDANCE_HEARTBEAT_MS", "77"),
            ("CONCORDANCE_POLICY", "majority"),
        ];
        let settings = load(&Flags::default(), None, &environment).unwrap();
        assert_eq!(
            settings,
            Settings {
                vote_timeout_ms: 1,
                members: vec!["replicator-1".to_owned(), "replicator-2".to_owned()],
                title: "007".to_owned(),
                lab: true,
                ratio: 2.0,
                listen: "127.0.0.1:0".parse().unwrap(),
                id: Some("12".to_owned()),
                limit: Some(12),
                inner: Inner { heartbeat_ms: 77, policy: Policy::Majority },
            }
        );
    }

    #[test]
    fn variables_of_other_services_and_empty_ones_are_left_alone() {
        let environment = [("CONCORDANCE_SERVER", "http://elsewhere"), ("CONCORDANCE_LAB", "")];
        assert_eq!(load(&Flags::default(), None, &environment).unwrap(), Settings::default());
    }

    #[test]
    fn unknown_key_is_refused_naming_key_and_file() {
        let message = load(&Flags::default(), Some("vote_timeout = 2"), &[]).unwrap_err().to_string();
        assert!(message.contains("`vote_timeout`") && message.contains("settings.toml"), "{message}");
    }

    #[test]
    fn value_that_does_not_fit_is_refused_naming_key_and_source() {
        let variable = [("CONCORDANCE_HEARTBEAT_MS", "soon")];
        let message = load(&Flags::default(), None, &variable).unwrap_err().to_string();
        assert!(message.contains("CONCORDANCE_HEARTBEAT_MS") && message.contains("soon"), "{message}");
        for bad in ["vote_timeout_ms = 2.5", "vote_timeout_ms = '2'", "lab = 1", "policy = 'some'"] {
            let message = load(&Flags::default(), Some(bad), &[]).unwrap_err().to_string();
            assert!(message.contains("settings.toml"), "{message}");
        }
        let message = load(&Flags::default(), Some("lab = [1]"), &[]).unwrap_err().to_string();
        assert!(message.contains("`lab`") && message.contains("settings.toml"), "{message}");
        let message = load(&Flags::default(), None, &[("CONCORDANCE_VOTE_TIMEOUT_MS", "-1")]).unwrap_err().to_string();
        assert!(message.contains("CONCORDANCE_VOTE_TIMEOUT_MS"), "{message}");
    }

    #[test]
    fn file_that_is_missing_or_no_toml_is_named() {
        let missing = load_with::<Settings>(&Flags::default(), Some(Path::new("/nowhere/settings.toml")), |_| None);
        assert!(missing.unwrap_err().to_string().contains("/nowhere/settings.toml"));
        let message = load(&Flags::default(), Some("lab = = true"), &[]).unwrap_err().to_string();
        assert!(message.contains("settings.toml"), "{message}");
    }

    #[test]
    fn flags_carry_lists_and_truth_values() {
        let flags = Flags { members: Some(vec!["a".to_owned()]), lab: Some(true), ..Flags::default() };
        let settings = load(&flags, Some("lab = false\nmembers = ['b', 'c']"), &[]).unwrap();
        assert!(settings.lab);
        assert_eq!(settings.members, ["a"]);
    }
}
