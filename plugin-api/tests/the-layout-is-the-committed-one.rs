//! What crosses the boundary is laid out as `abi-layout.txt` has it. Whoever changes that, on purpose, changes the
//! version of the ABI with it: a new minor for a function or a field behind the last of a prefix, a new major for all
//! else. Until 2.0 is frozen it changes in place. `RIVERO_UPDATE_LAYOUT=1` writes the file anew.

use std::{
    collections::{BTreeMap, HashSet},
    fmt::Write,
    fs,
    path::Path,
};

use abi_stable::{
    StableAbi, abi_stability::abi_checking::check_layout_compatibility, type_layout::TypeLayout,
};
use rivero_plugin_api::abi::{ABI_MAJOR, ABI_MINOR, packet::Packet, traits::RootRef};

/// All types that are reached from one, by their names; those of other crates without what is in them.
fn types(root: &'static TypeLayout) -> BTreeMap<String, String> {
    let mut described = BTreeMap::new();
    let (mut seen, mut waiting) = (HashSet::new(), vec![root]);
    while let Some(layout) = waiting.pop() {
        if !seen.insert(layout.get_utypeid()) {
            continue;
        }
        let nested = layout.shared_vars().type_layouts().iter();
        waiting.extend(nested.map(|nested| nested()));
        let name = layout.name();
        // Tables of functions, all of one name, are what the traits say; interfaces are empty.
        let is_of_a_trait = name == "VTable" || name.ends_with("_Interface");
        if layout.package().as_str() == "rivero-plugin-api" && !is_of_a_trait {
            described.insert(layout.full_type().to_string(), description(layout));
        }
    }
    described
}

fn description(layout: &'static TypeLayout) -> String {
    let mut text = String::new();
    let (size, alignment) = (layout.size(), layout.alignment());
    let _ = writeln!(
        text,
        "{} ({size} bytes, aligned to {alignment})",
        layout.full_type()
    );
    for field in layout
        .get_fields()
        .into_iter()
        .flat_map(|fields| fields.iter())
    {
        let given = field.layout();
        let (name, ty, size) = (field.name(), given.full_type(), given.size());
        let _ = writeln!(text, "    {name}: {ty} ({size})");
        for function in field.function_range().iter() {
            let signature = function.to_string();
            let signature: Vec<&str> = signature.split_whitespace().collect();
            let _ = writeln!(text, "        {}", signature.join(" "));
        }
    }
    text
}

/// The traits as they are declared: tables of functions are opaque to the layouts of abi_stable.
fn traits() -> String {
    let source = include_str!("../src/abi/traits.rs");
    let begin = source.find("#[sabi_trait]").unwrap_or_default();
    let lines = source.split_at(begin).1.lines();
    let lines = lines.filter(|line| !line.trim_start().starts_with("//") && !line.is_empty());
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn the_layout_is_the_committed_one() {
    let mut types = types(RootRef::LAYOUT);
    assert!(types.len() > 30, "{:?}", types.keys());
    types.extend(self::types(Packet::LAYOUT));
    let mut text = format!("ABI {ABI_MAJOR}.{ABI_MINOR}\n");
    for description in types.values() {
        text.push('\n');
        text.push_str(description);
    }
    text.push('\n');
    text.push_str(&traits());
    text.push('\n');
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("abi-layout.txt");
    if std::env::var_os("RIVERO_UPDATE_LAYOUT").is_some() {
        fs::write(&file, &text).unwrap();
    }
    let committed = fs::read_to_string(&file).unwrap_or_default();
    let differs = { text.lines().zip(committed.lines()) }.find(|(now, then)| now != then);
    assert!(
        text == committed,
        "the boundary is laid out differently now, first in {differs:?}: see the head of this test"
    );
}

#[test]
fn the_layout_is_compatible_with_itself() {
    check_layout_compatibility(RootRef::LAYOUT, RootRef::LAYOUT).unwrap();
}
