package buildbench

import (
	"crypto/sha256"
	"encoding/hex"
)

const (
	linksHeader = "left,right,method,observed_at\n"
	cookies     = "cookie.publisher-a"
)

const (
	// fewestDevices to mostDevices are how many devices a customer has, all
	// numbers alike. Five links name three of them on average.
	fewestDevices = 2
	mostDevices   = 8
	// pairShare is the share of pairs of customers, each even one and the next,
	// whose first device is one and the same: 2 % of all devices that links
	// name are then those of two customers.
	pairShare = 0.26
	// maidShare is the share of devices that are mobile ids; the others are
	// cookies.
	maidShare = 0.6
	// linkDays is how far back links reach.
	linkDays = 365
)

// appendLink appends a row of the file of links: the email of some customer,
// one of his devices, and when the two were seen together. So links are in no
// order, and some repeat a pair at another time.
func (d Data) appendLink(dst []byte, row int) []byte {
	r := d.draws(ofLinks, uint64(row))
	customer := r.below(d.Customers)
	var email [maxEmail]byte
	hash := sha256.Sum256(d.appendEmail(email[:0], customer))
	dst = append(dst, "email_sha256:"...)
	dst = hex.AppendEncode(dst, hash[:])
	dst = append(dst, ',')
	dst = d.appendDevice(dst, customer, &r)
	dst = append(dst, ',')
	days := r.below(linkDays) + 1
	dst = append(dst, dates.before(days)...)
	dst = append(dst, 'T')
	dst = appendDigits(dst, r.below(24), 2)
	dst = append(dst, ':')
	dst = appendDigits(dst, r.below(60), 2)
	dst = append(dst, ':')
	dst = appendDigits(dst, r.below(60), 2)
	return append(dst, "Z\n"...)
}

// appendDevice appends a device that a customer has, and how its link to him
// came about.
func (d Data) appendDevice(dst []byte, customer int, link *draws) []byte {
	own := d.draws(ofDeviceCounts, uint64(customer))
	slot := link.below(fewestDevices + own.below(mostDevices-fewestDevices+1))
	device := d.draws(ofDevices, uint64(customer)*mostDevices+uint64(slot))
	method := device.unit()
	if slot == 0 {
		if pair := d.draws(ofPairs, uint64(customer)/2); pair.unit() < pairShare {
			device = pair
		}
	}
	dst = device.appendID(dst)
	switch {
	case method < 0.3:
		return append(dst, ",authenticated"...)
	case method < 0.85:
		return append(dst, ",observed"...)
	}
	return append(dst, ",inferred"...)
}

// appendID appends the mobile id (a UUID of version 4) or the cookie that is
// drawn.
func (r *draws) appendID(dst []byte) []byte {
	var id [16]byte
	if r.unit() >= maidShare {
		dst = append(dst, cookies+":"...)
		r.fill(id[:8])
		return hex.AppendEncode(dst, id[:8])
	}
	r.fill(id[:])
	id[6] = id[6]&0x0f | 0x40
	id[8] = id[8]&0x3f | 0x80
	dst = append(dst, "maid:"...)
	for i, end := range [...]int{4, 6, 8, 10, 16} {
		start := [...]int{0, 4, 6, 8, 10}[i]
		if i > 0 {
			dst = append(dst, '-')
		}
		dst = hex.AppendEncode(dst, id[start:end])
	}
	return dst
}
