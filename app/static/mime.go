package static

import (
	"path"
	"strings"
)

// typeOf is the media type of a file by the end of its name. The table is weir's own: what the system has in mime.types differs from one
// machine to the next. Text is taken for UTF-8.
func typeOf(name string) string {
	end := path.Ext(name)
	if t, ok := types[strings.ToLower(strings.TrimPrefix(end, "."))]; ok {
		return t
	}
	return "application/octet-stream"
}

var types = map[string]string{
	// Text.
	"css":         "text/css; charset=utf-8",
	"csv":         "text/csv; charset=utf-8",
	"htm":         "text/html; charset=utf-8",
	"html":        "text/html; charset=utf-8",
	"ics":         "text/calendar; charset=utf-8",
	"js":          "text/javascript; charset=utf-8", // RFC 9239
	"log":         "text/plain; charset=utf-8",
	"md":          "text/markdown; charset=utf-8",
	"mjs":         "text/javascript; charset=utf-8",
	"text":        "text/plain; charset=utf-8",
	"txt":         "text/plain; charset=utf-8",
	"vcf":         "text/vcard; charset=utf-8",
	"vtt":         "text/vtt; charset=utf-8",
	"atom":        "application/atom+xml",
	"geojson":     "application/geo+json",
	"gpx":         "application/gpx+xml",
	"json":        "application/json",
	"jsonld":      "application/ld+json",
	"map":         "application/json",
	"rss":         "application/rss+xml",
	"toml":        "application/toml",
	"webmanifest": "application/manifest+json",
	"xhtml":       "application/xhtml+xml",
	"xml":         "application/xml",
	"xsl":         "application/xml",
	"yaml":        "application/yaml",
	"yml":         "application/yaml",

	// Pictures.
	"avif": "image/avif",
	"bmp":  "image/bmp",
	"gif":  "image/gif",
	"heic": "image/heic",
	"ico":  "image/vnd.microsoft.icon",
	"jpeg": "image/jpeg",
	"jpg":  "image/jpeg",
	"jxl":  "image/jxl",
	"png":  "image/png",
	"svg":  "image/svg+xml",
	"tif":  "image/tiff",
	"tiff": "image/tiff",
	"webp": "image/webp",

	// Sound and film.
	"aac":  "audio/aac",
	"flac": "audio/flac",
	"m3u8": "application/vnd.apple.mpegurl",
	"m4a":  "audio/mp4",
	"mid":  "audio/midi",
	"mp3":  "audio/mpeg",
	"oga":  "audio/ogg",
	"ogg":  "audio/ogg",
	"opus": "audio/ogg",
	"wav":  "audio/wav",
	"weba": "audio/webm",
	"avi":  "video/x-msvideo",
	"m4v":  "video/mp4",
	"mkv":  "video/matroska",
	"mov":  "video/quicktime",
	"mp4":  "video/mp4",
	"mpd":  "application/dash+xml",
	"mpeg": "video/mpeg",
	"mpg":  "video/mpeg",
	"ogv":  "video/ogg",
	"webm": "video/webm",

	// Fonts.
	"eot":   "application/vnd.ms-fontobject",
	"otf":   "font/otf",
	"ttf":   "font/ttf",
	"woff":  "font/woff",
	"woff2": "font/woff2",

	// Documents and archives.
	"7z":    "application/x-7z-compressed",
	"bz2":   "application/x-bzip2",
	"doc":   "application/msword",
	"docx":  "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
	"epub":  "application/epub+zip",
	"gz":    "application/gzip",
	"jar":   "application/java-archive",
	"odp":   "application/vnd.oasis.opendocument.presentation",
	"ods":   "application/vnd.oasis.opendocument.spreadsheet",
	"odt":   "application/vnd.oasis.opendocument.text",
	"pdf":   "application/pdf",
	"ppt":   "application/vnd.ms-powerpoint",
	"pptx":  "application/vnd.openxmlformats-officedocument.presentationml.presentation",
	"ps":    "application/postscript",
	"rtf":   "application/rtf",
	"sql":   "application/sql",
	"tar":   "application/x-tar",
	"tgz":   "application/gzip",
	"wasm":  "application/wasm",
	"whl":   "application/zip",
	"xls":   "application/vnd.ms-excel",
	"xlsx":  "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
	"xz":    "application/x-xz",
	"zip":   "application/zip",
	"zst":   "application/zstd",
	"ipynb": "application/x-ipynb+json",
}
