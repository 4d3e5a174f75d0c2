"""The subcommands of `edge-aver`, by subject: each parses its options and makes one library call."""
