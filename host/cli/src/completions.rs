//! `scopething completions`: scripts with which a shell completes the commands and their options.

use std::io::{self, Write as _};

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use super::failure::Failure;

const EXAMPLES: &str = "\
Where they go:
  bash        scopething completions bash > ~/.local/share/bash-completion/completions/scopething
  zsh         scopething completions zsh > ~/.zfunc/_scopething
              with `fpath+=~/.zfunc` ahead of `compinit` in ~/.zshrc
  fish        scopething completions fish > ~/.config/fish/completions/scopething.fish
  PowerShell  Add-Content $PROFILE 'scopething completions powershell | Out-String | Invoke-Expression'
              (the script itself must stand in a file of its own: PowerShell wants `using` ahead of all else)";

/// Print a script that completes commands and options in a shell
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// The shell: bash, elvish, fish, powershell or zsh
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

impl Arguments {
    pub(super) fn run(&self) -> Result<(), Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut super::Arguments::command(), "scopething", &mut script);
        let mut out = io::stdout();
        out.write_all(&script)?;
        Ok(out.flush()?)
    }
}
