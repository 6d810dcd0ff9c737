//! `loggia workspace`.

use serde_json::{Value, json};

use super::serve;
use crate::server::{folder, workspace_resource};

#[test]
fn workspaces_are_added_listed_and_removed() {
    let folder = folder();
    let server = serve(folder.path());
    let list = || -> Value {
        let done = server.run(&["workspace", "list", "--format", "json"]).ok();
        serde_json::from_str(&done.stdout).expect("a list in JSON")
    };
    let both = list();
    let names: Vec<&Value> = both
        .as_array()
        .expect("a list")
        .iter()
        .map(|w| &w["name"])
        .collect();
    assert_eq!(names, ["one", "two"]);
    assert_eq!(both[0]["resource_id"], workspace_resource("one"));
    let id = both[0]["id"].as_str().expect("a GUID");
    assert!(uuid_like(id), "{id}");
    assert_eq!(both[0].as_object().map(serde_json::Map::len), Some(3));
    let table = server.run(&["workspace", "list"]).ok().stdout;
    assert!(table.starts_with("name") && table.contains(id), "{table}");

    let count = || server.ask("AmlComputeJobEvent | count")[0]["Count"].clone();
    let removed = server.run(&["workspace", "remove", id]).ok();
    assert_eq!(
        removed.stdout,
        format!("removed {}\n", workspace_resource("one"))
    );
    assert_eq!(list().as_array().map(Vec::len), Some(1));
    assert_eq!(count(), 1);
    // Its logs stayed, and its GUID is the same.
    assert_eq!(server.add_workspace("one"), id);
    assert_eq!(count(), 3);
    server
        .run(&["workspace", "remove", "--delete-logs", "one"])
        .ok();
    server.add_workspace("one");
    assert_eq!(count(), 1);

    let unknown = server.run(&["workspace", "remove", "three"]).fails(1);
    assert!(unknown.stderr.contains("`three`"), "{}", unknown.stderr);
    let wrong = server.run(&["workspace", "add", "three"]).fails(1);
    assert!(
        wrong.stderr.contains("`three` is no resource id"),
        "{}",
        wrong.stderr
    );
    let done = server.run(&["workspace", "add", &workspace_resource("one")]);
    assert_eq!(list().as_array().map(Vec::len), Some(2), "{}", done.stderr);
}

fn uuid_like(text: &str) -> bool {
    let lengths: Vec<usize> = text.split('-').map(str::len).collect();
    lengths == [8, 4, 4, 4, 12]
}

#[test]
fn log_workspaces_are_made_listed_and_dissolved() {
    let folder = folder();
    let server = serve(folder.path());
    let groups = || -> Vec<(Value, usize)> {
        let done = server
            .run(&["workspace", "groups", "--format", "json"])
            .ok();
        let groups: Value = serde_json::from_str(&done.stdout).expect("a list in JSON");
        let groups = groups.as_array().expect("a list").iter().map(|group| {
            let members = group["members"].as_array().map_or(0, Vec::len);
            (group["name"].clone(), members)
        });
        groups.collect()
    };
    assert_eq!(groups(), [(json!("default"), 2)]);
    let made = server.run(&["workspace", "group", "north", "one"]).ok();
    assert!(
        made.stdout.ends_with(" north holds 1 workspaces\n"),
        "{}",
        made.stdout
    );
    server
        .run(&["workspace", "group", "north", "one", "two"])
        .ok();
    assert_eq!(groups(), [(json!("default"), 2), (json!("north"), 2)]);
    let table = server.run(&["workspace", "groups"]).ok().stdout;
    assert!(table.contains("north"), "{table}");
    let unknown = server
        .run(&["workspace", "group", "north", "three"])
        .fails(1);
    assert!(unknown.stderr.contains("`three`"), "{}", unknown.stderr);
    assert_eq!(groups()[1].1, 2);
    server.run(&["workspace", "ungroup", "north"]).ok();
    assert_eq!(groups(), [(json!("default"), 2)]);
    server.run(&["workspace", "ungroup", "north"]).fails(1);
    for change in [&["ungroup", "default"][..], &["group", "default", "one"]] {
        let done = server.run(&[&["workspace"], change].concat()).fails(1);
        assert!(
            done.stderr.contains("`default` holds all"),
            "{}",
            done.stderr
        );
    }
}
