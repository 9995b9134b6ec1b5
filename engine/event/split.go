package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
)

// A Line is one change of many, as text.
type Line struct {
	// Number counts from 1: lines of NDJSON, empty ones too, or elements of an
	// array.
	Number int
	Text   []byte
}

// errArray is about an array that cannot be taken apart: then nothing in it is
// applied, since where one change ends is not known.
var errArray = errors.New("it is neither changes, a line each, nor one JSON array of them")

// Split takes a body apart that is NDJSON, or one JSON array. What the lines
// say is not looked at. The lines of NDJSON lie in body.
func Split(body []byte) ([]Line, error) {
	if trimmed := bytes.TrimLeft(body, " \t\r\n"); len(trimmed) > 0 && trimmed[0] == '[' {
		return elements(trimmed)
	}
	var out []Line
	for n := 1; len(body) > 0; n++ {
		line, rest, _ := bytes.Cut(body, []byte("\n"))
		if body = rest; len(bytes.TrimSpace(line)) > 0 {
			out = append(out, Line{n, bytes.TrimSpace(line)})
		}
	}
	return out, nil
}

func elements(body []byte) ([]Line, error) {
	d := json.NewDecoder(bytes.NewReader(body))
	if _, err := d.Token(); err != nil {
		return nil, errArray
	}
	var out []Line
	for n := 1; d.More(); n++ {
		var one json.RawMessage
		if err := d.Decode(&one); err != nil {
			return nil, errArray
		}
		out = append(out, Line{n, one})
	}
	if _, err := d.Token(); err != nil {
		return nil, errArray
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errArray
	}
	return out, nil
}
