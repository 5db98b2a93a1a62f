package main

import (
	"fmt"
	"os"
	"strconv"
	"syscall"

	"github.com/weirhttp/weir/bench/internal/program"
)

// limitCommand is the hidden first argument with which the program starts itself to become another one that may
// open fewer files: limit N PROGRAM ARGUMENTS.
const limitCommand = "limit"

func limitMain(args []string) int {
	if len(args) < 2 {
		return program.Usage
	}
	n, err := strconv.ParseUint(args[0], 10, 32)
	if err == nil {
		err = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: n, Max: n})
	}
	if err == nil {
		err = syscall.Exec(args[1], args[1:], os.Environ())
	}
	fmt.Fprintln(os.Stderr, "abuse:", err)
	return program.Failed
}
