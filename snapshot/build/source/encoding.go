package source

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
)

const utf8Name = "utf-8"

// encodings are the names of the encodings other than UTF-8.
var encodings = map[string]encoding.Encoding{
	"windows-1252": charmap.Windows1252,
	"iso-8859-1":   charmap.ISO8859_1,
	"iso-8859-15":  charmap.ISO8859_15,
	"utf-16":       unicode.UTF16(unicode.LittleEndian, unicode.ExpectBOM),
}

// Encodings returns the names of the encodings that files may be in.
func Encodings() []string {
	return []string{utf8Name, "windows-1252", "iso-8859-1", "iso-8859-15", "utf-16"}
}

// ParseEncoding reads the name of an encoding, without case; UTF-8 is "".
func ParseEncoding(s string) (string, error) {
	name := strings.ToLower(s)
	if !slices.Contains(Encodings(), name) {
		return "", fmt.Errorf("encoding %q is none of %s", s, strings.Join(Encodings(), ", "))
	}
	if name == utf8Name {
		return "", nil
	}
	return name, nil
}

// decode returns r as UTF-8. What is no character in the encoding becomes
// U+FFFD.
func decode(r io.Reader, name string) io.Reader {
	if e, ok := encodings[name]; ok {
		return e.NewDecoder().Reader(r)
	}
	return r
}
