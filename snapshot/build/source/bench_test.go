package source

import (
	"context"
	"fmt"
	"strings"
	"testing"
)

// linkText is link rows as partners send them.
func linkText(rows int) string {
	var b strings.Builder
	b.WriteString("left,right,method,observed_at\n")
	for i := range rows {
		fmt.Fprintf(&b, "email_sha256:%064x,maid:%08x-8246-4ba4-ae5b-%012x,authenticated,2026-10-01T12:00:00Z\n", i*7919, i, i*31)
	}
	return b.String()
}

func benchmarkLinks(b *testing.B, name, text string, workers int) {
	b.Helper()
	b.Run(name, func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		b.ReportAllocs()
		for b.Loop() {
			err := ReadLinks(context.Background(), Stdin, Options{Stdin: strings.NewReader(text), Workers: workers, Layout: layoutOf(text)},
				func() func(*LinkRow) error { return func(*LinkRow) error { return nil } })
			if err != nil {
				b.Fatal(err)
			}
		}
	})
}

func layoutOf(text string) (l Layout) {
	if strings.HasPrefix(text, "{") {
		l.Format = NDJSON
	}
	return l
}

func BenchmarkLinks(b *testing.B) {
	text := linkText(200_000)
	benchmarkLinks(b, "plain", text, 1)
	benchmarkLinks(b, "plain2", text, 2)
	quoted := strings.ReplaceAll(text, ",authenticated,", `,"authenticated",`)
	benchmarkLinks(b, "quoted", quoted, 1)
	var j strings.Builder
	for line := range strings.Lines(text[strings.IndexByte(text, '\n')+1:]) {
		f := strings.Split(strings.TrimSpace(line), ",")
		fmt.Fprintf(&j, "{\"left\":%q,\"right\":%q,\"method\":%q,\"observed_at\":%q}\n", f[0], f[1], f[2], f[3])
	}
	benchmarkLinks(b, "ndjson", j.String(), 1)
}
