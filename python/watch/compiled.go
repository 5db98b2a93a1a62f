package watch

import (
	"os"
	"path/filepath"
	"strings"
)

// forgetCompiled removes what Python has compiled of a file. Python takes that for current when the file is as long and as old, in seconds: a file that
// was saved twice within one of them might stay as it was first.
func forgetCompiled(file string) {
	stem, isPython := strings.CutSuffix(filepath.Base(file), ".py")
	if !isPython || strings.ContainsAny(file, `*?[\`) {
		return
	}
	compiled, _ := filepath.Glob(filepath.Join(filepath.Dir(file), "__pycache__", stem+".*.pyc")) // an error: of the pattern
	for _, path := range compiled {
		_ = os.Remove(path)
	}
}
