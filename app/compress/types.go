package compress

import "strings"

// dense are media types whose content is compressed as it is, or as good as random. What ends in /* stands for all subtypes.
var dense = []string{
	"image/*", "video/*", "audio/*", "font/woff", "font/woff2", "application/font-woff", "application/octet-stream",
	"application/zip", "application/gzip", "application/x-gzip", "application/zstd", "application/x-xz", "application/x-bzip", "application/x-bzip2",
	"application/x-7z-compressed", "application/x-rar-compressed", "application/vnd.rar", "application/x-compress", "application/x-compressed",
	"application/java-archive", "application/pdf", "application/vnd.android.package-archive", "application/x-shockwave-flash",
}

// sparse are those among them that are text.
var sparse = []string{"image/svg+xml", "image/bmp", "image/x-icon", "image/vnd.microsoft.icon", "image/x-ms-bmp"}

// compressible tells whether content of a type gets shorter.
func compressible(mediaType string) bool {
	t := essence(mediaType)
	return t != "" && (matches(sparse, t) || !matches(dense, t) && !strings.HasSuffix(t, "+zip") && !strings.HasSuffix(t, "+gzip") &&
		!strings.HasPrefix(t, "application/vnd.openxmlformats") && !strings.HasPrefix(t, "application/grpc"))
}

// skips tells whether the options except a type.
func (m *middleware) skips(mediaType string) bool { return matches(m.skip, essence(mediaType)) }

// essence is a media type without its parameters.
func essence(mediaType string) string {
	t, _, _ := strings.Cut(mediaType, ";")
	return strings.ToLower(strings.Trim(t, " \t"))
}

func matches(types []string, t string) bool {
	for _, pattern := range types {
		if family, all := strings.CutSuffix(pattern, "*"); all && strings.HasPrefix(t, strings.ToLower(family)) || strings.EqualFold(pattern, t) {
			return true
		}
	}
	return false
}
