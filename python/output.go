package python

import (
	"bufio"
	"bytes"
	"context"
	"log/slog"
	"os"
	"sync"
	"time"
)

// openOutput has what the worker prints come through pipes. It returns the worker's ends.
func (w *worker) openOutput() (pipes []*os.File, err error) {
	for range 2 {
		r, pipe, err := os.Pipe()
		if err != nil {
			return pipes, err
		}
		w.output = append(w.output, r)
		pipes = append(pipes, pipe)
	}
	w.command.Stdout, w.command.Stderr = pipes[0], pipes[1]
	return pipes, nil
}

// longestLine is where a line that is printed is broken, in octets.
const longestLine = 16 << 10

// logOutput logs what the worker prints, line by line, until both pipes have ended.
func (w *worker) logOutput(logged chan<- struct{}) {
	defer close(logged)
	var group sync.WaitGroup
	for i, stream := range []string{"stdout", "stderr"} {
		group.Go(func() {
			lines := bufio.NewReaderSize(w.output[i], longestLine)
			for {
				line, err := lines.ReadSlice('\n')
				if line = bytes.TrimRight(line, "\r\n"); len(line) > 0 {
					w.supervisor.log.LogAttrs(context.Background(), slog.LevelInfo, string(line), slog.Int("pid", w.pid), slog.String("stream", stream))
				}
				if err != nil && err != bufio.ErrBufferFull {
					return
				}
			}
		})
	}
	group.Wait()
}

// stopLogging waits until what a dead worker has printed is logged. A process that it has left behind may keep the pipes open:
// what that prints is not waited for.
func (w *worker) stopLogging(logged <-chan struct{}) {
	for _, r := range w.output {
		_ = r.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
	}
	<-logged
}
