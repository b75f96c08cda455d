"""The command line: options to one frozen config, one core call."""
