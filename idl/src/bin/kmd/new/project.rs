//! The files of a project.

use super::{fails, kind::Kind, names::ClassName, property::Property, sdk::Place};
use crate::Failure;
use rivero_idl::Descriptor;
use serde_json::{Map, Value, json};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// What a project is made for.
pub(super) struct Project<'a> {
    pub(super) kind: Kind,
    pub(super) class: &'a ClassName,
    pub(super) properties: &'a [Property],
    pub(super) sdk: &'a Place,
    pub(super) opencv: bool,
}

impl Project<'_> {
    /// Writes all files; into an empty directory only, so that nothing is lost.
    pub(super) fn write(&self, directory: &Path) -> Result<(), Failure> {
        let taken = fs::read_dir(directory).is_ok_and(|mut entries| entries.next().is_some());
        if taken || directory.is_file() {
            let directory = directory.display();
            return Err(fails(format!(
                "{directory} is there already: name another one with --output"
            )));
        }
        for (name, text) in self.files()? {
            let path = directory.join(name);
            let parent = path.parent().unwrap_or(directory);
            let unwritable = |error| fails(format!("{}: {error}", path.display()));
            fs::create_dir_all(parent).map_err(unwritable)?;
            fs::write(&path, text).map_err(unwritable)?;
        }
        // Names may be of any length. Where there is no rustfmt the code is none the worse.
        let _ = Command::new("rustfmt")
            .args(["--quiet", "--edition", "2024"])
            .args([directory.join("src/lib.rs"), directory.join("build.rs")])
            .stderr(Stdio::null())
            .status();
        Ok(())
    }

    fn files(&self) -> Result<Vec<(String, String)>, Failure> {
        let mut files = vec![
            (
                "Cargo.toml".to_owned(),
                self.filled(include_str!("templates/Cargo.toml.in")),
            ),
            ("build.rs".to_owned(), self.filled(self.build_script())),
            ("src/lib.rs".to_owned(), self.filled(self.template())),
            (
                "README.md".to_owned(),
                self.filled(include_str!("templates/README.md.in")),
            ),
            (".gitignore".to_owned(), "/target\n".to_owned()),
            (
                ".github/workflows/ci.yml".to_owned(),
                self.filled(include_str!("templates/ci.yml")),
            ),
        ];
        // Cargo takes out of it what this project does not need.
        files.extend(
            self.sdk
                .lock_file()
                .map(|text| ("Cargo.lock".to_owned(), text)),
        );
        if self.opencv {
            let text = include_str!("templates/opencv_config.toml").to_owned();
            files.push((".cargo/config.toml".to_owned(), text));
        }
        if self.kind != Kind::Converter {
            let name = format!("{}.kmd.json", self.class.module);
            // With the members in the order that people know.
            let descriptor = Descriptor::parse(&name, &self.descriptor().to_string())?;
            let text = serde_json::to_string_pretty(&descriptor)?;
            files.push((name, text + "\n"));
        }
        Ok(files)
    }

    fn template(&self) -> &'static str {
        match self.opencv {
            true => include_str!("templates/opencv.rs"),
            false => self.kind.template(),
        }
    }

    fn build_script(&self) -> &'static str {
        match self.kind {
            Kind::Converter => include_str!("templates/build_converter.rs"),
            _ => include_str!("templates/build.rs"),
        }
    }

    fn descriptor(&self) -> Value {
        let ClassName { module, class } = self.class;
        let pipeline = json!({ "name": "mediaPipeline", "type": "MediaPipeline", "doc": "The pipeline that it belongs to." });
        let mut parameters = vec![pipeline];
        parameters.extend(self.properties.iter().map(Property::parameter));
        let mut properties: Vec<Value> = self.properties.iter().map(Property::described).collect();
        if self.kind == Kind::Sink {
            properties.push(json!({ "name": "brightness", "type": "int", "readOnly": true, "doc": "Mean of the latest picture: 16 is black, 235 white." }));
        }
        let mut described = json!({
            "name": class,
            "doc": format!("A class that {}.", self.kind.purpose()),
            "extends": self.kind.extends(),
            "constructor": { "doc": "Creates an object.", "params": parameters },
        });
        if let (Some(members), false) = (described.as_object_mut(), properties.is_empty()) {
            members.insert("properties".to_owned(), properties.into());
        }
        json!({ "name": module, "version": "0.1.0", "kurentoVersion": "^7.0.0", "remoteClasses": [described] })
    }

    /// A template with its places filled in. A line that has nothing but an empty place goes.
    fn filled(&self, template: &str) -> String {
        let ClassName { module, class } = self.class;
        let places = [
            ("@module@", module.clone()),
            ("@class@", class.clone()),
            ("@encoding@", class.to_uppercase()),
            ("@purpose@", self.kind.purpose().to_owned()),
            ("@sdk@", self.sdk.source()),
            ("@opencv_dependency@", self.opencv_dependency()),
            (
                "@in_range@",
                if self.checks().is_empty() {
                    ""
                } else {
                    ", in_range"
                }
                .to_owned(),
            ),
            ("@check@", self.check()),
            ("@parameters@", self.example().to_string()),
            ("@test_of_properties@", self.test_of_properties()),
        ];
        let mut text = String::new();
        for line in template.lines() {
            let mut filled = line.to_owned();
            for (place, value) in &places {
                filled = filled.replace(place, value);
            }
            if !filled.trim().is_empty() || line.trim().is_empty() {
                text += &filled;
                text.push('\n');
            }
        }
        text
    }

    fn opencv_dependency(&self) -> String {
        match self.opencv {
            true => OPENCV.to_owned(),
            false => String::new(),
        }
    }

    /// What `create` needs.
    fn example(&self) -> Value {
        let required = self
            .properties
            .iter()
            .filter(|property| !property.is_optional());
        let members = required.map(|property| (property.name.clone(), property.example()));
        members.collect::<Map<_, _>>().into()
    }

    fn checks(&self) -> Vec<String> {
        self.properties.iter().filter_map(Property::check).collect()
    }

    fn check(&self) -> String {
        let checks = self.checks();
        let Some((last, others)) = checks.split_last() else {
            return String::new();
        };
        let mut text = "\n    fn check(properties: &Self::Properties) -> Result<()> {\n".to_owned();
        for check in others {
            text += &format!("        {check}?;\n");
        }
        text + &format!("        {last}\n    }}")
    }

    fn test_of_properties(&self) -> String {
        if self.properties.is_empty() {
            return String::new();
        }
        let mut text = format!(
            "\n    #[test]\n    fn properties_are_kept_and_checked() -> Result<()> {{\n        \
             let pipeline = rivero_sdk::testing::pipeline!();\n        \
             let object = pipeline.create(class(), json!({}))?;\n",
            self.example()
        );
        for property in self.properties {
            let (name, value) = (&property.name, property.example());
            text += &format!(
                "        assert_eq!(object.get(\"{name}\")?, {value});\n        object.set(\"{name}\", {value})?;\n"
            );
            if let Some(beyond) = property.beyond() {
                let beyond = match beyond.as_i64() {
                    Some(number) => format!("{number}_i64"),
                    None => beyond.to_string(),
                };
                text += &format!("        assert!(object.set(\"{name}\", {beyond}).is_err());\n");
            }
        }
        text + "        Ok(())\n    }"
    }
}

/// The version that Debian 12's OpenCV and clang are known to work with.
const OPENCV: &str = r#"opencv = { version = "0.101", default-features = false, features = ["clang-runtime", "imgproc"] }"#;
