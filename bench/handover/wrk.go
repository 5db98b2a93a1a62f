package handover

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/weirhttp/weir/bench/internal/wrk"
)

// A load is what wrk does.
type load struct {
	title       string
	connections int
	pipelined   bool
}

// wrk runs wrk for a time. Statuses other than 2xx, and errors of sockets, are an error; content is verified before and
// after, which wrk does not do.
func (m *measurer) wrk(s *server, l load, length time.Duration) (*wrk.Result, error) {
	if err := verify(s.addr); err != nil {
		return nil, err
	}
	args := []string{"-t2", fmt.Sprintf("-c%d", l.connections), fmt.Sprintf("-d%.0fs", length.Seconds()), "--latency"}
	url := "http://" + s.addr + plaintext
	if l.pipelined {
		args = append(args, "-s", filepath.Join(m.o.weir.Module, "request.lua"), url, "--", "GET", plaintext, "0", "16")
	} else {
		args = append(args, url)
	}
	result, err := wrk.Run(m.ctx, m.o.wrk, args...)
	if ended := s.Alive(); ended != nil {
		return nil, ended // the cause of whatever wrk says
	}
	if err != nil {
		return nil, err
	}
	if len(result.Problems) > 0 {
		return nil, errors.New("wrk: " + strings.Join(result.Problems, "; "))
	}
	return result, verify(s.addr)
}
