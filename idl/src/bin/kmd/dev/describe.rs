//! What the page has to know of a module.

use crate::module_file::ModuleFile;
use crate::{Failure, inputs};
use rivero_idl::{Class, ComplexType, Descriptor, Model, Param, Type};
use serde_json::{Value, json};
use std::path::Path;

/// Classes whose members every element has.
const COMMON: [&str; 3] = ["MediaObject", "MediaElement", "Hub"];

/// Name, and the classes with their parameters, properties and events. `into`: where the server finds it.
pub(super) fn describe(
    library: &Path,
    dependencies: &[Descriptor],
    into: &Path,
) -> Result<Value, Failure> {
    let manifest = ModuleFile::read(library)?.manifest.unwrap_or_default();
    let own = manifest.descriptor.as_ref();
    let own = own.map(|own| Descriptor::parse(&manifest.name, &own.to_string()));
    let mut all = dependencies.to_vec();
    all.extend(own.transpose()?);
    let model = Model::new(inputs::with_standard(all)?)?;
    let classes = manifest.classes.iter().filter_map(|name| model.class(name));
    let classes: Vec<Value> = classes
        .filter(|class| class.is_a("MediaElement") || class.is_a("Hub"))
        .map(|class| described(&model, class))
        .collect();
    let file = into.join(format!("{}.so", manifest.name));
    Ok(
        json!({ "name": manifest.name, "version": manifest.version, "file": file, "classes": classes }),
    )
}

fn described(model: &Model, class: &Class) -> Value {
    let is_common = |declared_by: &str| {
        let name = declared_by.rsplit('.').next().unwrap_or_default();
        COMMON.contains(&name)
    };
    let parameters = class.constructor.iter();
    let parameters: Vec<Value> = parameters
        .filter(|parameter| parameter.name != "mediaPipeline")
        .map(|parameter| described_parameter(model, parameter))
        .collect();
    let properties = class.properties().iter();
    let properties: Vec<Value> = properties
        .filter(|property| !is_common(&property.declared_by))
        .map(|property| {
            json!({
                "name": property.name,
                "doc": property.doc,
                "isWritable": property.is_writable(),
                "default": property.default,
                "type": described_type(model, &property.ty),
            })
        })
        .collect();
    let events = class.events().iter();
    let events: Vec<String> = events
        .filter(|event| !is_common(&event.declared_by))
        .map(|event| event.event.name.name().to_owned())
        .collect();
    json!({
        "name": class.qualified_name().to_string(),
        "doc": class.doc,
        "isHub": class.is_a("Hub"),
        "parameters": parameters,
        "properties": properties,
        "events": events,
    })
}

fn described_parameter(model: &Model, parameter: &Param) -> Value {
    json!({
        "name": parameter.name,
        "doc": parameter.doc,
        "isOptional": parameter.optional,
        "default": parameter.default,
        "type": described_type(model, &parameter.ty),
    })
}

/// Its name, and what it may be where that is a list of words.
fn described_type(model: &Model, ty: &Type) -> Value {
    let values = match ty {
        Type::Complex(name) => match model.complex_type(name).map(|found| &**found) {
            Some(ComplexType::Enum(enumeration)) => Some(&enumeration.values),
            _ => None,
        },
        _ => None,
    };
    json!({ "name": ty.to_string(), "values": values })
}
