package python

import (
	"os"
	"time"
)

// importTime is for how long an application is imported before the log says so; then it says so again after twice that each time.
const importTime = 10 * time.Second

// watchImport has the log say when an import goes on for long, and where it is, until stop is called. The process is not waited for before that.
func (s *Supervisor) watchImport(process *os.Process) (stop func()) {
	begun := time.Now()
	stopped := make(chan struct{})
	go func() {
		timer := time.NewTimer(s.options.importTime)
		defer timer.Stop()
		for wait := s.options.importTime; ; timer.Reset(wait) {
			select {
			case <-stopped:
				return
			case <-timer.C:
				wait *= 2
			}
			after := time.Since(begun).Round(time.Second / 10)
			if !catches(process.Pid, signalStack) { // it would be the end of the process
				s.log.Warn("the interpreter still starts, and has not begun to import the application", "pid", process.Pid, "after", after)
				continue
			}
			s.log.Warn("the import of the application goes on and on; the stacks of its threads follow", "pid", process.Pid, "after", after)
			_ = process.Signal(signalStack)
		}
	}()
	return func() { close(stopped) }
}
