"""pj completion: the script that lets a shell complete commands, options, studies and variants."""

from __future__ import annotations

import argparse

EXAMPLES = {
    """echo 'eval "$(pj completion bash)"' >> ~/.bashrc""": "bash, from the next shell on",
    """echo 'eval "$(pj completion zsh)"' >> ~/.zshrc""": "zsh, after the line with compinit",
    "echo 'pj completion fish | source' >> ~/.config/fish/config.fish": "fish",
}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("shell", choices=("bash", "zsh", "fish"))


def run(options: argparse.Namespace) -> None:
    """Print the script."""
    import argcomplete

    print(argcomplete.shellcode(["pj"], shell=options.shell))
