// Package livetest is for tests of live changes: a small world in files, changes
// of its people at random, and a model that works out from all of them at once
// what is to be answered. It knows nothing of the packages that it is held
// against.
//
// A [World] is written as an onboard.yaml with its files. Each of its persons is
// one customer of one tenant with an email address and a cookie, of which nobody
// else has any, and a second cookie that no file has and links alone may bring,
// to the customer or to the first cookie.
// A [Generator] belongs to one goroutine, and so does a [Model].
package livetest
