package eventlog

import "testing"

func BenchmarkCheck(b *testing.B) {
	s := sealed(Event, &Entry{Body: make([]byte, 100)}, appendSecret(nil, make([]byte, 100)))
	s.Hash = s.Chain(s.Prev)
	v := s.encode(nil)
	for b.Loop() {
		d, err := decode(1, v)
		d.Seq = 0
		if err != nil || d.check() != nil {
			b.Fatal(err)
		}
	}
}
