package event

import (
	"bytes"
	"encoding/json"
)

// ID is the id in a text that is no change, for whoever is told so, or empty: it
// has none that is right, or more than one, or cannot be read that far.
func ID(text []byte) (found string) {
	d := json.NewDecoder(bytes.NewReader(text))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return ""
	}
	seen := false
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return found
		}
		var value any
		if err := d.Decode(&value); err != nil {
			return found
		}
		if key != "id" {
			continue
		}
		s, _ := value.(string)
		if seen || validID(s) != nil {
			return ""
		}
		found, seen = s, true
	}
	return found
}
