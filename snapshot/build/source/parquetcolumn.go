package source

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/parquet-go/parquet-go/format"
)

// A columnReader reads the values of a chunk, row by row.
type columnReader struct {
	chunk
	pages      pageReader
	left       int64 // entries of the chunk, those of the page included
	inPage     int64 // entries left in the page
	rep, def   *runs
	values     values
	dictionary []string
	ahead      int // the repetition level of the next entry, where known
	known      bool
}

// An entry of a column is a value, a null, or an empty list.
type entry struct {
	text []byte
	is   bool // a value
}

// next returns the next entry. io.EOF is returned after the last.
func (c *columnReader) next() (entry, error) {
	if _, err := c.level(); err != nil {
		return entry{}, err
	}
	c.known = false
	c.left--
	c.inPage--
	if c.def != nil {
		d, err := c.def.integer()
		if err != nil || int(d) > c.leaf.maxDef {
			return entry{}, errPage
		}
		if int(d) < c.leaf.maxDef {
			return entry{}, nil
		}
	}
	text, err := c.values.next()
	return entry{text, true}, err
}

// level returns the repetition level of the next entry: 0 starts a row.
func (c *columnReader) level() (int, error) {
	for c.inPage == 0 {
		if c.left == 0 {
			return 0, io.EOF
		}
		if err := c.page(); err != nil {
			return 0, err
		}
	}
	if c.rep == nil {
		return 0, nil
	}
	if !c.known {
		r, err := c.rep.integer()
		if err != nil || int(r) > c.leaf.maxRep {
			return 0, errPage
		}
		c.ahead, c.known = int(r), true
	}
	return c.ahead, nil
}

// page goes to the next page.
func (c *columnReader) page() error {
	h, data, err := c.pages.next()
	if err != nil {
		return err
	}
	switch {
	case h.Type == format.DataPage && h.DataPageHeader.Valid:
		return c.dataPage(&h.DataPageHeader.V, data)
	case h.Type == format.DataPageV2 && h.DataPageHeaderV2.Valid:
		return c.dataPageV2(&h.DataPageHeaderV2.V, data)
	case h.Type == format.DictionaryPage && h.DictionaryPageHeader.Valid:
		return c.dictionaryPage(&h.DictionaryPageHeader.V, data)
	case h.Type == format.IndexPage:
		return nil
	}
	return errPage
}

func (c *columnReader) entries(n int32) error {
	if n < 0 || int64(n) > c.left {
		return errPage
	}
	c.inPage = int64(n)
	return nil
}

func (c *columnReader) dataPage(h *format.DataPageHeader, data []byte) error {
	err := c.entries(h.NumValues)
	levels := func(most int, e format.Encoding) (r *runs) {
		if most == 0 || err != nil {
			return nil
		}
		if e != format.RLE {
			err = fmt.Errorf("levels in encoding %v are not read; write the file with another version", e)
			return nil
		}
		var part []byte
		part, data, err = prefixed(data)
		return levelRuns(part, most)
	}
	c.rep = levels(c.leaf.maxRep, h.RepetitionLevelEncoding)
	c.def = levels(c.leaf.maxDef, h.DefinitionLevelEncoding)
	if err == nil {
		c.values, err = newValues(h.Encoding, c.leaf, data, int(h.NumValues), c.dictionary)
	}
	return err
}

func (c *columnReader) dataPageV2(h *format.DataPageHeaderV2, data []byte) error {
	if err := c.entries(h.NumValues); err != nil {
		return err
	}
	rep, def := int(h.RepetitionLevelsByteLength), int(h.DefinitionLevelsByteLength)
	if rep > len(data) || def > len(data)-rep {
		return errPage
	}
	c.rep, c.def = nil, nil
	if c.leaf.maxRep > 0 {
		c.rep = levelRuns(data[:rep], c.leaf.maxRep)
	}
	if c.leaf.maxDef > 0 {
		c.def = levelRuns(data[rep:rep+def], c.leaf.maxDef)
	}
	var err error
	c.values, err = newValues(h.Encoding, c.leaf, data[rep+def:], int(h.NumValues), c.dictionary)
	return err
}

// dictionaryPage keeps the texts of a dictionary.
func (c *columnReader) dictionaryPage(h *format.DictionaryPageHeader, data []byte) error {
	n := h.NumValues
	if n < 0 || n > maxDictionary || c.dictionary != nil || h.Encoding != format.Plain && h.Encoding != plainDictionary {
		return errPage
	}
	v, err := newValues(format.Plain, c.leaf, data, int(n), nil)
	if err != nil {
		return err
	}
	c.dictionary = []string{}
	for range n {
		text, err := v.next()
		if err != nil {
			return err
		}
		c.dictionary = append(c.dictionary, string(text))
	}
	return nil
}

// maxText is the longest value of a Parquet column, in bytes; it keeps a batch
// of rows small.
const maxText = 64 << 10

// errText says why a row cannot be used.
type errText string

func (e errText) Error() string { return string(e) }

// row appends the text of the next row to dst. An errText is about this row
// alone; dst is then as it was.
func (c *columnReader) row(dst []byte) ([]byte, error) {
	start := len(dst)
	var reason errText
	for n := 0; ; n++ {
		if n > 0 {
			if r, err := c.level(); err == io.EOF || err == nil && r == 0 {
				break
			} else if err != nil {
				return dst, err
			}
		} else if r, err := c.level(); err == nil && r != 0 {
			return dst, errPage
		}
		e, err := c.next()
		if err != nil {
			return dst, err
		}
		text := e.text
		switch {
		case !e.is || reason != "":
		case len(dst)-start+len(text) > maxText:
			reason = errText(fmt.Sprintf("over %d bytes", maxText))
		case !utf8.Valid(text):
			reason = "not UTF-8"
		case c.leaf.maxRep > 0 && strings.Contains(string(text), listSeparator):
			reason = errText("an element with " + listSeparator + " in it")
		default:
			if len(dst) > start {
				dst = append(dst, listSeparator...)
			}
			dst = append(dst, text...)
		}
		if c.leaf.maxRep == 0 {
			break
		}
	}
	if reason != "" {
		return dst[:start], reason
	}
	return dst, nil
}

// end checks that the column has been read to its end.
func (c *columnReader) end() error {
	if c.left > 0 {
		return errors.New("has more values than the file has rows; the file is damaged")
	}
	return nil
}
