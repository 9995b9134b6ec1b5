package server

// appendDate appends a date of 1970 to 9999, in days since 1970-01-01. The
// arithmetic is civil_from_days of Hinnant, "chrono-Compatible Low-Level Date
// Algorithms": years begin in March, so that a leap day ends one. It writes
// what time.Time.AppendFormat does in a third of the time, and every profile
// of an answer has a date.
func appendDate(dst []byte, day int64) []byte {
	const era, toEra = 146097, 719468 // days of 400 years; and from 0000-03-01 to 1970-01-01
	d := uint32(day) + toEra
	century, d := d/era, d%era
	year := (d - d/1460 + d/36524 - d/146096) / 365
	d -= 365*year + year/4 - year/100
	year += 400 * century
	month := (5*d + 2) / 153
	d -= (153*month+2)/5 - 1
	if month += 3; month > 12 {
		month -= 12
		year++
	}
	a, b, mm, dd := tens(year/100), tens(year%100), tens(month), tens(d)
	return append(dst, a[0], a[1], b[0], b[1], '-', mm[0], mm[1], '-', dd[0], dd[1])
}

// tens returns a number below 100 as two digits.
func tens(n uint32) [2]byte { return [2]byte{byte('0' + n/10), byte('0' + n%10)} }
