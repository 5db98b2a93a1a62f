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

// output is what a process prints: to standard output, and to standard error.
type output struct {
	pipes  []*os.File
	logged chan struct{} // closed when both have ended
}

// open opens the pipes. It returns the ends of the process.
func (o *output) open() (theirs []*os.File, err error) {
	for range 2 {
		r, w, err := os.Pipe()
		if err != nil {
			return theirs, err
		}
		o.pipes = append(o.pipes, r)
		theirs = append(theirs, w)
	}
	return theirs, nil
}

// close closes our ends of the pipes, when nobody prints there any more: processes that the application has left behind would be killed by what they
// print.
func (o *output) close() {
	if o.logged == nil {
		closeAll(o.pipes)
		return
	}
	go func() {
		<-o.logged
		closeAll(o.pipes)
	}()
}

func closeAll(files []*os.File) {
	for _, f := range files {
		_ = f.Close()
	}
}

// longestLine is where a line that is printed is broken, in octets.
const longestLine = 16 << 10

// log logs what the process prints, line by line, until both pipes have ended.
func (o *output) log(log *slog.Logger, pid int) {
	o.logged = make(chan struct{})
	var group sync.WaitGroup
	for i, stream := range []string{"stdout", "stderr"} {
		group.Go(func() {
			lines := bufio.NewReaderSize(o.pipes[i], longestLine)
			var request slog.Attr
			broken := false // the line goes on
			for {
				line, err := lines.ReadSlice('\n')
				if !broken {
					line, request = untag(line, pid)
				}
				broken = err == bufio.ErrBufferFull
				if line = bytes.TrimRight(line, "\r\n"); len(line) > 0 {
					log.LogAttrs(context.Background(), slog.LevelInfo, string(line), slog.Int("pid", pid), slog.String("stream", stream), request)
				}
				if err != nil && !broken {
					return
				}
			}
		})
	}
	go func() {
		group.Wait()
		close(o.logged)
	}()
}

// stop waits until what a dead process has printed is logged. A process that it has left behind may keep the pipes open:
// what that prints is logged when it comes, and not waited for.
func (o *output) stop() {
	select {
	case <-o.logged:
	case <-time.After(200 * time.Millisecond):
	}
}
