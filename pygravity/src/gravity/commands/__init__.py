"""The subcommands of `gravity`, a module each; `cli` puts them together."""
