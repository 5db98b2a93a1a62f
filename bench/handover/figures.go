package handover

import (
	"fmt"
	"time"
)

func inMilliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func milliseconds(v float64) string { return fmt.Sprintf("%.2f ms", v) }

func percent(v float64) string { return fmt.Sprintf("%.0f %%", 100*v) }
