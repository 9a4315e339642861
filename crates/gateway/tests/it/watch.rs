//! A gate that watches its file.

use super::folder::Folder;
use super::gate::{Gate, eventually, portcullis};

fn saying(word: &str) -> String {
    format!(
        "listeners: [127.0.0.1:0]\nadmin: {{bind: '127.0.0.1:0'}}\nroutes:\n  - {{path: /**, to: {{respond: {word}}}}}\n"
    )
}

fn watching(folder: Folder, file: &str) -> Gate {
    let mut command = portcullis();
    command.args(["run", "--watch", file]);
    Gate::spawn(folder, command)
}

#[test]
fn a_change_of_the_file_is_a_reload_and_a_bad_one_is_refused_once() {
    let folder = Folder::new();
    folder.write("portcullis.yaml", saying("one"));
    let gate = watching(folder, "portcullis.yaml");
    gate.rewrite(&saying("two"));
    eventually("the new file", || gate.get("/").text() == "two");
    gate.await_log("the configuration was reloaded by a change of the file");
    gate.rewrite("listeners: nowhere\n");
    gate.await_log("reload by a change of the file refused: ");
    assert_eq!(gate.get("/").text(), "two");
    gate.rewrite(&saying("three"));
    eventually("the mended file", || gate.get("/").text() == "three");
    assert!((gate.metric("portcullis_config_reloads_refused_total") - 1.0).abs() < f64::EPSILON);
}

/// As Kubernetes changes a ConfigMap: files are links into a folder `..data`, which is a link that is exchanged.
#[test]
fn a_folder_that_is_exchanged_is_a_change() {
    let folder = Folder::new();
    folder.write("..v1/portcullis.yaml", saying("one"));
    folder.write("..v2/portcullis.yaml", saying("two"));
    let link = |to: &str| {
        std::os::unix::fs::symlink(to, folder.path().join("..next")).unwrap();
        std::fs::rename(folder.path().join("..next"), folder.path().join("..data")).unwrap();
    };
    link("..v1");
    std::os::unix::fs::symlink("..data/portcullis.yaml", folder.path().join("portcullis.yaml")).unwrap();
    let path = folder.path().to_owned();
    let gate = watching(folder, "portcullis.yaml");
    assert_eq!(gate.get("/").text(), "one");
    std::os::unix::fs::symlink("..v2", path.join("..next")).unwrap();
    std::fs::rename(path.join("..next"), path.join("..data")).unwrap();
    eventually("the new folder", || gate.get("/").text() == "two");
}
