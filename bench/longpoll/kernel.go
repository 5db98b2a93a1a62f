package longpoll

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
)

// kernelNumbers reads a file of /proc/sys with so many numbers.
func kernelNumbers(name string, count int) ([]int64, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	fields := bytes.Fields(text)
	if len(fields) != count {
		return nil, fmt.Errorf("%s: %d numbers, not %d", name, len(fields), count)
	}
	numbers := make([]int64, count)
	for i, field := range fields {
		n, err := strconv.ParseInt(string(field), 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		numbers[i] = n
	}
	return numbers, nil
}

// availableMemory is what the machine could give, in bytes; 0 when it does not tell.
func availableMemory() int64 {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0
	}
	for line := range bytes.Lines(text) {
		if value, found := bytes.CutPrefix(line, []byte("MemAvailable:")); found {
			kib, err := strconv.ParseInt(string(bytes.TrimSuffix(bytes.TrimSpace(value), []byte(" kB"))), 10, 64)
			if err == nil {
				return kib << 10
			}
		}
	}
	return 0
}
