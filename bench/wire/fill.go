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

func appendSet(dst, key, value []byte) []byte {
	return appendCommand(dst, []byte("SET"), key, value)
}

func appendStore(dst, key, value []byte) []byte {
	dst = appendKey(append(dst, "set "...), key)
	dst = strconv.AppendInt(append(dst, " 0 0 "...), int64(len(value)), 10)
	return append(append(append(dst, "\r\n"...), value...), "\r\n"...)
}

// fill has a store hold the answer to every identifier of the world. It goes on
// sending while answers come, each of which must be ok.
func (r *run) fill(ctx context.Context, e end, command func(dst, key, value []byte) []byte, ok string) error {
	r.Log("filling %s", e.process.name)
	conn, err := (&net.Dialer{}).DialContext(ctx, e.network, e.address)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }() // all that was asked for has come, or does not matter
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	taken := make(chan error, 1)
	go func() { taken <- expect(conn, ok, r.IDs) }()
	sent := r.send(conn, command)
	if sent != nil {
		_ = conn.Close() // what was not sent is not answered
	}
	if err := errors.Join(ctx.Err(), <-taken, sent); err != nil {
		return fmt.Errorf("fill %s: %w", e.process.name, err)
	}
	r.Log("filled %s with %s values", e.process.name, bench.Count(r.IDs))
	return nil
}

func (r *run) send(conn net.Conn, command func(dst, key, value []byte) []byte) error {
	var text, out []byte
	var ids [][]byte
	for first := 0; first < r.IDs; first += fillBatch {
		n := min(fillBatch, r.IDs-first)
		text, ids, out = make([]byte, 0, n*64), ids[:0], out[:0]
		for i := range n {
			from := len(text)
			text = r.world.AppendText(text, first+i)
			ids = append(ids, text[from:len(text):len(text)])
		}
		err := r.answers.each(ids, func(i int, value []byte) error {
			if value == nil {
				return fmt.Errorf("there is no answer to identifier %d of the world", first+i)
			}
			key := r.world.UUID(first + i)
			out = command(out, key[:], value)
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
