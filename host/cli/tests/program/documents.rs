//! How the program describes itself: completions, manual pages, and the examples of its help.

use crate::support::{program, scopething, scopething_in};

/// The commands of the help.
async fn commands() -> Vec<String> {
    let help = scopething(&["--help"]).await.done().stdout;
    let listed =
        help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names: Vec<String> =
        listed.filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect();
    assert!(names.len() > 15 && names.iter().any(|name| name == "capture"), "{names:?}");
    names
}

#[tokio::test]
async fn every_shell_gets_all_commands() {
    let commands = commands().await;
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = scopething(&["completions", shell]).await.done().stdout;
        for name in &commands {
            assert!(script.contains(name.as_str()), "{name} for {shell}");
        }
        assert!(script.contains("attenuation"), "{shell}");
    }
    // The values of options too, where they have names.
    let script = scopething(&["completions", "fish"]).await.done().stdout;
    for (option, value) in
        [("input-format", "parquet"), ("format", "svg"), ("type", "falling"), ("window", "hann")]
    {
        let line = script.lines().position(|line| line.contains(&format!("-l {option} ")));
        let values = script.lines().skip(line.unwrap_or_else(|| panic!("no {option}"))).take(12);
        assert!(values.collect::<String>().contains(value), "{value} of {option}");
    }
    let message = scopething(&["completions", "tcsh"]).await.refused(2);
    assert!(message.contains("fish"), "{message}");
}

/// As a user has it: the script is read, and asked for what goes on `scopething cap`.
#[cfg(unix)]
#[tokio::test]
async fn bash_completes_a_command() {
    let directory = tempfile::tempdir().unwrap();
    let script = scopething(&["completions", "bash"]).await.done().stdout;
    std::fs::write(directory.path().join("scopething.bash"), script).unwrap();
    let typed = "source ./scopething.bash; COMP_WORDS=(scopething capture --atten); COMP_CWORD=2; \
        _scopething scopething --atten capture; echo \"${COMPREPLY[@]}\"";
    let bash =
        tokio::process::Command::new("bash").args(["-c", typed]).current_dir(directory.path()).output();
    let output = bash.await.unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "--attenuation\n", "{output:?}");
}

#[tokio::test]
async fn every_command_has_a_manual_page() {
    let directory = tempfile::tempdir().unwrap();
    scopething_in(directory.path(), &["man", "--directory", "man1"]).await.done();
    for name in commands().await.iter().filter(|name| *name != "help") {
        let page =
            std::fs::read_to_string(directory.path().join(format!("man1/scopething-{name}.1"))).unwrap();
        for part in [".TH", ".SH NAME", ".SH SYNOPSIS"] {
            assert!(page.contains(part), "{part} in the page of {name}");
        }
    }
    let page = scopething(&["man"]).await.done().stdout;
    assert!(page.contains(".TH scopething 1") && page.contains("scopething\\-capture(1)"), "{page}");
}

/// The commands of a help's examples: lines that begin with the program's name.
fn examples(help: &str) -> Vec<Vec<String>> {
    let lines = help.lines().filter_map(|line| line.strip_prefix("  scopething "));
    lines
        .filter_map(|line| shlex::split(line.split(" | ").next()?.split(" < ").next()?.split(" > ").next()?))
        .collect()
}

/// Of what needs neither a device nor a file, every example works.
#[tokio::test]
async fn examples_of_the_help_work() {
    let directory = tempfile::tempdir().unwrap();
    let mut done = 0;
    for name in commands().await.iter().filter(|name| *name != "help") {
        let help = scopething(&[name, "--help"]).await.done().stdout;
        for example in examples(&help) {
            let arguments: Vec<&str> = example.iter().map(String::as_str).collect();
            let has = |words: &[&str]| words.iter().any(|word| arguments.contains(word));
            let needs_nothing = has(&["--solve", "--plan"]) && !has(&["--batch"])
                || (arguments[0] == "plan" && !has(&["--batch", "--like"]))
                || (matches!(arguments[0], "capture" | "analyse")
                    && arguments.iter().any(|word| word.starts_with("sim:?A=sine")));
            if needs_nothing {
                scopething_in(directory.path(), &arguments).await.done();
                done += 1;
            }
        }
    }
    assert!(done >= 6, "{done} examples");
}

/// The other examples are at least understood: what follows is a failure to find a device or a file.
#[tokio::test]
async fn examples_of_the_help_are_understood() {
    let directory = tempfile::tempdir().unwrap();
    let mut checked = 0;
    for name in ["capture", "stream", "analyse", "plot", "decode", "open", "info", "hold", "wave", "clock"] {
        let help = scopething(&[name, "--help"]).await.done().stdout;
        for example in examples(&help) {
            if example.iter().any(|word| word == "--batch" || word == "--samples" && name == "wave") {
                continue;
            }
            let mut command = program(&[]);
            // A port that does not exist is the first failure of what is understood.
            command.args(&example).env("SCOPETHING_URL", "/dev/no-such-port").current_dir(directory.path());
            command.env("SCOPETHING_PULSEVIEW", "no-such-program");
            let output = crate::support::bounded("an example", command.output()).await.unwrap();
            let message = String::from_utf8_lossy(&output.stderr);
            assert_ne!(output.status.code(), Some(2), "{example:?}: {message}");
            checked += 1;
        }
    }
    assert!(checked > 30, "{checked} examples");
}
