"""One file a command, each with one `command`; imported only when that command is called."""
