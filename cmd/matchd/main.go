// Command matchd builds ID-graph snapshots from CRM and partner files and
// answers lookups out of them. Each subcommand has a file of its own.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// Exit codes.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run runs a command line and returns its exit code.
func run(ctx context.Context, args []string, out, errOut io.Writer) int {
	root := newRootCommand()
	root.SetArgs(args)
	root.SetOut(out)
	root.SetErr(errOut)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitDone
	}
	say := func(text string) { fmt.Fprintf(errOut, "matchd: %s\n", text) }
	if as := (noticeError{}); errors.As(err, &as) {
		say = func(text string) { _ = json.NewEncoder(errOut).Encode(notice{Error: text}) }
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		say("interrupted")
		return exitFailed
	}
	say(err.Error())
	if errors.Is(err, errUsage) {
		fmt.Fprintf(errOut, "Run '%s --help' for usage.\n", cmd.CommandPath())
		return exitUsage
	}
	return exitFailed
}
