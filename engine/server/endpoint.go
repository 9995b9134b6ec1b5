package server

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"
)

// endpoint is an address to listen on.
type endpoint struct {
	network, address string
	// local says that only this machine can reach it.
	local bool
}

const unixPrefix = "unix:"

func parseEndpoint(s string) (endpoint, error) {
	if path, ok := strings.CutPrefix(s, unixPrefix); ok {
		if path == "" {
			return endpoint{}, errors.New("unix: needs a path, as in unix:/run/matchd.sock")
		}
		return endpoint{"unix", path, true}, nil
	}
	host, port, err := net.SplitHostPort(s)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return endpoint{}, fmt.Errorf("%q is neither host:port nor unix:/path", s)
	}
	return endpoint{"tcp", s, loopbackHost(host)}, nil
}

// loopbackHost reports whether a host, a name or an address, is this machine
// by its own words.
func loopbackHost(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

func (e endpoint) String() string {
	if e.network == "unix" {
		return unixPrefix + e.address
	}
	return e.address
}

// bound is how the address that was bound is written.
func (e endpoint) bound(a net.Addr) string {
	return endpoint{e.network, a.String(), e.local}.String()
}

// listen binds the endpoint. A socket file that a killed daemon left, which
// nobody answers, is removed first.
func (e endpoint) listen() (net.Listener, error) {
	if e.network == "unix" {
		if err := removeStale(e.address); err != nil {
			return nil, err
		}
	}
	return net.Listen(e.network, e.address)
}

func removeStale(path string) error {
	info, err := os.Lstat(path)
	if err != nil || info.Mode()&os.ModeSocket == 0 {
		return nil // whatever it is, binding will say
	}
	c, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		return errors.Join(errors.New("another process serves this socket"), c.Close())
	}
	return os.Remove(path)
}
