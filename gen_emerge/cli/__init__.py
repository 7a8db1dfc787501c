"""The command line: thin doors. Takes arguments, calls the rooms, prints; a room is imported inside a command only."""
