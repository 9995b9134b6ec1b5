package source

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go/format"
)

// Limits of a page. Writers make pages of about a megabyte.
const (
	maxPage       = 64 << 20
	maxPageHeader = 1 << 20
	maxDictionary = 1 << 22 // values
)

// A pageReader reads the pages of a chunk, one after another.
type pageReader struct {
	r      io.ReaderAt
	offset int64 // of the next page
	size   int64 // of the file
	codec  format.CompressionCodec
	unzstd *zstd.Decoder
	head   []byte
	data   []byte // the page as it lies in the file
	text   []byte // the page
}

// next reads the next page. What it returns is valid until the next call.
func (p *pageReader) next() (*format.PageHeader, []byte, error) {
	h, err := p.header()
	if err != nil {
		return nil, nil, fmt.Errorf("the page at %d: %w", p.offset, err)
	}
	whole, packed := int64(h.UncompressedPageSize), int64(h.CompressedPageSize)
	if whole < 0 || packed < 0 || whole > maxPage || packed > maxPage {
		return nil, nil, fmt.Errorf("the page at %d says that it has %d bytes, %d without compression; at most %d are read: write smaller pages", p.offset, packed, whole, maxPage)
	}
	if packed > p.size-p.offset {
		return nil, nil, fmt.Errorf("the page at %d goes beyond the file, which is cut off or damaged", p.offset)
	}
	p.data = sized(p.data, packed)
	if err := readAt(p.r, p.data, p.offset); err != nil {
		return nil, nil, err
	}
	p.offset += packed
	if h.CRC != 0 && crc32.ChecksumIEEE(p.data) != uint32(h.CRC) {
		return nil, nil, fmt.Errorf("the checksum of the page before %d is wrong; the file is damaged", p.offset)
	}
	text, err := p.unpack(h, int(whole))
	if err != nil {
		return nil, nil, fmt.Errorf("the page before %d: %w", p.offset, err)
	}
	return h, text, nil
}

// header reads the header of the next page.
func (p *pageReader) header() (*format.PageHeader, error) {
	for most := int64(4 << 10); ; most *= 4 {
		n := min(most, p.size-p.offset)
		if p.offset < 0 || n <= 0 {
			return nil, errors.New("its place is outside the file, which is damaged")
		}
		p.head = sized(p.head, n)
		if err := readAt(p.r, p.head, p.offset); err != nil {
			return nil, err
		}
		length, err := thriftLen(p.head)
		if errors.Is(err, errShort) && n == most && most < maxPageHeader {
			continue
		}
		h := new(format.PageHeader)
		if err == nil {
			err = unmarshal(p.head[:length], h)
		}
		if err != nil {
			return nil, fmt.Errorf("its header is damaged: %w", err)
		}
		p.offset += int64(length)
		return h, nil
	}
}

// unpack returns the page without its compression. Levels of a page of the
// second version are not compressed.
func (p *pageReader) unpack(h *format.PageHeader, whole int) ([]byte, error) {
	plain := 0
	if h.Type == format.DataPageV2 {
		v2 := &h.DataPageHeaderV2.V
		if v2.RepetitionLevelsByteLength < 0 || v2.DefinitionLevelsByteLength < 0 {
			return nil, errPage
		}
		plain = int(v2.RepetitionLevelsByteLength) + int(v2.DefinitionLevelsByteLength)
		if v2.IsCompressed.Valid && !v2.IsCompressed.V {
			plain = len(p.data)
		}
	}
	if p.codec == format.Uncompressed {
		plain = len(p.data)
	}
	if plain > len(p.data) || plain > whole {
		return nil, errPage
	}
	if plain == len(p.data) {
		if plain != whole {
			return nil, errPage
		}
		return p.data, nil
	}
	p.text = sized(p.text, int64(whole))
	copy(p.text, p.data[:plain])
	return p.text, p.decompress(p.text[plain:], p.data[plain:])
}

// decompress fills dst, exactly.
func (p *pageReader) decompress(dst, src []byte) error {
	var out []byte
	var err error
	switch p.codec {
	case format.Snappy:
		n, sizeErr := snappy.DecodedLen(src)
		if sizeErr != nil || n != len(dst) {
			return errPage
		}
		out, err = snappy.Decode(dst, src)
	case format.Gzip:
		return gunzip(dst, src)
	case format.Zstd:
		if p.unzstd == nil {
			p.unzstd, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxPage))
			if err != nil {
				return err
			}
		}
		out, err = p.unzstd.DecodeAll(src, dst[:0])
	default:
		return fmt.Errorf("its compression %v is not read; write the file with snappy, gzip, zstd or none", p.codec)
	}
	if err != nil {
		return fmt.Errorf("%v: %w", p.codec, err)
	}
	if len(out) != len(dst) {
		return errPage
	}
	copy(dst, out) // where they are not the same memory
	return nil
}

func gunzip(dst, src []byte) error {
	z, err := gzip.NewReader(bytes.NewReader(src))
	if err != nil {
		return fmt.Errorf("gzip: %w", err)
	}
	if _, err := io.ReadFull(z, dst); err != nil {
		return fmt.Errorf("gzip: %w", err)
	}
	if n, err := z.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		return errPage
	}
	return nil
}

func sized(b []byte, n int64) []byte {
	if int64(cap(b)) < n {
		return make([]byte, n)
	}
	return b[:n]
}

func (p *pageReader) close() {
	if p.unzstd != nil {
		p.unzstd.Close()
	}
}
