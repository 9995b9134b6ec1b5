package main

import "errors"

// errUsage is wrapped by errors about how a command was called.
var errUsage = errors.New("wrong usage")
