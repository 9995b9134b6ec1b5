package buildbench

import (
	"encoding/binary"
	"math/bits"
	"time"
)

// draws is a sequence of random numbers (SplitMix64). It is started anew for
// each thing that is drawn, at which it is quicker than a ChaCha8.
type draws struct{ state uint64 }

// stream keeps things of different sorts apart that have the same number.
type stream uint64

const (
	ofLinks stream = iota + 1
	ofCustomers
	ofNames
	ofDeviceCounts
	ofDevices
	ofPairs
	ofTowns
)

const golden = 0x9e3779b97f4a7c15

// draws begins a sequence that depends on the seed and the number alone.
func (d Data) draws(s stream, number uint64) draws {
	return draws{mix(mix(d.Seed+uint64(s)*golden) ^ number*golden)}
}

func (r *draws) next() uint64 {
	r.state += golden
	return mix(r.state)
}

func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// below is from 0 to n-1.
func (r *draws) below(n int) int {
	hi, _ := bits.Mul64(r.next(), uint64(n))
	return int(hi)
}

// unit is from 0 to below 1.
func (r *draws) unit() float64 { return float64(r.next()>>11) / (1 << 53) }

// fill fills b, whose length is a multiple of 8.
func (r *draws) fill(b []byte) {
	for i := 0; i < len(b); i += 8 {
		binary.BigEndian.PutUint64(b[i:], r.next())
	}
}

// Of the dates that rows hold: how far they lie before and after AsOf.
const (
	mostDaysBefore = 730
	mostDaysAfter  = 1100
)

// calendar is the text of every day, which is quicker than to format one.
type calendar [mostDaysBefore + mostDaysAfter + 1]string

var dates = newCalendar()

func newCalendar() *calendar {
	var c calendar
	for i := range c {
		c[i] = asOf.AddDate(0, 0, i-mostDaysBefore).Format(time.DateOnly)
	}
	return &c
}

// before is the date so many days before AsOf; they may be negative.
func (c *calendar) before(days int) string { return c[mostDaysBefore-days] }

// appendDigits appends n with leading zeros, width digits in all.
func appendDigits(dst []byte, n, width int) []byte {
	for range width {
		dst = append(dst, '0')
	}
	for i := len(dst) - 1; i >= len(dst)-width; i-- {
		dst[i] += byte(n % 10)
		n /= 10
	}
	return dst
}
