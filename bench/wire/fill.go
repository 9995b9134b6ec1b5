package wire

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"

	"github.com/matchd/matchd/bench"
	"github.com/matchd/matchd/bench/load"
)

// fillBatch is how many values a store is sent in one write.
const fillBatch = 1000

// filling is how a store is told to keep a value.
type filling struct {
	// set appends the command, maid the key of a mobile id's 16 bytes. Customer
	// ids are keys as they are.
	set  func(dst, key, value []byte) []byte
	maid func(dst, id []byte) []byte
	ok   string // the answer
}

var (
	fillRedis     = filling{appendSet, func(dst, id []byte) []byte { return append(dst, id...) }, "+OK\r\n"}
	fillMemcached = filling{appendStore, appendKey, "STORED\r\n"}
)

func appendSet(dst, key, value []byte) []byte {
	return appendCommand(dst, []byte("SET"), key, value)
}

func appendStore(dst, key, value []byte) []byte {
	dst = append(append(dst, "set "...), key...)
	dst = strconv.AppendInt(append(dst, " 0 0 "...), int64(len(value)), 10)
	return append(append(append(dst, "\r\n"...), value...), "\r\n"...)
}

// fill has a store hold the answer to every identifier that the snapshot holds,
// so that their memory can be compared. It goes on sending while answers come,
// each of which must be ok.
func (r *run) fill(ctx context.Context, e end, f filling) error {
	r.Log("filling %s", e.process.Name())
	conn, err := (&net.Dialer{}).DialContext(ctx, e.network, e.address)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }() // all that was asked for has come, or does not matter
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	taken := make(chan error, 1)
	go func() { taken <- expect(conn, f.ok, r.identifiers()) }()
	sent := r.send(conn, f)
	if sent != nil {
		_ = conn.Close() // what was not sent is not answered
	}
	if err := errors.Join(ctx.Err(), <-taken, sent); err != nil {
		return fmt.Errorf("fill %s: %w", e.process.Name(), err)
	}
	r.Log("filled %s with %s values", e.process.Name(), bench.Count(r.identifiers()))
	return nil
}

// identifiers is how many the world has: the mobile ids and the customer ids.
func (r *run) identifiers() int { return r.IDs + r.world.Persons() }

// identifier appends identifier i as callers send it, and its key.
func (r *run) identifier(text, key []byte, i int, f filling) (_, _ []byte) {
	if i < r.IDs {
		u := r.world.UUID(i)
		return r.world.AppendText(text, i), f.maid(key, u[:])
	}
	person := i - r.IDs
	return r.world.AppendCustomer(text, person), append(key, r.world.Customer(person)...)
}

func (r *run) send(conn net.Conn, f filling) error {
	var text, key, out []byte
	var ids, keys [][]byte
	all := r.identifiers()
	for first := 0; first < all; first += fillBatch {
		text, key, ids, keys, out = text[:0], key[:0], ids[:0], keys[:0], out[:0]
		for i := first; i < min(first+fillBatch, all); i++ {
			t, k := len(text), len(key)
			text, key = r.identifier(text, key, i, f)
			ids, keys = append(ids, text[t:]), append(keys, key[k:])
		}
		err := r.answers.each(ids, func(i int, value []byte) error {
			if value == nil {
				return fmt.Errorf("there is no answer to identifier %d of the world", first+i)
			}
			out = f.set(out, keys[i], value)
			return nil
		})
		if err != nil {
			return err
		}
		if _, err := conn.Write(out); err != nil {
			return err
		}
	}
	return nil
}

// expect reads n answers that must all be ok.
func expect(conn net.Conn, ok string, n int) error {
	in := bufio.NewReaderSize(conn, 1<<16)
	for i := range n {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return fmt.Errorf("answer %d of %d: %w", i, n, err)
		}
		if string(line) != ok {
			return fmt.Errorf("answer %d of %d is not %q", i, n, ok)
		}
	}
	return nil
}

// exchange sends a request and returns the answer to it.
func exchange(conn net.Conn, request []byte, next func([]byte) (int, error)) ([]byte, error) {
	if _, err := conn.Write(request); err != nil {
		return nil, err
	}
	var reply []byte
	buf := make([]byte, 1<<16)
	for {
		n, err := conn.Read(buf)
		if err != nil {
			return nil, err
		}
		reply = append(reply, buf[:n]...)
		switch whole, err := next(reply); {
		case err != nil:
			return nil, err
		case whole > 0:
			return reply[:whole], nil
		}
	}
}

// redisMemory asks Redis how many bytes it has allocated.
func redisMemory(ctx context.Context, e end) (int64, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, e.network, e.address)
	if err != nil {
		return 0, err
	}
	defer func() { _ = conn.Close() }()
	reply, err := exchange(conn, appendCommand(nil, []byte("INFO"), []byte("memory")), load.RESP)
	if err != nil {
		return 0, err
	}
	m := usedMemory.FindSubmatch(reply)
	if m == nil {
		return 0, errors.New("wire: Redis does not tell its used_memory")
	}
	return strconv.ParseInt(string(m[1]), 10, 64)
}

func portOf(address string) string {
	_, port, _ := net.SplitHostPort(address)
	return port
}
