//! No module imports one that imports it, directly or through others.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// Every file below `folder` as the path of its module, with its text but for unit tests.
fn modules(folder: &Path, path: &[String], found: &mut BTreeMap<Vec<String>, String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap().path();
        let name = entry.file_stem().unwrap().to_str().unwrap().to_owned();
        let below = [path, std::slice::from_ref(&name)].concat();
        if entry.is_dir() {
            modules(&entry, &below, found);
        } else {
            let text = fs::read_to_string(&entry).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap().to_owned();
            found.insert(if name == "mod" { path.to_vec() } else { below }, code);
        }
    }
}

/// The paths of `a::{b, c::{d, e}}`.
fn paths(tree: &str, before: &[String], found: &mut Vec<Vec<String>>) {
    let (head, group) =
        tree.split_once('{').map_or((tree, None), |(head, rest)| (head, rest.strip_suffix('}')));
    let head = head.split("::").map(str::trim).filter(|name| !name.is_empty() && *name != "self");
    let path: Vec<String> = before.iter().cloned().chain(head.map(str::to_owned)).collect();
    let Some(group) = group else { return found.push(path) };
    let (mut depth, mut start) = (0, 0);
    for (at, letter) in group.char_indices().chain([(group.len(), ',')]) {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                paths(group[start..at].trim(), &path, found);
                start = at + 1;
            }
            _ => {}
        }
    }
}

#[test]
fn imports_go_one_way() {
    let mut files = BTreeMap::new();
    modules(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &[], &mut files);
    files.remove(&vec!["lib".to_owned()]);
    let mut imports: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (module, code) in &files {
        let mut used = Vec::new();
        for statement in code.split(';') {
            let Some(tree) = statement.rsplit("use ").next().filter(|_| statement.contains("use ")) else {
                continue;
            };
            if let Some(tree) = tree.strip_prefix("crate::") {
                paths(tree, &[], &mut used);
            } else if let Some(tree) = tree.strip_prefix("super::") {
                paths(tree, &module[..module.len() - 1], &mut used);
            } else if let Some(tree) = tree.strip_prefix("self::") {
                paths(tree, module, &mut used);
            }
        }
        let of = |path: Vec<String>| {
            (1..=path.len())
                .rev()
                .find_map(|length| files.get_key_value(&path[..length]))
                .map(|(name, _)| name)
        };
        let others = used.into_iter().filter_map(of).filter(|used| *used != module);
        imports.insert(module.join("::"), others.map(|used| used.join("::")).collect());
    }
    assert!(imports.values().map(BTreeSet::len).sum::<usize>() > 100, "imports are found");
    // Modules that import none that is left, or are imported by none, are taken away until only circles are left.
    loop {
        let imported: BTreeSet<_> = imports.values().flatten().cloned().collect();
        let before = imports.len();
        imports.retain(|module, _| imported.contains(module));
        let left: BTreeSet<_> = imports.keys().cloned().collect();
        imports.values_mut().for_each(|used| used.retain(|module| left.contains(module)));
        imports.retain(|_, used| !used.is_empty());
        if imports.len() == before {
            break;
        }
    }
    assert!(imports.is_empty(), "{imports:#?}");
}
