package main

import "github.com/spf13/cobra"

func newDemoCommand() *cobra.Command  { return &cobra.Command{Use: "demo"} }
func newServeCommand() *cobra.Command  { return &cobra.Command{Use: "serve"} }
func newClientCommand() *cobra.Command { return &cobra.Command{Use: "client"} }
