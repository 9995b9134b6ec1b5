package load

import (
	"context"
	"fmt"
	"io"
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Sizes of a connection's buffer for responses: the first, and the last, after
// which a response is too long.
const (
	firstBuffer = 16 << 10
	lastBuffer  = 64 << 20
)

// conn is a connection. Its buffers are its own and are used again.
type conn struct {
	fd     int
	index  int32
	out    []byte // requests under way
	unsent []byte // what the socket did not take yet, of out
	in     []byte
	have   int           // bytes of in
	first  int           // request that the next response answers
	owed   int           // responses
	from   time.Duration // what the latency of those counts from
}

// connect opens all connections.
func (l *client) connect(ctx context.Context) (err error) {
	if l.poll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return fmt.Errorf("create an epoll instance: %w", err)
	}
	l.events = make([]unix.EpollEvent, l.Connections)
	l.free = newQueue(l.Connections)
	for i := range l.Connections {
		fd, err := dial(ctx, l.Network, l.Address, l.grace())
		if err != nil {
			return err
		}
		l.conns = append(l.conns, conn{fd: fd, index: int32(i), in: make([]byte, firstBuffer)})
		if err := l.watch(&l.conns[i], unix.EPOLL_CTL_ADD, 0); err != nil {
			return err
		}
		l.free.push(i)
	}
	return nil
}

// dial connects a socket that is nobody else's: the one that net.Dial makes is
// watched by the runtime.
func dial(ctx context.Context, network, address string, timeout time.Duration) (fd int, err error) {
	d := net.Dialer{Timeout: timeout}
	c, err := d.DialContext(ctx, network, address) // without delay, and kept alive
	if err != nil {
		return 0, err
	}
	defer func() { _ = c.Close() }() // the duplicate keeps the connection
	raw, err := c.(syscall.Conn).SyscallConn()
	if err != nil {
		return 0, err
	}
	if e := raw.Control(func(of uintptr) { fd, err = unix.FcntlInt(of, unix.F_DUPFD_CLOEXEC, 0) }); e != nil {
		return 0, e
	}
	return fd, err
}

// watch asks for a report each time that bytes come or the other end closes,
// and for more events where asked.
func (l *client) watch(c *conn, op int, more uint32) error {
	e := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLET | more, Fd: c.index}
	if err := unix.EpollCtl(l.poll, op, c.fd, &e); err != nil {
		return fmt.Errorf("watch a connection: %w", err)
	}
	return nil
}

func (l *client) close() {
	for i := range l.conns {
		_ = unix.Close(l.conns[i].fd) // all that was asked for has come, or does not matter
	}
	_ = unix.Close(l.poll)
}

// write sends what the socket takes. Only where that is not all, reports of
// when it takes more are asked for.
func (l *client) write(c *conn) error {
	for len(c.unsent) > 0 {
		n, err := writeNow(c.fd, c.unsent)
		switch err {
		case nil:
			c.unsent = c.unsent[n:]
		case unix.EINTR:
		case unix.EAGAIN:
			return l.watch(c, unix.EPOLL_CTL_MOD, unix.EPOLLOUT)
		default:
			return fmt.Errorf("send request %d: %w", c.first, err)
		}
	}
	return nil
}

// read takes all that has come. A short read has taken all, unless the other
// end closed, of which there is no second report.
func (l *client) read(c *conn, events uint32) error {
	closed := events&(unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0
	for {
		room := c.in[c.have:]
		n, err := readNow(c.fd, room)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			return nil
		case err != nil:
			return fmt.Errorf("read the answer to request %d: %w", c.first, err)
		case n == 0:
			return fmt.Errorf("the server closed the connection of request %d, of whose answer %d bytes came: %w", c.first, c.have, io.ErrUnexpectedEOF)
		}
		c.have += n
		if err := l.answers(c, l.now()); err != nil {
			return err
		}
		if n < len(room) && !closed {
			return nil
		}
		if c.have == len(c.in) {
			if len(c.in) >= lastBuffer {
				return fmt.Errorf("the answer to request %d is longer than %d bytes", c.first, lastBuffer)
			}
			c.in = append(c.in, make([]byte, len(c.in))...)
		}
	}
}

// queue is of numbers below its size, each in it at most once; who waited
// longest comes first, so that connections take turns.
type queue struct {
	ring       []int32
	head, size int
}

func newQueue(n int) queue { return queue{ring: make([]int32, n)} }

func (q *queue) empty() bool { return q.size == 0 }

func (q *queue) push(i int) {
	q.ring[(q.head+q.size)%len(q.ring)] = int32(i)
	q.size++
}

func (q *queue) pop() int {
	i := q.ring[q.head]
	q.head = (q.head + 1) % len(q.ring)
	q.size--
	return int(i)
}
