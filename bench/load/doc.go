// Package load puts a load on a server from one core, and starts and watches
// the process that it measures.
//
// The client is one thread that never sleeps: non-blocking sockets, and a poll
// that returns at once. What a request costs it is little else than the system
// calls, and in an open loop a request leaves when it is due and not when a
// timer and a scheduler get to it. It needs Linux, and a core of its own
// (Config.CPU), which the server must not share. It keeps one of the process's
// GOMAXPROCS busy all the time: with one alone, nothing else there would run.
//
// Two loops, and what each is for:
//
//   - Closed: as fast as answers come. It finds the peak rate, and the server's
//     processor time a request (CPUTime before and after). Its latencies are
//     those of a server that is always full.
//   - Open: requests at even, intended times, whatever the server does. Latency
//     counts from the intended time, so that a request that a slow server kept
//     from being sent is slow itself, and not missing.
package load
