package handover

import (
	"bytes"
	"errors"
	"os"
	"strconv"
	"syscall"
	"time"
)

// others is what everybody else on the machine uses while something is measured: figures beside calls that compute are about
// them too.
type others struct {
	server *server
	began  time.Time
	taken  time.Duration
}

func watchOthers(s *server) (*others, error) {
	o := &others{server: s, began: time.Now()}
	var err error
	o.taken, err = o.since()
	return o, err
}

// cores is how many they have kept busy.
func (o *others) cores() (float64, error) {
	now, err := o.since()
	return max(float64(now-o.taken), 0) / float64(time.Since(o.began)), err
}

// since is the time that all processors were busy with neither the server nor this program.
func (o *others) since() (time.Duration, error) {
	all, err := busyTime()
	if err != nil {
		return 0, err
	}
	server, err := o.server.CPU()
	if err != nil {
		return 0, err
	}
	var self syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &self); err != nil {
		return 0, err
	}
	return all - server - time.Duration(self.Utime.Nano()+self.Stime.Nano()), nil
}

// busyTime adds up user, nice, system and steal of the first line of proc_stat(5), in hundredths of a second. Interrupts, which are on
// nobody's account, come of the measurement itself for the most part.
func busyTime() (time.Duration, error) {
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	line, _, _ := bytes.Cut(stat, []byte("\n"))
	fields := bytes.Fields(line)
	if len(fields) < 9 {
		return 0, errors.New("/proc/stat: too few fields")
	}
	var ticks int64
	for _, i := range []int{1, 2, 3, 8} {
		n, err := strconv.ParseInt(string(fields[i]), 10, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond, nil
}
