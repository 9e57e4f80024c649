"""One module a command, imported by the command's name: `execute` takes a Call, gives an Answer."""
