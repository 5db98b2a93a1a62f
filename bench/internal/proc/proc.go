// Package proc reads what Linux tells about a process.
package proc

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// clockTick is the unit of times in /proc/PID/stat: USER_HZ, which is 100 on
// every architecture that Go supports.
const clockTick = 10 * time.Millisecond

// CPUTime is the user and system time which all threads of the process have
// taken so far.
func CPUTime(pid int) (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	return parseStat(stat)
}

// CPUClock is the same to the nanosecond. It is the clock that clock_getcpuclockid(3) names.
func CPUClock(pid int) (time.Duration, error) {
	const scheduled = 2 // CPUCLOCK_SCHED: what the scheduler has counted
	var taken unix.Timespec
	if err := unix.ClockGettime(int32(^pid)<<3|scheduled, &taken); err != nil {
		return 0, fmt.Errorf("CPU clock of process %d: %w", pid, err)
	}
	return time.Duration(taken.Nano()), nil
}

// parseStat adds utime and stime, fields 14 and 15 of proc_pid_stat(5). Field
// 2 is the command in parentheses and may itself hold spaces and parentheses,
// so counting starts behind the last one.
func parseStat(stat []byte) (time.Duration, error) {
	end := bytes.LastIndexByte(stat, ')')
	if end < 0 {
		return 0, errors.New("stat: no command")
	}
	fields := bytes.Fields(stat[end+1:]) // from field 3
	if len(fields) < 13 {
		return 0, errors.New("stat: too few fields")
	}
	var ticks int64
	for _, field := range fields[11:13] {
		n, err := strconv.ParseInt(string(field), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("stat: %w", err)
		}
		ticks += n
	}
	return time.Duration(ticks) * clockTick, nil
}

// ResidentBytes is the process's resident memory.
func ResidentBytes(pid int) (int64, error) { return statusBytes(pid, "VmRSS:") }

// PeakBytes is the most resident memory that the process has had, since the last ResetPeak if there was one.
func PeakBytes(pid int) (int64, error) { return statusBytes(pid, "VmHWM:") }

// ResetPeak has PeakBytes begin again. It needs a right that not every user has.
func ResetPeak(pid int) error {
	return os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0)
}

func statusBytes(pid int, name string) (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	return parseStatus(status, name)
}

// parseStatus is the value of name, with its colon, in proc_pid_status(5).
func parseStatus(status []byte, name string) (int64, error) {
	for line := range bytes.Lines(status) {
		value, found := bytes.CutPrefix(line, []byte(name))
		if !found {
			continue
		}
		fields := bytes.Fields(value)
		if len(fields) != 2 || string(fields[1]) != "kB" {
			return 0, fmt.Errorf("status: cannot read %q", line)
		}
		kib, err := strconv.ParseInt(string(fields[0]), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("status: %w", err)
		}
		return kib << 10, nil
	}
	return 0, errors.New("status: no " + name)
}

// Children are the processes that the process has started and that still run.
func Children(pid int) []int {
	var children []int
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		return nil
	}
	for _, task := range tasks {
		list, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/children", pid, task.Name()))
		if err != nil {
			continue
		}
		for _, field := range bytes.Fields(list) {
			if child, err := strconv.Atoi(string(field)); err == nil {
				children = append(children, child)
			}
		}
	}
	return children
}

// Tree is the process and all that it has started, directly or not, and that still run.
func Tree(pid int) []int {
	tree := []int{pid}
	for i := 0; i < len(tree); i++ {
		tree = append(tree, Children(tree[i])...)
	}
	return tree
}

// RaiseDescriptorLimit makes the soft limit the hard one, for this process and
// those it starts. Go does so for itself, but hands the old limit to children.
func RaiseDescriptorLimit() {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) != nil {
		return
	}
	limit.Cur = limit.Max
	_ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit) // DescriptorLimit tells what came of it
}

func DescriptorLimit() int {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) != nil {
		return 0
	}
	return int(min(limit.Cur, 1<<30))
}
