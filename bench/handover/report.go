package handover

import (
	"fmt"
	"io"
	"strings"

	"github.com/weirhttp/weir/bench/internal/machine"
	"github.com/weirhttp/weir/bench/internal/verdict"
)

// report prints a line for each figure with its bar, and then what failed and what else was seen.
func report(w io.Writer, where machine.Machine, o *options, lines []*verdict.Line, markdown bool) {
	fmt.Fprintf(w, "%s. The server: %s; runs of %v.\n\n", where, strings.Join(o.shown(), " "), o.sizes.run)
	verdict.Write(w, lines, markdown)
}

// shown is the command line of the server, for people.
func (o *options) shown() []string {
	return append(append([]string{}, o.env...), append([]string{"weir"}, o.arguments("ADDR")...)...)
}
